"""Fisher information and the Cramer-Rao bound against quadrature, closed forms and symmetries."""

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    cramer_rao_bound,
    fisher_information,
    maximum_likelihood,
    scoring_step,
    standard_errors,
    standard_model,
)
from moelib.likelihood.score import score_moments, scores


def small_model(noise=0.7, link="identity"):
    A = [[1.0, 0.2, 0.0, 0.0], [-0.3, 0.8, 0.0, 0.0]]
    return GatedModel(A, [[0.2, 0.0, 0.9, 0.0]], noise, link)


@pytest.mark.parametrize("intercepts", [False, True])
@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_quadrature_agrees_with_monte_carlo(link, intercepts):
    """Each entry within 4.5 standard errors of the mean of the scores' products."""
    model, free = small_model(link=link), FreeParameters(intercepts=intercepts)
    exact = fisher_information(model, free, method="quadrature", n_nodes=16)
    finer = fisher_information(model, free, method="quadrature", n_nodes=20)
    assert np.abs(exact - finer).max() < 6e-4
    X, y = model.sample(100_000, np.random.default_rng(0))
    S = scores(model, X, y, free)
    products = S[:, :, None] * S[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(y))
    assert np.all(np.abs(products.mean(axis=0) - exact) < 4.5 * error + 6e-4)
    drawn = fisher_information(model, free, n_draws=100_000, rng=np.random.default_rng(1))
    assert np.all(np.abs(drawn - exact) < 4.5 * error + 6e-4)


def test_monte_carlo_repeats_itself_and_has_the_size_asked_for():
    model = small_model()
    first, second = (fisher_information(model, n_draws=30_000) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    bound = cramer_rao_bound(model, 50, n_draws=30_000)
    np.testing.assert_allclose(bound.covariance, np.linalg.inv(first) / 50)
    X, y = model.sample(16384, np.random.default_rng(0))
    J = fisher_information(model, n_draws=16384, rng=np.random.default_rng(0))
    np.testing.assert_allclose(J, score_moments(model, X, y)[1], rtol=1e-10)


def test_bound_of_known_experts_and_noise():
    """When the answers tell the experts apart, least squares and a sample variance are the best."""
    model = GatedModel([[50.0, 0.0], [-50.0, 0.0]], [[0.0, 0.0]], noise=0.1)
    bound = cramer_rao_bound(model, 10_000)
    np.testing.assert_allclose(bound.experts, 0.1 / np.sqrt(5000), rtol=0.03)
    np.testing.assert_allclose(bound.noise, 0.1 / np.sqrt(20_000), rtol=0.01)
    # a fair coin as logistic regression: information 1/4 a coordinate
    np.testing.assert_allclose(bound.gates, 2 / np.sqrt(10_000), rtol=0.02)


def test_more_samples_and_fewer_unknowns_bring_it_down():
    model = small_model()
    J = fisher_information(model, method="quadrature")
    once, four = (cramer_rao_bound(model, n, information=J) for n in (1000, 4000))
    np.testing.assert_allclose(once.experts, 2 * four.experts)
    unit = GatedModel(
        model.experts / np.linalg.norm(model.experts, axis=1, keepdims=True),
        model.gates,
        model.noise,
    )
    J = fisher_information(unit, method="quadrature")
    free = cramer_rao_bound(unit, 1000, information=J)
    held = cramer_rao_bound(unit, 1000, information=J, unit_experts=True)
    difference = free.covariance - held.covariance
    assert np.linalg.eigvalsh(difference)[0] > -1e-15
    assert np.linalg.matrix_rank(difference, tol=1e-9) == 2
    along = np.zeros(len(J))
    along[:4] = unit.experts[0]
    np.testing.assert_allclose(held.covariance @ along, 0, atol=1e-15)
    np.testing.assert_allclose(held.noise, unit.noise * np.sqrt(held.covariance[-1, -1]))


def test_relabelling_permutes_the_bound_and_another_reference_gate_keeps_it():
    model = standard_model(3, 2, noise=0.6)
    swapped = GatedModel(model.experts[::-1], -model.gates, 0.6)
    first, second = (
        cramer_rao_bound(m, 100, method="quadrature", n_nodes=28) for m in (model, swapped)
    )
    np.testing.assert_allclose(first.experts, second.experts[::-1], rtol=1e-6)
    np.testing.assert_allclose(first.gates, second.gates, rtol=1e-6)


def test_coinciding_experts_have_no_bound():
    model = GatedModel([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0]], noise=0.5)
    with pytest.warns(AssumptionWarning, match="the information matrix is singular"):
        bound = cramer_rao_bound(model, 100, n_nodes=10, method="quadrature")
    assert np.all(np.isinf(bound.gates)) and np.isfinite(bound.noise)


def test_standard_errors_tend_to_the_bound():
    model = standard_model(4, 2, noise=0.5)
    X, y = model.sample(100_000, np.random.default_rng(0))
    found, bound = standard_errors(model, X, y), cramer_rao_bound(model, len(y))
    np.testing.assert_allclose(found.experts, bound.experts, rtol=0.03)
    np.testing.assert_allclose(found.gates, bound.gates, rtol=0.03)


def test_one_scoring_step_squares_the_error():
    """From truth + t: the distance to the maximum falls as t^2, so by 4 when t is halved."""
    model = small_model(noise=0.5)
    X, y = model.sample(50_000, np.random.default_rng(0))
    free = FreeParameters()
    best = maximum_likelihood(X, y, model, tol=1e-14).model
    best = scoring_step(best, X, y)
    goal, push = free.vector(best), np.random.default_rng(1).standard_normal(13)
    left = []
    for t in (0.04, 0.02, 0.01):
        start = free.from_vector(goal + t * push / np.linalg.norm(push), like=model)
        left.append(np.linalg.norm(free.vector(scoring_step(start, X, y)) - goal))
    # the information is the outer product, not the Hessian: a share of t is left too
    assert left[0] < 0.02 and left[2] < left[1] < left[0]
    assert left[0] / left[1] > 2.5


def test_a_step_that_is_too_long_is_halved():
    model = GatedModel(np.eye(3)[:2], [[0.0, 0.0, 0.0]], noise=1e-3)
    X, y = standard_model(3, 2, noise=1.0).sample(200, np.random.default_rng(0))
    moved = scoring_step(model, X, y)
    assert np.all(np.isfinite(moved.experts)) and moved.noise > model.noise


def test_bad_input():
    model = standard_model(10, 5)
    with pytest.raises(ValueError, match="give fewer nodes or use method='monte-carlo'"):
        fisher_information(model, method="quadrature")
    with pytest.raises(ValueError, match="method must be one of"):
        fisher_information(model, method="exact")
    with pytest.raises(ValueError, match="n must be a positive"):
        cramer_rao_bound(model, 0)
    with pytest.raises(ValueError, match="rng must be"):
        fisher_information(model, rng=0)
