"""Control variates against the same regression done by hand."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from moelib import GatedModel, Moments, label_transforms, standard_model
from moelib.experts.control_variates import (
    entry_variances,
    hermite_exponents,
    hermite_features,
    regression_moment,
)
from moelib.hermite import hermite, score_tensor
from moelib.quadrature import gaussian_rule, mean_over_noise


@pytest.fixture(scope="module")
def data(standard):
    _, X, y = standard(3001, d=5, n_experts=2, noise=0.3)
    return X, y, label_transforms("identity", 0.3)


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


def variances_by_coordinate(T, m, shares, noise):
    """The same two variances from integrals over one coordinate: products of means that vanish."""
    z, weight = gaussian_rule()
    f, square = (mean_over_noise(T, z, noise, power=p) for p in (1, 2))
    size, he = float(factorial(m)), hermite(m, z)
    projections = [
        weight @ (f * hermite(j, z)) / factorial(j) * hermite(j, z) for j in range(1, m + 1)
    ]
    p, c = np.sum(projections, axis=0), weight @ (f * he)

    def seen(values, i):  # mean of values(z_i) He_m(z_1)^2
        return (weight @ (values * he**2) if i == 0 else size * (weight @ values)) / c**2

    plain = sum(share * seen(square, i) for i, share in enumerate(shares)) - shares[0] ** 2
    control = 0.0
    for i, share in enumerate(shares):  # who answers
        control += share * seen(square - 2 * share * f * p + share**2 * p**2, i)
        control += (1 - share) * share**2 * seen(p**2, i)
    return plain, control


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("shares", [[1 / 3] * 3, [0.6, 0.3, 0.1], [0.2, 0.8]])
def test_entry_variances_are_those_of_single_coordinates(noise, shares):
    """Also for functions with lower degrees and higher ones, which a label transform lacks."""
    size = np.sqrt(1 + noise**2)  # of a label: so the functions have mean zero
    functions = {
        2: lambda y: hermite(2, y / size) + 0.5 * y,
        3: lambda y: np.sin(y) - 0.4 * y,
        4: lambda y: hermite(4, y / size) + 2 * hermite(2, y / size) + y,
    }
    for m, T in functions.items():
        found = entry_variances(T, m, shares=np.array(shares), noise=noise)
        expected = variances_by_coordinate(T, m, np.array(shares), noise)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_entry_variances_are_what_moments_scatter_by():
    model = standard_model(d=5, n_experts=3, noise=0.3)
    transforms = label_transforms("identity", 0.3)
    shares, n, runs = model.shares(400_000), 4000, 400
    entries = []
    for seed in range(runs):
        X, y = model.sample(n, np.random.default_rng(seed))
        both = (
            Moments(transforms, model.experts.T, control=c, fourth=False) for c in (False, True)
        )
        entries.append([m.update(X, y).second_moment[0, 0] for m in both])
    expected = entry_variances(transforms.q2, 2, shares=shares, noise=0.3)
    ratio = n * np.var(entries, axis=0, ddof=1) / expected
    np.testing.assert_allclose(ratio, 1, atol=4 * np.sqrt(2 / runs))
