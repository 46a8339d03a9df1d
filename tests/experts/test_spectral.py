"""The third-order method: its moment, the power method, and a fit."""

import numpy as np
import pytest

from moelib import label_transform, learn_experts_spectral, regressor_error, standard_model
from moelib.experts.spectral import power_method, third_moment
from moelib.hermite import score_tensor


def test_third_moment_is_the_mean_of_explicit_tensors():
    rng = np.random.default_rng(0)
    X, y = standard_model(5, 2).sample(300, rng)
    transform = label_transform(3, "identity", 0.05)
    basis = np.linalg.qr(rng.standard_normal((5, 3)))[0]
    q = transform(y) - transform(y).mean()
    explicit = np.einsum("n,nabc->abc", q, score_tensor(X @ basis, 3)) / (300 * transform.c)
    np.testing.assert_allclose(third_moment(X, y, transform, basis), explicit, atol=1e-12)


@pytest.mark.parametrize("k", [2, 5, 9])
def test_power_method_takes_an_orthogonal_tensor_apart(k):
    rng = np.random.default_rng(k)
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    weights = rng.uniform(1, 3, k)
    T = np.einsum("m,ma,mb,mc->abc", weights, U, U, U)
    V, history = power_method(T, rng)
    order = np.argmax(np.abs(V @ U.T), axis=0)
    assert sorted(order) == list(range(k))
    np.testing.assert_allclose(V[order], U, atol=1e-8)  # signs too
    assert history[-1] == pytest.approx(weights.sum())
    assert np.all(np.diff(history) > 0)


def test_third_moment_of_weighted_samples():
    rng = np.random.default_rng(0)
    X, y = standard_model(5, 2).sample(300, rng)
    transform, basis = label_transform(3, "identity", 0.05), np.eye(5)[:, :2]
    weights = rng.integers(0, 3, 300)
    again = np.repeat(np.arange(300), weights)
    found = third_moment(X, y, transform, basis, weights / weights.mean())
    np.testing.assert_allclose(found, third_moment(X[again], y[again], transform, basis))


def test_the_fit_is_in_units_of_a_loss(standard):
    """Signs come along, and the history is what the power method found, larger is better."""
    model, X, y = standard(20_000, d=6)
    fit = learn_experts_spectral(X, y, 3, np.random.default_rng(1))
    assert regressor_error(fit.experts, model.experts) < 0.1
    assert np.all((fit.experts @ model.experts.T).max(axis=1) > 0.9)
    assert fit.loss == fit.losses[0] == -fit.history[-1] and len(fit.history) == 3
    values = np.einsum("abc,ia,ib,ic->i", fit.tensor, *[fit.directions] * 3)
    assert fit.history[-1] == pytest.approx(values.sum(), rel=0.02)


def test_what_cannot_be_used_is_refused(standard):
    _, X, y = standard(5000, d=5, n_experts=2, link=np.square)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n_experts must be at most the number of features"):
        learn_experts_spectral(X, y, 6, rng)
    with pytest.raises(ValueError, match="order 3 has c_3"):
        learn_experts_spectral(X, y, 2, rng, link=np.square)
