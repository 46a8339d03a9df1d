"""The first loss: reduction, whitening, the landscape on the spheres, signs, batches."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    learn_experts,
    learn_experts_from_batches,
    regressor_error,
    standard_model,
)
from moelib.experts.l4 import minimize_l4_gradient, minimize_l4_lbfgs, random_unit_rows
from moelib.experts.reduction import top_eigenpairs, whiten
from moelib.experts.signs import first_moment_signs
from moelib.model import GatedModel, random_model

MINIMIZERS = [minimize_l4_gradient, minimize_l4_lbfgs]


def population_tensor(k, rng):
    """sum_m lambda_m u_m^(x4) with random weights and orthonormal u_m."""
    u = ortho_group.rvs(k, random_state=np.random.RandomState(rng.integers(2**31)))
    weights = 1 / rng.dirichlet(np.ones(k) * 3)
    return np.einsum("m,ma,mb,mc,md->abcd", weights, u, u, u, u), u, weights


@pytest.mark.parametrize("minimize", MINIMIZERS)
@pytest.mark.parametrize("mu", [0.05, 0.5, 0.95])
def test_no_stray_minima_below_mu_one(minimize, mu):
    rng = np.random.default_rng(0)
    for _ in range(10):
        T, u, weights = population_tensor(4, rng)
        V, history = minimize(T, random_unit_rows(4, rng), mu)
        assert regressor_error(V, u) < 1e-6
        assert history[-1] == pytest.approx(-mu * weights.sum(), rel=1e-6)
        assert np.all(np.diff(history) <= 1e-9)
        np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1)


def test_stray_minima_above_mu_one():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(20):
        T, u, _ = population_tensor(6, rng)
        V, _ = minimize_l4_lbfgs(T, random_unit_rows(6, rng), 3.0)
        wrong += regressor_error(V, u) > 0.1
    assert wrong >= 10


def test_whitened_moments_are_an_orthogonal_decomposition():
    """From exact moments of dependent unit experts the pipeline is exact."""
    rng = np.random.default_rng(1)
    model = random_model(7, 3, rng)
    pi = np.array([0.5, 0.3, 0.2])
    M = np.einsum("m,ma,mb->ab", pi, model.experts, model.experts)
    eigenvalues, basis = top_eigenpairs(M, 3)
    A = model.experts @ basis
    T = whiten(np.einsum("m,ma,mb,mc,md->abcd", pi, A, A, A, A), eigenvalues)
    V, history = minimize_l4_lbfgs(T, random_unit_rows(3, rng), 0.5)
    assert history[-1] == pytest.approx(-0.5 * np.sum(1 / pi), rel=1e-8)
    experts = (V * np.sqrt(eigenvalues)) @ basis.T
    assert regressor_error(experts, model.experts) < 1e-8


def test_too_few_steps_warn():
    T, _, _ = population_tensor(4, np.random.default_rng(0))
    V = random_unit_rows(4, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        minimize_l4_gradient(T, V, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        minimize_l4_lbfgs(T, V, max_iter=2)


def test_small_eigenvalues_warn_and_stay_positive():
    with pytest.warns(AssumptionWarning, match="only 1 eigenvalues that stand out"):
        values, _ = top_eigenpairs(np.diag([1.0, -0.3, -0.5]), 2)
    np.testing.assert_allclose(values, [1, 1e-3])


def test_an_eigenvalue_that_does_not_stand_out_warns(recwarn):
    top_eigenpairs(np.diag([1.0, 0.2, -0.1]), 2)
    assert not recwarn
    with pytest.warns(AssumptionWarning, match="only 1 eigenvalues that stand out for 2"):
        values, _ = top_eigenpairs(np.diag([1.0, 0.12, -0.1]), 2)
    np.testing.assert_allclose(values, [1, 0.12])


@pytest.mark.parametrize("link, n", [("identity", 30_000), ("tanh", 100_000), ("relu", 600_000)])
def test_experts_and_signs_are_found(link, n):
    model = standard_model(d=6, n_experts=3, noise=0.1, link=link)
    rng = np.random.default_rng(0)
    fit = learn_experts(*model.sample(n, rng), 3, rng, link=link)
    assert regressor_error(fit.experts, model.experts) < 0.05
    nearest = fit.experts @ model.experts.T
    assert np.all(nearest.max(axis=1) > 0.9)  # signs too: cosines, not their size


def test_label_units_do_not_matter_for_the_linear_link():
    model = standard_model(d=6)
    X, y = model.sample(5000, np.random.default_rng(0))
    one = learn_experts(X, y, 3, np.random.default_rng(1))
    other = learn_experts(X, 1000 * y, 3, np.random.default_rng(1))
    np.testing.assert_allclose(one.experts, other.experts, atol=1e-6)


def test_batches_give_what_the_whole_gives():
    model = standard_model(d=6)
    X, y = model.sample(5000, np.random.default_rng(0))
    cuts = [(X[i : i + 700], y[i : i + 700]) for i in range(0, 5000, 700)]
    whole = learn_experts(X, y, 3, np.random.default_rng(1))
    parts = learn_experts_from_batches(lambda: iter(cuts), 3, np.random.default_rng(1))
    np.testing.assert_allclose(parts.experts, whole.experts, atol=1e-6)
    np.testing.assert_allclose(parts.second_moment, whole.second_moment, atol=1e-10)


def test_signs_by_the_first_moment():
    experts = np.array([[1.0, 0, 0], [0.6, -0.8, 0]])
    truth = np.array([-1.0, 1.0])
    mean_yx = (truth[:, None] * experts * [[0.3], [0.7]]).sum(axis=0)
    np.testing.assert_array_equal(first_moment_signs(experts, mean_yx), truth)
    np.testing.assert_array_equal(first_moment_signs(experts, mean_yx, np.square), [1, 1])


def test_an_even_link_is_learned_up_to_sign():
    model = GatedModel(np.eye(5)[:2], [[0, 0, 1.0, 0, 0]], 0.1, np.square)
    rng = np.random.default_rng(0)
    X, y = model.sample(400_000, rng)
    fit = learn_experts(X, y, 2, rng, link=np.square, noise=0.1)
    assert regressor_error(fit.experts, model.experts) < 0.05


def test_bad_arguments_are_refused():
    X, y = standard_model().sample(100, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at most the number of features .10.*use method='em'"):
        learn_experts(X, y, 11, rng)
    with pytest.raises(ValueError, match="mu must lie strictly between 0 and 1, got 1"):
        learn_experts(X, y, 3, rng, mu=1)
    with pytest.raises(ValueError, match="solver must be one of"):
        learn_experts(X, y, 3, rng, solver="newton")
    with pytest.raises(ValueError, match="non-zero label"):
        learn_experts(X, 0 * y, 3, rng)
    with pytest.raises(ValueError, match="100 rows and 99 labels"):
        learn_experts_from_batches(lambda: [(X, y[1:])], 3, rng)


@pytest.mark.slow
def test_ten_experts_from_a_million_samples_in_little_memory():
    """E_reg < 0.02 from each of 5 random starts; < 1.5 GB beyond the data."""
    import tracemalloc

    model = standard_model(d=20, n_experts=10)
    rng = np.random.default_rng(0)
    X, y = model.sample(1_000_000, rng)
    tracemalloc.start()
    fit = learn_experts(X, y, 10, rng, n_init=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for V in fit.starts:
        experts = (V * np.sqrt(fit.eigenvalues)) @ fit.basis.T
        assert regressor_error(experts, model.experts) < 0.02
    assert peak < 1.5e9
