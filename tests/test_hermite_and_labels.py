"""Score tensors and label transforms, against explicit tensors, quadrature and Monte Carlo."""

import numpy as np
import pytest
from numpy.polynomial import hermite_e

from moelib import LINKS, GatedModel, label_transforms
from moelib.experts.transforms import noise_from_labels
from moelib.hermite import hermite, score2, score3, score4, score_norm, score_tensor
from moelib.quadrature import label_moment, mean_slope


def test_hermite_against_numpy():
    t = np.linspace(-3, 3, 13)
    for m in range(7):
        np.testing.assert_allclose(hermite(m, t), hermite_e.hermeval(t, np.eye(7)[m]), atol=1e-10)


def test_score_contractions_against_the_tensor():
    rng = np.random.default_rng(0)
    x, u, v = rng.standard_normal((6, 3)), rng.standard_normal(3), rng.standard_normal(3)
    S2, S3, S4 = (score_tensor(x, m) for m in (2, 3, 4))
    np.testing.assert_allclose(S2, np.einsum("na,nb->nab", x, x) - np.eye(3), atol=1e-12)
    np.testing.assert_allclose(score2(x, u), np.einsum("nab,a,b->n", S2, u, u), rtol=1e-10)
    direct = np.einsum("nabc,a,b,c->n", S3, u, u, v)
    np.testing.assert_allclose(score3(x, u, v), direct, rtol=1e-10, atol=1e-10)
    direct = np.einsum("nabcd,a,b,c,d->n", S4, u, u, v, v)
    np.testing.assert_allclose(score4(x, u, v), direct, rtol=1e-10, atol=1e-10)
    length = np.linalg.norm(u)
    np.testing.assert_allclose(score3(x, u, u), length**3 * hermite(3, x @ u / length), rtol=1e-9)
    np.testing.assert_allclose(score4(x, u, u), length**4 * hermite(4, x @ u / length), rtol=1e-9)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_score_norm_against_the_tensor(order, d):
    x = np.random.default_rng(d).standard_normal((20, d)) * np.linspace(0, 3, 20)[:, None]
    direct = np.linalg.norm(score_tensor(x, order).reshape(len(x), -1), axis=1)
    np.testing.assert_allclose(score_norm(x, order), direct, rtol=1e-10, atol=1e-7)


def test_score_norm_refuses_other_orders():
    with pytest.raises(ValueError, match="order must be 2 or 4, got 3"):
        score_norm(np.zeros((1, 2)), 3)


# E[T_m(Y) He_j(Z)] by a two-dimensional Gauss-Hermite rule: an integral the library never forms
NODES, WEIGHTS = hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def correlations(transform, link, noise):
    half = np.polynomial.legendre.leggauss(400)
    z = 10 * np.concatenate([(half[0] - 1) / 2, (half[0] + 1) / 2])
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    z_weight = 10 * np.tile(half[1] / 2, 2) * density
    y = LINKS[link].value(z)[:, None] + noise * NODES
    conditional = transform(y) @ WEIGHTS
    return np.array([np.sum(z_weight * conditional * hermite(j, z)) for j in range(5)])


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("link", LINKS)
def test_transforms_meet_their_conditions(link, noise):
    transforms = label_transforms(link, noise)
    second, fourth = (correlations(q, link, noise) for q in (transforms.q2, transforms.q4))
    np.testing.assert_allclose(second[:2], 0, atol=1e-9)
    np.testing.assert_allclose(second[2], transforms.c2, rtol=1e-7)
    np.testing.assert_allclose(fourth[:4], 0, atol=1e-9)
    np.testing.assert_allclose(fourth[4], transforms.c4, rtol=1e-6)


def test_linear_link_has_the_closed_form():
    noise = 0.7
    s = np.sqrt(1 + noise**2)
    transforms = label_transforms("identity", noise)
    y = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(transforms.q4(y), s**4 * hermite(4, y / s), atol=1e-10)
    np.testing.assert_allclose(transforms.q2(y), y**2 - s**2, atol=1e-10)
    np.testing.assert_allclose([transforms.c2, transforms.c4], [2, 24], rtol=1e-10)


@pytest.mark.parametrize(
    "link, c4",
    [("relu", 0.50), ("leaky_relu", 2.57), ("tanh", 0.157), ("sigmoid", 0.0094)],
)
def test_constants_at_small_noise(link, c4):
    assert label_transforms(link, 0.05).c4 == pytest.approx(c4, rel=0.01)


def test_a_readers_own_link():
    softplus = label_transforms(lambda t: np.logaddexp(0, t), 0.1)
    assert softplus.c4 > 0.1
    square = label_transforms(np.square, 0.05)
    assert square.c4 > 100


@pytest.mark.parametrize("link", [np.sign, np.zeros_like])
def test_links_without_a_transform_are_refused(link):
    with pytest.raises(ValueError, match="is not valid at noise 0: .*c_|no finite non-zero second"):
        label_transforms(link, 0.0)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="noise must be a positive"):
        label_transforms("relu", -0.1)
    with pytest.raises(ValueError, match="kind must be one of 'polynomial'"):
        label_transforms("relu", 0.1, kind="magic")


@pytest.mark.parametrize("link", LINKS)
def test_noise_is_read_off_the_labels(link):
    rng = np.random.default_rng(0)
    n, noise = 400_000, 0.8
    y = LINKS[link].value(rng.standard_normal(n)) + noise * rng.standard_normal(n)
    tolerance = 4 * np.std(y**2) / np.sqrt(n)
    assert abs(noise_from_labels(y, link) ** 2 - noise**2) < tolerance
    assert abs(np.mean(y**2) - label_moment(2, link, noise)) < tolerance
    assert noise_from_labels(np.zeros(3), link) == 1e-3


def test_mean_slope():
    assert mean_slope("identity") == pytest.approx(1)
    assert mean_slope("leaky_relu") == pytest.approx(0.6)
    assert mean_slope(np.square) == 0


@pytest.mark.slow
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("link", LINKS)
def test_key_lemma_within_four_standard_errors(link, order):
    """E[Q_m S_m] = c_m sum_i pi_i a_i^(x m), contracted with random directions."""
    experts = np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]])
    model = GatedModel(experts, [[0, 0, 1.5, -1.0]], 0.2, link)
    rng = np.random.default_rng(7)
    X, y = model.sample(1_000_000, rng)
    transforms = label_transforms(link, model.noise)
    pi = model.gate_probabilities(X).mean(axis=0)
    for _ in range(5):
        u, v = rng.standard_normal((2, 4)) / 2
        if order == 2:
            terms = transforms.q2(y) * score2(X, u)
            expected = transforms.c2 * pi @ (experts @ u) ** 2
        else:
            terms = transforms.q4(y) * score4(X, u, v)
            expected = transforms.c4 * pi @ ((experts @ u) ** 2 * (experts @ v) ** 2)
        # pi is itself a mean over the sample; its error is far below that of the terms
        assert abs(terms.mean() - expected) < 4 * terms.std() / np.sqrt(len(y))
        assert terms.std() / np.sqrt(len(y)) < 0.25 * abs(transforms.c4 if order == 4 else 1)
