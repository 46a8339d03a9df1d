"""Certificates: gradient and Hessian against finite differences; minima, saddles, bad maxima."""

from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    FreeParameters,
    GatedModel,
    expectation_maximization,
    make_start,
    maximum_likelihood,
    regressor_error,
)
from moelib.likelihood import certify, mean_score, polish

DESIGN = dict(d=4, n_experts=2, noise=0.1)


@pytest.mark.parametrize("noise", [True, False, "per-expert"])
def test_certificate_against_finite_differences(standard, noise):
    model, X, y = standard(60, **DESIGN)
    free = FreeParameters(intercepts=True, noise=noise)
    model = replace(model, noise=[0.1, 0.15]) if noise == "per-expert" else model
    point = certify(model, X, y, free=free)
    assert point.loss == pytest.approx(-model.log_density(X, y).mean())
    gradient_norm = np.linalg.norm(mean_score(model, X, y, free=free))
    assert point.gradient_norm == pytest.approx(gradient_norm)

    def gradient(vector):
        return -mean_score(free.from_vector(vector, like=model), X, y, free=free)

    theta = free.vector(model)
    steps = 1e-5 * np.eye(len(theta))
    hessian = np.array([(gradient(theta + h) - gradient(theta - h)) / 2e-5 for h in steps])
    np.testing.assert_allclose(point.eigenvalues, np.linalg.eigvalsh(hessian), rtol=1e-3, atol=1e-3)


def test_maximum_is_certified_and_the_symmetric_point_is_a_saddle(standard):
    model, X, y = standard(2000, **DESIGN)
    top = polish(maximum_likelihood(X, y, model).model, X, y)
    assert certify(top, X, y).is_strict_minimum
    free = FreeParameters(noise=False)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    both = GatedModel([beta, beta], np.zeros((1, 4)), 0.1)
    saddle = certify(both, X, y, free=free)
    assert saddle.gradient_norm < 1e-8
    assert saddle.eigenvalues[0] < -1 and not saddle.is_strict_minimum


def test_em_with_frozen_noise_has_bad_strict_maxima(standard):
    """Eight experts, true noise: a certified wrong maximum, worse than the truth."""
    model, X, y = standard(3000, d=16, n_experts=8, noise=0.05)
    free = FreeParameters(noise=False)
    start = make_start(X, y, 8, np.random.default_rng(0), noise=0.05)
    stuck = expectation_maximization(X, y, start, free=free).model
    stuck = polish(stuck, X, y, free=free)
    point = certify(stuck, X, y, free=free)
    assert point.is_strict_minimum
    assert regressor_error(stuck.experts, model.experts) > 0.3
    assert -point.loss < model.log_density(X, y).mean() - 1


def test_polish_never_climbs(standard):
    model, X, y = standard(400, **DESIGN)
    free = FreeParameters(noise=False)
    far = make_start(X, y, 2, np.random.default_rng(0))
    for loss in ("likelihood", "least-squares"):
        options = dict(loss=loss, free=free)
        ends = [polish(far, X, y, **options, max_iter=steps) for steps in range(5)]
        losses = [certify(end, X, y, **options).loss for end in ends]
        assert losses[0] == certify(far, X, y, **options).loss
        assert np.all(np.diff(losses) <= 1e-12) and losses[-1] < losses[0] - 1e-3


def test_bad_calls(standard):
    model, X, y = standard(100, **DESIGN)
    with pytest.raises(ValueError, match="loss must be one of"):
        certify(model, X, y, loss="huber")
    with pytest.raises(ValueError, match="squared error has no noise"):
        certify(model, X, y, loss="least-squares")
    for free in (FreeParameters(gate_slopes=False), FreeParameters(expert_features=(0,))):
        with pytest.raises(ValueError, match="gates and experts of the same columns"):
            certify(model, X, y, free=free)
