"""The spectral method of order 3 and of order 4: moments, the power method, and fits."""

import numpy as np
import pytest

from moelib import (
    label_transform,
    learn_experts,
    learn_experts_spectral,
    regressor_error,
    standard_model,
)
from moelib.experts import aligned, first_order_error, orthogonal_tensor, random_symmetric
from moelib.experts.spectral import power_method, spectral_from_sample, third_moment
from moelib.hermite import score_tensor
from moelib.metrics import unit_rows
from moelib.validation import as_sample


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


@pytest.mark.parametrize("k", [2, 5, 9])
def test_power_method_takes_an_orthogonal_tensor_of_order_4_apart(k):
    rng = np.random.default_rng(k)
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    weights = rng.uniform(1, 3, k)
    V, history = power_method(np.einsum("m,ma,mb,mc,md->abcd", weights, U, U, U, U), rng)
    np.testing.assert_allclose(aligned(V, U), U, atol=1e-8)
    np.testing.assert_allclose(history, np.cumsum(((V @ U.T) ** 4) @ weights))


def test_order_4_leaves_negative_eigenvalues_for_the_end():
    """The plain even power would be caught by -9; the shifted one climbs past it."""
    T = np.zeros((3, 3, 3, 3))
    T[0, 0, 0, 0], T[1, 1, 1, 1], T[2, 2, 2, 2] = 1.0, -9.0, 2.0
    V, history = power_method(T, np.random.default_rng(0), n_init=1)
    assert set(np.argmax(np.abs(V[:2]), axis=1)) == {0, 2}
    assert history[1] == pytest.approx(3)


@pytest.mark.parametrize("seed", range(3))
def test_order_4_climbs_to_a_local_maximum_of_any_tensor(seed):
    """Of a symmetric tensor of pure noise: a critical point where no curvature is positive."""
    rng = np.random.default_rng(seed)
    T = random_symmetric(4, 4, rng)
    v = power_method(T, rng, n_init=2, n_iter=300)[0][0]
    H = np.einsum("abcd,a,b->cd", T, v, v)
    value = v @ H @ v
    np.testing.assert_allclose(H @ v, value * v, atol=1e-6)
    off = np.eye(4) - np.outer(v, v)
    assert np.linalg.eigvalsh(off @ (3 * H - value * np.eye(4)) @ off).max() < 1e-6


def test_order_4_ends_at_fixed_points_of_the_whole_tensor():
    """Each vector is an eigenvector of T itself, not of what deflation left of it."""
    rng = np.random.default_rng(0)
    T = orthogonal_tensor(np.full(5, 2.0), np.eye(5)) + random_symmetric(5, 4, rng) / 150
    V, history = power_method(T, rng)
    maps = np.einsum("abcd,ia,ib,ic->id", T, V, V, V)
    values = np.sum(maps * V, axis=1)
    np.testing.assert_allclose(maps, values[:, None] * V, atol=1e-9)
    assert history[-1] == pytest.approx(values.sum()) and values.min() > 1
    assert np.abs(V @ V.T - np.eye(5)).max() < 0.5


def test_order_4_moves_to_first_order_as_the_limit_of_l4():
    """Errors E of the fourth moment move the vectors by the formula of L4 with mu -> infinity."""
    rng = np.random.default_rng(3)
    shares, k = np.array([0.2, 0.3, 0.5]), 3
    F, E = random_symmetric(k, 2, rng), random_symmetric(k, 4, rng) / 24
    rest = []
    for eps in (4e-3, 1e-3):
        values, B = np.linalg.eigh(np.diag(shares) + eps * F)
        frame = B / np.sqrt(values)
        T = np.einsum("m,mi,mj,mk,ml->ijkl", shares, *[frame] * 4)
        T += eps * np.einsum("abcd,ai,bj,ck,dl->ijkl", E, *[frame] * 4)
        V, _ = power_method(T, rng)
        A = aligned(unit_rows((V * np.sqrt(values)) @ B.T), np.eye(k))
        moves = first_order_error(F, E, np.eye(k), shares, mu=1e12)
        rest.append(np.linalg.norm(A - np.eye(k) - eps * moves))
    assert 12 < rest[0] / rest[1] < 20  # 16 for a rest of second order


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


@pytest.mark.parametrize("link", ["identity", "relu", "tanh", "square"])
@pytest.mark.parametrize("kind", ["polynomial", "optimal", "in-span"])
def test_order_4_takes_the_tensor_of_l4(standard, link, kind):
    """The same tensor bit for bit, and experts as near the truth as those of L4."""
    given = {"square": np.square}.get(link, link)
    model, X, y = standard(60_000, d=6, link=given)
    options = dict(link=given, transforms=kind, truncate=3.0)
    fit = learn_experts_spectral(X, y, 3, np.random.default_rng(1), order=4, **options)
    by_l4 = learn_experts(X, y, 3, np.random.default_rng(1), **options)
    np.testing.assert_array_equal(fit.tensor, by_l4.tensor)
    off, off_l4 = (regressor_error(f.experts, model.experts) for f in (fit, by_l4))
    assert off < max(0.02, 2 * off_l4)
    assert np.all(np.diff(fit.history) > 0) and fit.loss == -fit.history[-1]
    assert off < 0.02 or (link, kind) == ("relu", "polynomial")  # whose moment is too noisy here
    if link != "square" and off < 0.02:  # signs by the first moment, which an even link has not
        np.testing.assert_allclose(aligned(fit.experts, by_l4.experts), by_l4.experts, atol=0.2)
        assert np.all((fit.experts @ by_l4.experts.T).max(axis=1) > 0.9)


def test_the_twin_is_the_door(standard):
    _, X, y = standard(5000, d=5, n_experts=2)
    weights = np.random.default_rng(0).integers(0, 3, 5000)
    for order in (3, 4):
        door, twin = (
            learn_experts_spectral(
                X, y, 2, np.random.default_rng(0), order=order, sample_weight=weights
            ),
            spectral_from_sample(
                as_sample(X, y, weights), 2, np.random.default_rng(0), order=order
            ),
        )
        np.testing.assert_array_equal(door.experts, twin.experts)
    again = np.repeat(np.arange(5000), weights)
    plain = learn_experts_spectral(X[again], y[again], 2, np.random.default_rng(0), order=4)
    np.testing.assert_allclose(door.experts, plain.experts, atol=1e-8)


def test_what_cannot_be_used_is_refused(standard):
    _, X, y = standard(5000, d=5, n_experts=2, link=np.square)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n_experts must be at most the number of features"):
        learn_experts_spectral(X, y, 6, rng)
    with pytest.raises(ValueError, match="order 3 has c_3"):
        learn_experts_spectral(X, y, 2, rng, link=np.square)
    with pytest.raises(ValueError, match="order must be one of 3, 4; got 5"):
        learn_experts_spectral(X, y, 2, rng, order=5)
    with pytest.raises(ValueError, match="truncate needs order=4"):
        learn_experts_spectral(X, y, 2, rng, truncate=3.0)
