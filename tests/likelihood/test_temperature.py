"""The noise that a learning rate holds: the quadratic, and climbs that hold it."""

import numpy as np
import pytest

from moelib import standard_model
from moelib.experiments.gradient_climb import gradient_climb
from moelib.likelihood import held_noise
from moelib.validation import as_sample


def test_it_solves_its_quadratic_and_ends_at_the_noise_of_the_data():
    shares, rates = np.array([0.5, 0.3, 0.2]), np.array([0.001, 0.02, 0.1])
    held = held_noise(rates, 32, shares, 7, noise=0.2)
    added = rates * 7 / (2 * np.sqrt(32)) * np.sqrt(shares).sum()
    np.testing.assert_allclose(held**2, 0.2**2 + added * held, rtol=1e-12)
    assert held_noise(0.0, 32, shares, 7, noise=0.2) == pytest.approx(0.2)
    np.testing.assert_allclose(held_noise(0.02, 32, shares, 7), added[1])


@pytest.mark.parametrize(
    ("batch_size", "noise", "named"), [(0, 0.1, "batch_size"), (8, -1, "noise")]
)
def test_it_refuses_what_cannot_be(batch_size, noise, named):
    with pytest.raises(ValueError, match=f"{named} must be"):
        held_noise(0.02, batch_size, [1.0], 3, noise=noise)


@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.55, 0.25, 0.12, 0.08)])
def test_a_climb_at_a_constant_rate_holds_it(shares):
    """Of one data set; over eight seeds each, seen over foretold lay between 0.98 and 1.02."""
    model = standard_model(d=20, n_experts=4, noise=0.05)
    model = model.__class__(
        model.experts,
        np.zeros((3, 20)),
        0.05,
        gate_intercepts=np.log(np.array(shares[:-1]) / shares[-1]),
    )
    sample = as_sample(*model.sample(6000, np.random.default_rng(0)))
    rng = np.random.default_rng(1)
    _, noises = gradient_climb(sample, model, rng, rate=0.015, steps=2000, cosine=False)
    foretold = held_noise(0.015, 64, shares, 20, noise=0.05)
    assert foretold > 0.065
    assert noises[800:].mean() == pytest.approx(foretold, rel=0.05)
