"""The drift of the gates: against autograd, and against fits with moved experts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib import LINKS, learn_gates, random_model
from moelib.gates import gate_drift


@pytest.mark.parametrize("link", ["identity", "tanh", "leaky_relu"])
def test_drift_against_autograd(link):
    """By the implicit function theorem, from mixed second derivatives of the loss."""
    rng = np.random.default_rng(0)
    model = random_model(4, 3, rng, noise=0.4, link=link, orthogonal=False)
    X, y = model.sample(300, rng)
    beta = rng.standard_normal((3, 4))

    inputs, labels, experts, error = map(torch.tensor, (X, y, model.experts.copy(), beta))

    def loss(W, e):
        answers = LINKS[link].torch_value(inputs @ (experts + e * error).T)
        log_normals = -((labels[:, None] - answers) ** 2) / (2 * model.noise**2)
        scores = torch.cat([inputs @ W.T, torch.zeros(len(X), 1)], dim=1)
        return -torch.logsumexp(torch.log_softmax(scores, dim=1) + log_normals, dim=1).mean()

    at = torch.tensor(model.gates.copy()), torch.tensor(0.0, dtype=torch.float64)
    (H, mixed), _ = torch.func.hessian(loss, argnums=(0, 1))(*at)
    exact = -np.linalg.solve(H.numpy().reshape(8, 8), mixed.numpy().ravel())
    np.testing.assert_allclose(gate_drift(model, X, y, beta).ravel(), exact, rtol=1e-7, atol=1e-9)


def test_drift_is_the_slope_of_the_fitted_gates(standard):
    model, X, y = standard(2000, d=5, noise=0.3, link="sigmoid")
    beta = np.random.default_rng(1).standard_normal((3, 5))

    def fitted(e):
        options = dict(noise=0.3, link="sigmoid", tol=1e-15)
        return learn_gates(X, y, model.experts + e * beta, **options).model.gates

    found = gate_drift(replace(model, gates=fitted(0)), X, y, beta)
    slope = (fitted(1e-4) - fitted(-1e-4)) / 2e-4
    assert np.linalg.norm(found - slope) < 1e-4 * np.linalg.norm(slope)


def test_a_direction_of_another_shape_is_refused(standard):
    model, X, y = standard(50, d=5)
    with pytest.raises(ValueError, match="direction must have 3 rows, got 2"):
        gate_drift(model, X, y, np.ones((2, 5)))
    with pytest.raises(ValueError, match="direction must have 5 columns"):
        gate_drift(model, X, y, np.ones((3, 4)))
