"""Draw the five data sets of this folder: gated regimes of unequal noise.

Run ``python simulate.py`` here; ``Rscript reference.R`` then fits them.
"""

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent


def draw_labels(X, experts, gates, noises, rng):
    """Labels of inputs X (n, d).

    Experts and gates are (k, 1 + d), with the intercepts in front.
    """
    Z = np.column_stack([np.ones(len(X)), X])
    scores = Z @ np.transpose(gates)
    scores += rng.gumbel(size=scores.shape)  # the largest: a softmax draw
    regime = scores.argmax(axis=1)
    means = (Z * np.take(experts, regime, axis=0)).sum(axis=1)
    return means + np.take(noises, regime) * rng.standard_normal(len(X))


def crossing(rng):
    """Two lines that cross where most of the inputs are."""
    X = rng.standard_normal((300, 1))
    experts = [[1.0, 2.0], [2.5, -1.5]]
    gates = [[0.3, 0.8], [0.0, 0.0]]
    y = draw_labels(X, experts, gates, [0.4, 1.2], rng)
    return pd.DataFrame({"x": X[:, 0], "y": y})


def fan(rng):
    """Two lines from one point; a sample counts once, twice or three times."""
    X = rng.uniform(0, 10, (250, 1))
    experts = [[1.0, 0.4], [1.0, 1.3]]
    gates = [[1.5, -0.3], [0.0, 0.0]]
    y = draw_labels(X, experts, gates, [0.5, 1.5], rng)
    weight = rng.integers(1, 4, len(X))
    return pd.DataFrame({"x": X[:, 0], "weight": weight, "y": y})


def three(rng):
    """Three planes."""
    X = rng.standard_normal((600, 2))
    experts = [[-3.0, 1.0, 0.5], [0.0, -1.5, 1.0], [4.0, 0.5, -2.0]]
    gates = [[0.4, 1.5, 0.0], [0.0, -0.5, 1.2], [0.0, 0.0, 0.0]]
    y = draw_labels(X, experts, gates, [0.3, 0.8, 1.6], rng)
    return pd.DataFrame({"x1": X[:, 0], "x2": X[:, 1], "y": y})


def years(rng):
    """Calendar years: the intercepts are far from all data."""
    year = rng.integers(1990, 2025, 500)
    price = rng.uniform(5, 15, 500)
    X = np.column_stack([year - 2007.0, price])
    experts = [[120.0, 1.5, -4.0], [60.0, -0.5, -1.0]]
    gates = [[1.0, 0.1, -0.1], [0.0, 0.0, 0.0]]
    y = draw_labels(X, experts, gates, [9.0, 3.0], rng)
    return pd.DataFrame({"year": year, "price": price, "y": y})


def units(rng):
    """Noise 12 and 3, and inputs in units that differ by 100,000."""
    X = rng.standard_normal((800, 3))
    experts = [[20.0, 8.0, -3.0, 0.0], [-10.0, 2.0, 6.0, 1.0]]
    gates = [[-0.5, 1.0, 0.0, -0.7], [0.0, 0.0, 0.0, 0.0]]
    y = draw_labels(X, experts, gates, [12.0, 3.0], rng)
    columns = ["small", "plain", "large"]
    table = pd.DataFrame(X * [0.01, 1.0, 1000.0], columns=columns)
    return table.assign(y=y)


if __name__ == "__main__":
    for seed, draw in enumerate([crossing, fan, three, years, units]):
        table = draw(np.random.default_rng(seed))
        text = table.to_csv(index=False, float_format="%.7g")
        header = f"# {draw.__doc__} Simulated by simulate.py.\n"
        (FOLDER / f"{draw.__name__}.csv").write_text(header + text)
