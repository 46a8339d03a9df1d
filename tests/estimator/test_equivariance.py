"""Units and offsets say nothing about data: a fit in any of them is the same fit."""

import warnings

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, MixtureOfExperts

CLOSE = dict(rtol=1e-6, atol=1e-9)
N = 300


def draw(seed):
    """A random model with intercepts and unequal noises, and data from it, some with weights."""
    rng = np.random.default_rng(seed)
    k, d = 1 + seed % 3, 1 + seed % 4
    model = GatedModel(
        rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        rng.uniform(0.2, 0.8, k),
        expert_intercepts=2 * rng.standard_normal(k),
        gate_intercepts=rng.standard_normal(k - 1),
    )
    X, y = model.sample(N, rng)
    weights = rng.integers(3, size=N).astype(float) if seed % 2 else None
    noise = ["per-expert", "shared"][seed // 2 % 2]
    settings = dict(n_experts=k, noise=noise, n_init=3, random_state=seed)
    return X, y, weights, settings, rng


def units(rng, size=None):
    """Factors from 1e-8 to 1e8, and offsets of up to a million standard deviations."""
    factor = 10 ** rng.uniform(-8, 8, size)
    return factor, factor * 10 ** rng.uniform(-1, 6, size) * rng.choice([-1, 1], size)


@pytest.mark.filterwarnings("ignore:one noise for all experts")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("gate_ridge", [0.0, 0.02])
def test_likelihood_slopes_errors_and_z_in_any_units(seed, gate_ridge):
    X, y, weights, settings, rng = draw(seed)
    settings["gate_ridge"] = gate_ridge
    plain = MixtureOfExperts(**settings).fit(X, y, weights)
    (a, b), (c, e) = units(rng, X.shape[1]), units(rng)
    moved = MixtureOfExperts(**settings).fit(a * X + b, c * y + e, weights)
    expected = plain.log_likelihood_ - plain.n_samples_ * np.log(c)
    assert moved.log_likelihood_ == pytest.approx(expected, abs=1e-6)
    assert moved.sound_ == plain.sound_ and len(moved.remarks_) == len(plain.remarks_)
    for name, unit in (("experts", c / a), ("gates", 1 / a), ("noises", c)):
        np.testing.assert_allclose(
            getattr(moved, f"{name}_") / unit, getattr(plain, f"{name}_"), **CLOSE
        )
    for kind in ("standard_errors_", "robust_standard_errors_"):
        here, there = getattr(plain, kind), getattr(moved, kind)
        np.testing.assert_allclose(there.experts * a / c, here.experts, **CLOSE)
        np.testing.assert_allclose(there.gates * a, here.gates, **CLOSE)
        np.testing.assert_allclose(np.divide(there.noise, c), here.noise, **CLOSE)
    slopes = plain.summary().table.index.get_level_values("term").str.startswith("x")
    z, z_there = (fit.summary().table["z"][slopes] for fit in (plain, moved))
    np.testing.assert_allclose(z_there, z, **CLOSE)
    np.testing.assert_allclose((moved.predict(a * X + b) - e) / c, plain.predict(X), atol=1e-6)
    np.testing.assert_allclose(
        moved.posterior(a * X + b, c * y + e), plain.posterior(X, y), **CLOSE
    )


def shop(seed):
    """Prices, a promotion, seasons, and sales with two regimes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "price": rng.uniform(1, 3, 400),
            "promo": rng.random(400) < 0.4,
            "season": rng.choice(["fall", "spring", "summer"], 400),
        }
    )
    first = rng.random(400) < 1 / (1 + np.exp(3 * (frame["price"] - 2)))
    high = 5 + 2 * frame["promo"] - frame["price"] + (frame["season"] == "summer")
    low = 1 + 0.5 * frame["price"] * frame["promo"]
    return frame, np.where(first, high, low) + 0.3 * rng.standard_normal(400)


@pytest.mark.parametrize(
    ("formula", "price", "invariant"),
    [
        (None, (1e-6, 3.0), ["price", "promo", "season=spring", "season=summer"]),
        ("price * promo + season | price", (1e3, 500.0), ["price:promo", "season[T.summer]"]),
        ("promo + price | C(season)", (1e-6, 3.0), ["price", "promo", "C(season)[T.spring]"]),
    ],
)
def test_tables_and_formulas_in_any_units(formula, price, invariant):
    """A price in another currency, counted from another price, and sales in millions.

    Where a product is a term, z of the terms in it depends on where the price is counted from.
    """
    settings = dict(formula=formula, n_init=3, random_state=0)
    for seed in range(3):
        frame, y = shop(seed)
        moved = frame.assign(price=price[0] * frame["price"] + price[1])
        one = MixtureOfExperts(2, **settings).fit(frame, y)
        other = MixtureOfExperts(2, **settings).fit(moved, 1e6 * y - 1e7)
        expected = one.log_likelihood_ - 400 * np.log(1e6)
        assert other.log_likelihood_ == pytest.approx(expected, abs=1e-6)
        np.testing.assert_allclose((other.predict(moved) + 1e7) / 1e6, one.predict(frame), **CLOSE)
        gates, gates_there = one.gate_probabilities(frame), other.gate_probabilities(moved)
        np.testing.assert_allclose(gates_there, gates, **CLOSE)
        z, z_there = (fit.summary().table["z"].drop("noise").unstack() for fit in (one, other))
        assert np.isfinite(z[invariant]).to_numpy().sum() >= 4
        np.testing.assert_allclose(z_there[invariant], z[invariant], **CLOSE)


def test_columns_so_far_from_zero_that_digits_are_lost_are_named():
    X, y, _, settings, _ = draw(1)
    far = X.copy()
    far[:, 1] += 1e9
    with pytest.warns(UserWarning, match="column 'x2' lies 1e.09 standard deviations from zero"):
        MixtureOfExperts(**settings).fit(far, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixtureOfExperts(**settings).fit(X + 1e6, y)
