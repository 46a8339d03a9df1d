"""Hermite polynomials and contracted scores, against NumPy's and explicit tensors."""

import numpy as np
import pytest
from numpy.polynomial import hermite_e

from moelib.hermite import hermite, score2, score3, score4, score_norm, score_tensor


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
