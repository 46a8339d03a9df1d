"""What tests of the experts' wing share: tensors, and integrals by a rule of their own."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.polynomial import hermite_e, legendre

from moelib.experts import orthogonal_tensor
from moelib.hermite import hermite
from moelib.links import as_link


@pytest.fixture(scope="session")
def population_tensor():
    """A function that draws a whitened moment: ``T, U, weights = population_tensor(k, rng)``."""

    def draw(k, rng):
        U = np.linalg.qr(rng.standard_normal((k, k)))[0]
        weights = 1 / rng.dirichlet(np.full(k, 3.0))
        return orthogonal_tensor(weights, U), U, weights

    return draw


@dataclass(frozen=True)
class Rule:
    """Integrals over Z, on each side of the kink at 0, and over the noise.

    Both rules are others than the library's.
    """

    z: np.ndarray
    z_weights: np.ndarray
    t: np.ndarray
    t_weights: np.ndarray

    @property
    def mass(self):
        """Weights of the pairs of Z and noise, (z, t)."""
        return np.outer(self.z_weights, self.t_weights)

    def labels(self, link, noise):
        """Labels g(Z) + noise N at the pairs, (z, t)."""
        return as_link(link).value(self.z)[:, None] + noise * self.t

    def integrals(self, transform, link, noise, order):
        """E[T(Y) He_j(Z)] for j up to the order, and E[T(Y)^2]."""
        y = self.labels(link, noise)
        values = transform(y.ravel()).reshape(y.shape)
        given = values @ self.t_weights
        correlations = [self.z_weights @ (given * hermite(j, self.z)) for j in range(order + 1)]
        return np.array(correlations), self.z_weights @ (values**2 @ self.t_weights)


@pytest.fixture(scope="session")
def rule():
    """The integrals of :class:`Rule`."""
    t, t_weights = hermite_e.hermegauss(90)
    half, weights = legendre.leggauss(500)
    z = 4.75 * np.concatenate([half - 1, half + 1])
    z_weights = 4.75 * np.tile(weights, 2) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return Rule(z, z_weights, t, t_weights / t_weights.sum())
