"""Sample weights of the learners of experts: a weight of two is a sample that comes twice."""

import numpy as np
import pytest

from moelib import learn_experts, learn_experts_spectral


@pytest.mark.parametrize("learn", [learn_experts, learn_experts_spectral])
def test_weighted_moments_are_those_of_repeated_samples(standard, learn):
    _, X, y = standard(8000, d=5, n_experts=2, noise=0.3, link="tanh")
    counts = np.random.default_rng(1).integers(0, 3, len(y))
    rng = [np.random.default_rng(0) for _ in range(2)]
    weighted = learn(X, y, 2, rng[0], link="tanh", sample_weight=counts)
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    again = learn(X, y, 2, rng[1], link="tanh")
    np.testing.assert_allclose(weighted.tensor, again.tensor, atol=1e-9)
    np.testing.assert_allclose(weighted.experts, again.experts, atol=1e-6)
