"""L4 by stochastic gradients: a batch, a step, a stream, and the whole method."""

import inspect

import numpy as np
import pytest

from moelib import (
    Moments,
    label_transforms,
    learn_experts_sgd,
    random_model,
    regressor_error,
    standard_model,
)
from moelib.experts.l4 import random_unit_rows, tensor_l4
from moelib.experts.sgd import batch_l4, l4_sgd, sgd_from_checked


def test_batch_gradient_is_that_of_the_moments():
    rng = np.random.default_rng(0)
    X, y = standard_model(4, 2).sample(500, rng)
    transforms = label_transforms("identity", 0.05)
    A = random_unit_rows(2, rng, 4)
    loss, gradient = batch_l4(A, X, y, transforms, mu=0.3)
    T = Moments(transforms).update(X, y).fourth_moment
    expected, slope = tensor_l4(T, A, mu=0.3)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(gradient, slope, atol=1e-9)


def test_first_sgd_step_by_hand():
    rng = np.random.default_rng(1)
    batch = standard_model(4, 2).sample(5000, rng)
    transforms = label_transforms("identity", 0.05)
    V = random_unit_rows(2, rng, 4)
    gradient = batch_l4(V, *batch, transforms, 0.5)[1]
    moved = V - 0.01 * (gradient - np.sum(gradient * V, axis=1, keepdims=True) * V)
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(l4_sgd([batch], V, transforms, step=0.01)[0], expected)


def test_sgd_averages_over_the_second_half():
    rng = np.random.default_rng(2)
    stream = [standard_model(4, 2).sample(500, rng) for _ in range(4)]
    transforms = label_transforms("identity", 0.05)
    start = random_unit_rows(2, rng, 4)
    V, losses = l4_sgd(stream, start, transforms)
    assert losses[-1] == pytest.approx(np.mean(losses[2:4]))
    two, _ = l4_sgd(stream[:2], start, transforms)  # of two steps the second half is the last row
    assert batch_l4(two, *stream[2], transforms, 0.5)[0] == pytest.approx(losses[2])
    assert not np.allclose(V, two)


@pytest.mark.slow
def test_sgd_on_a_stream_of_fresh_batches():
    model = random_model(12, 3, np.random.default_rng(0))
    for seed in range(3):

        def fresh(rng=np.random.default_rng(seed)):
            return (model.sample(2000, rng) for _ in range(200))

        fit = learn_experts_sgd(fresh, 3, np.random.default_rng(seed))
        assert regressor_error(fit.experts, model.experts) < 0.02
        assert len(fit.history) == 201 and fit.history[-1] > fit.history[0]


def test_learning_by_sgd_is_the_sum_of_its_parts(standard):
    """Reduction, scaled labels, two epochs and two starts, the lower of which wins."""
    _, X, y = standard(4000, d=6)
    cuts = [(X[i : i + 500], y[i : i + 500]) for i in range(0, 4000, 500)]
    options = dict(n_init=2, n_epochs=2, mu=0.7)
    fit = learn_experts_sgd(lambda: iter(cuts), 3, np.random.default_rng(1), **options)
    rng, found = np.random.default_rng(1), fit.reduction
    stream = [(X, y / found.scale) for X, y in cuts * 2]
    runs = [
        l4_sgd(
            stream,
            random_unit_rows(3, rng),
            found.transforms,
            0.7,
            step=0.15 / 3,
            frame=found.frame,
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(fit.starts, [V for V, _ in runs])
    np.testing.assert_array_equal(fit.losses, [losses[-1] for _, losses in runs])
    assert fit.loss == min(fit.losses) == -fit.history[-1] and fit.tensor is None
    inner = sgd_from_checked(lambda: iter(cuts), 3, np.random.default_rng(1), **options)
    np.testing.assert_array_equal(inner.experts, fit.experts)


def test_what_cannot_be_used_is_refused():
    X, y = standard_model(5, 2).sample(100, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="step must be a positive"):
        learn_experts_sgd(lambda: [(X, y)], 2, rng, step=-1.0)
    with pytest.raises(ValueError, match="mu must be a number strictly between 0 and 1"):
        learn_experts_sgd(lambda: [(X, y)], 2, rng, mu=1.5)
    with pytest.raises(ValueError, match="stream must yield at least one batch"):
        l4_sgd([], np.eye(5)[:2], label_transforms())
    with pytest.raises(ValueError, match="stochastic gradients know no weights"):
        learn_experts_sgd(lambda: [(X, y, np.ones(100))], 2, rng)
    with pytest.raises(ValueError, match="X must be finite"):
        learn_experts_sgd(lambda: [(X, y), (X * np.nan, y)], 2, rng)


def test_both_doors_have_the_same_defaults():
    shown = inspect.signature(learn_experts_sgd).parameters
    for name, parameter in inspect.signature(sgd_from_checked).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            assert shown[name].default == parameter.default, name
