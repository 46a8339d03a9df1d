"""Median of means and control variates against the same thing done by hand."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from moelib import GatedModel, Moments, label_transforms, learn_experts, standard_model
from moelib.experts.control_variates import hermite_exponents, hermite_features, regression_moment
from moelib.hermite import score_tensor


@pytest.fixture(scope="module")
def data():
    model = standard_model(5, 2, noise=0.3)
    return *model.sample(3001, np.random.default_rng(0)), label_transforms("identity", 0.3)


@pytest.mark.parametrize("r,degree", [(1, 4), (2, 4), (3, 3)])
def test_hermite_features_are_orthonormal(r, degree):
    t, weight = np.polynomial.hermite_e.hermegauss(degree + 1)
    z = np.stack(np.meshgrid(*[t] * r, indexing="ij"), axis=-1).reshape(-1, r)
    mass = np.prod(np.meshgrid(*[weight / weight.sum()] * r, indexing="ij"), axis=0).ravel()
    H = hermite_features(z, degree)
    np.testing.assert_allclose((H * mass[:, None]).T @ H, np.eye(H.shape[1]), atol=1e-10)
    assert len(hermite_exponents(r, degree)) == H.shape[1]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_regression_moment_is_that_of_the_score_tensor(order):
    """With the population's Gram matrix it is the mean of Q S_m itself, entry by entry."""
    rng = np.random.default_rng(order)
    z, q = rng.standard_normal((50, 3)), rng.standard_normal(50)
    H = hermite_features(z, order)
    found = regression_moment(50.0 * np.eye(H.shape[1]), H.T @ q, 3, order)
    S = score_tensor(z, order)
    np.testing.assert_allclose(found, np.tensordot(q, S, axes=1) / 50, atol=1e-10)
    for axes in permutations(range(order)):
        np.testing.assert_array_equal(found, found.transpose(axes))


def test_control_recovers_an_exact_polynomial():
    """One expert without noise: the transform is He_4 of an input and the regression exact."""
    model = GatedModel([[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0]], noise=1e-9)
    X, y = model.sample(200, np.random.default_rng(1))
    transforms = label_transforms("identity", 0.0)
    moments = Moments(transforms, control=True).update(X, y)
    e = np.eye(2)[0]
    np.testing.assert_allclose(moments.second_moment, np.outer(e, e), atol=1e-6)
    expected = np.einsum("a,b,c,d->abcd", e, e, e, e)
    np.testing.assert_allclose(moments.fourth_moment, expected, atol=1e-6)


def test_control_is_least_squares_and_adds_up(data):
    X, y, transforms = data
    weights = np.random.default_rng(2).integers(0, 3, len(y)).astype(float)
    H = hermite_features(X, 4)
    root = np.sqrt(weights)[:, None]
    q = transforms.q4(y)
    beta = np.linalg.lstsq(root * H, root[:, 0] * q, rcond=None)[0]
    place = [list(row) for row in hermite_exponents(5, 4).tolist()].index([1, 0, 3, 0, 0])
    parts = [
        Moments(transforms, control=True).update(X[s], y[s], weights[s])
        for s in (slice(0, 1000), slice(1000, None))
    ]
    T = parts[0].merge(parts[1]).fourth_moment
    np.testing.assert_allclose(T[0, 2, 2, 2], np.sqrt(6) * beta[place] / transforms.c4)
    np.testing.assert_allclose(T[2, 0, 2, 2], T[0, 2, 2, 2])


def test_control_lowers_the_variance_for_the_identity_link():
    """Predicted variance of an entry from the residuals; 300 data sets, ratio within 25 %."""
    model, transforms = standard_model(3, 2), label_transforms("identity", 0.05)
    B = np.eye(3)[:, :2]
    entries = {False: [], True: []}
    for seed in range(300):
        X, y = model.sample(4000, np.random.default_rng(seed))
        for control, values in entries.items():
            M = Moments(transforms, B, fourth=False, control=control).update(X, y).second_moment
            values.append(M[0, 1])
    X, y = model.sample(400_000, np.random.default_rng(300))
    H = hermite_features(X @ B, 2)
    q = transforms.q2(y)
    residual = q - H @ np.linalg.lstsq(H, q, rcond=None)[0]
    product = X[:, 0] * X[:, 1]
    predicted = np.var(residual * product) / np.var(q * product)
    measured = np.var(entries[True]) / np.var(entries[False])
    assert predicted < 0.7 and abs(measured / predicted - 1) < 0.25


@pytest.mark.parametrize("batches", [[3001], [7, 1, 1000, 1993]])
def test_blocks_are_dealt_in_turn_whatever_the_batches(data, batches):
    X, y, transforms = data
    moments, ends = Moments(transforms, n_blocks=4), np.cumsum([0, *batches])
    for start, stop in pairwise(ends):
        moments.update(X[start:stop], y[start:stop])
    apart = [Moments(transforms).update(X[i::4], y[i::4]) for i in range(4)]
    for name in ("second_moment", "fourth_moment"):
        expected = np.median([getattr(m, name) for m in apart], axis=0)
        np.testing.assert_allclose(getattr(moments, name), expected, atol=1e-12)
    assert moments.n == len(y)


def test_one_block_is_the_plain_mean_and_blocks_merge(data):
    X, y, transforms = data
    plain, one = Moments(transforms).update(X, y), Moments(transforms, n_blocks=1).update(X, y)
    np.testing.assert_array_equal(plain.fourth_moment, one.fourth_moment)
    halves = [
        Moments(transforms, n_blocks=3).update(X[s], y[s]) for s in (slice(900), slice(900, None))
    ]
    whole = Moments(transforms, n_blocks=3).update(X, y)
    merged = halves[0].merge(halves[1])
    np.testing.assert_allclose(merged.fourth_moment, whole.fourth_moment, atol=1e-12)
    merged.update(X[:2], y[:2])
    whole.update(X[:2], y[:2])
    np.testing.assert_allclose(merged.second_moment, whole.second_moment, atol=1e-12)


def test_a_wild_sample_moves_the_median_of_means_less(data):
    X, y, transforms = data
    far = np.full((1, 5), 6.0), np.array([6.0])
    moved = []
    for n_blocks in (1, 15):
        before, after = (Moments(transforms, n_blocks=n_blocks).update(X, y) for _ in range(2))
        after.update(*far)
        moved.append(np.linalg.norm(after.fourth_moment - before.fourth_moment))
    assert moved[1] < moved[0] / 5


def test_learn_experts_passes_the_options_on():
    X, y = standard_model(6, 2).sample(6000, np.random.default_rng(0))
    fits = [
        learn_experts(X, y, 2, np.random.default_rng(0), **options)
        for options in ({}, dict(n_blocks=8), dict(control=True))
    ]
    transforms, basis = fits[1].reduction.transforms, fits[1].reduction.basis
    scale = fits[1].reduction.scale
    second = Moments(transforms, fourth=False, n_blocks=8).update(X, y / scale).second_moment
    np.testing.assert_allclose(fits[1].second_moment, second)
    assert not np.allclose(fits[0].second_moment, second)
    np.testing.assert_array_equal(fits[0].second_moment, fits[2].second_moment)
    T = Moments(transforms, fits[2].basis, control=True).update(X, y / scale).fourth_moment
    values = np.einsum("abcd,ia,ib,ic,id->i", T, *[fits[2].reduction.frame @ fits[2].basis] * 4)
    np.testing.assert_allclose(np.diag(fits[2].tensor.reshape(4, 4))[[0, 3]], values, rtol=1e-8)
    assert basis.shape == (6, 2)


@pytest.mark.parametrize(
    "options,message",
    [
        (dict(n_blocks=0), "n_blocks must be a positive integer"),
        (dict(n_blocks=2.5), "n_blocks must be a positive integer"),
        (dict(control=True, truncate=3.0), "cannot be combined with truncate"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        Moments(label_transforms("identity", 0.05), **options)


def test_too_few_samples(data):
    X, y, transforms = data
    with pytest.raises(ValueError, match="no sample yet"):
        _ = Moments(transforms, n_blocks=5).update(X[:4], y[:4]).second_moment
    with pytest.raises(ValueError, match="126 Hermite features"):
        _ = Moments(transforms, control=True).update(X[:126], y[:126]).fourth_moment
    other = Moments(transforms, n_blocks=2).update(X, y)
    with pytest.raises(ValueError, match="n_blocks= and control="):
        other.merge(Moments(transforms).update(X, y))
