"""Parameters read off an exact density are those of the model that has the density."""

import numpy as np
import pytest

from moelib import GatedModel, random_model
from moelib.bounds import recover_from_density
from moelib.metrics import match_experts, reorder_gates


@pytest.mark.parametrize("n_experts", [2, 3])
@pytest.mark.parametrize("orthogonal", [True, False])
def test_all_parameters_are_recovered(n_experts, orthogonal):
    rng = np.random.default_rng(n_experts)
    truth = random_model(4, n_experts, rng, noise=0.1, gate_norm=2.0, orthogonal=orthogonal)
    found = recover_from_density(truth.log_density, rng.standard_normal(4), n_experts)
    order, signs = match_experts(found.experts, truth.experts)
    assert np.all(signs == 1)
    np.testing.assert_allclose(found.experts[order], truth.experts, atol=1e-4)
    np.testing.assert_allclose(reorder_gates(found.gates, order), truth.gates, atol=1e-4)
    assert found.noise == pytest.approx(truth.noise, abs=1e-4)


def test_experts_come_in_the_order_of_their_answers():
    truth = GatedModel([[1.0, 0.0], [-1.0, 0.5]], [[0.0, 2.0]], 0.1)
    x = np.array([1.0, 0.3])
    found = recover_from_density(truth.log_density, x, 2)
    assert np.all(np.diff(found.experts @ x) > 0)


def test_only_the_density_is_read():
    """A model whose experts are swapped has the same density, and is read the same way."""
    one = GatedModel([[1.0, 0.0], [-1.0, 0.5]], [[0.0, 2.0]], 0.1)
    other = GatedModel(one.experts[::-1], -one.gates, 0.1)
    found = [recover_from_density(m.log_density, [1.0, 0.3], 2) for m in (one, other)]
    np.testing.assert_allclose(found[0].experts, found[1].experts, atol=1e-8)
    np.testing.assert_allclose(found[0].gates, found[1].gates, atol=1e-8)


def test_inputs_are_a_vector():
    with pytest.raises(ValueError, match="x must be a 1-d array"):
        recover_from_density(lambda X, y: y, np.eye(2), 2)
