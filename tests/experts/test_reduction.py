"""From d dimensions to k: the span, what stands out of the noise, and whitening."""

import numpy as np
import pytest

from moelib import AssumptionWarning, regressor_error, standard_model
from moelib.experts.l4 import minimize_l4_lbfgs, random_unit_rows
from moelib.experts.moments import population_moments
from moelib.experts.reduction import Reduction, reduce_batches, top_eigenpairs, whiten
from moelib.experts.transforms import label_transforms, noise_from_labels
from moelib.model import random_model


def test_whitened_moments_are_an_orthogonal_decomposition():
    """From exact moments of dependent unit experts the pipeline is exact."""
    rng = np.random.default_rng(1)
    model = random_model(7, 3, rng)
    pi = np.array([0.5, 0.3, 0.2])
    M, _ = population_moments(model.experts, pi)
    eigenvalues, basis = top_eigenpairs(M, 3)
    _, T = population_moments(model.experts, pi, basis)
    V, losses = minimize_l4_lbfgs(whiten(T, eigenvalues), random_unit_rows(3, rng), 0.5)
    assert losses[-1] == pytest.approx(-0.5 * np.sum(1 / pi), rel=1e-8)
    reduction = Reduction(label_transforms(), 1.0, 1.0, np.zeros(7), M, eigenvalues, basis)
    assert regressor_error(reduction.experts(V), model.experts) < 1e-8
    u = np.sqrt(pi)[:, None] * (model.experts @ reduction.frame.T)
    np.testing.assert_allclose(u @ u.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_whitening_divides_every_axis(order):
    rng = np.random.default_rng(order)
    T, eigenvalues = rng.standard_normal((3,) * order), np.array([4.0, 9.0, 0.25])
    for index in np.ndindex(T.shape):
        expected = T[index] / np.prod(np.sqrt(eigenvalues)[list(index)])
        assert whiten(T, eigenvalues)[index] == pytest.approx(expected)


def test_small_eigenvalues_warn_and_stay_positive():
    with pytest.warns(AssumptionWarning, match="only 1 eigenvalues that stand out") as heard:
        values, _ = top_eigenpairs(np.diag([1.0, -0.3, -0.5]), 2)
    np.testing.assert_allclose(values, [1, 1e-3])
    assert heard[0].filename == __file__


def test_an_eigenvalue_that_does_not_stand_out_warns(recwarn):
    top_eigenpairs(np.diag([1.0, 0.2, -0.1]), 2)
    assert not recwarn
    with pytest.warns(AssumptionWarning, match="only 1 eigenvalues that stand out for 2"):
        values, _ = top_eigenpairs(np.diag([1.0, 0.12, -0.1]), 2)
    np.testing.assert_allclose(values, [1, 0.12])


def test_a_reduction_says_what_it_was_made_from(standard):
    """Everything by hand, from weighted batches; a weight of two is a sample that comes twice."""
    _, X, y = standard(4000, d=6, noise=0.3, link="tanh")
    twice = np.r_[np.arange(4000), np.arange(1000)]
    weights = np.r_[np.full(1000, 2.0), np.ones(3000)]
    batches = [(X[:1500], y[:1500], weights[:1500]), (X[1500:], y[1500:], weights[1500:])]
    found = reduce_batches(lambda: iter(batches), 3, link="tanh")
    X, y = X[twice], y[twice]
    q = found.transforms.q2(y)
    q = (q - q.mean()) / found.transforms.c2
    M = (X * q[:, None]).T @ X / 5000 - np.mean(q) * np.eye(6)
    np.testing.assert_allclose(found.second_moment, M, atol=1e-12)
    np.testing.assert_allclose(found.mean_yx, (y - y.mean()) @ X / 5000, atol=1e-12)
    assert found.n == 5000 and found.scale == 1
    assert found.transforms.noise == pytest.approx(noise_from_labels(y, link="tanh"))
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(M)[:-4:-1])


def test_the_linear_link_is_scaled_and_other_transforms_learn_the_noise(standard):
    _, X, y = standard(4000, d=6)
    plain = reduce_batches(lambda: [(X, y)], 3)
    assert plain.scale == pytest.approx(np.sqrt(np.mean(y**2))) and plain.transforms.noise == 0
    best = reduce_batches(lambda: [(X, y)], 3, transforms="in-span")
    least = (np.var(y**2) / 4000) ** 0.25  # what labels can tell from none
    assert best.scale == 1 and best.transforms.noise == pytest.approx(least)
    given = reduce_batches(lambda: [(X, y)], 3, transforms="in-span", noise=0.07)
    assert given.transforms.noise == 0.07


def test_what_cannot_be_used_is_refused():
    X, y = standard_model().sample(100, np.random.default_rng(0))
    with pytest.raises(
        ValueError, match=r"at most the number of features \(10\).*got 11.*more exp"
    ):
        reduce_batches(lambda: [(X, y)], 11)
    with pytest.raises(ValueError, match="non-zero label"):
        reduce_batches(lambda: [(X, 0 * y)], 3)
    with pytest.raises(ValueError, match="batches must yield a batch"):
        reduce_batches(lambda: [], 3)
    with pytest.raises(ValueError, match="transforms must be one of 'polynomial'"):
        reduce_batches(lambda: [(X, y)], 3, transforms="magic")
    with pytest.raises(ValueError, match="noise must be positive for 'optimal' transforms"):
        reduce_batches(lambda: [(X, y)], 3, transforms="optimal", noise=0)
