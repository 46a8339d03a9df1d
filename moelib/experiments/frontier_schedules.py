"""How hot and how long each climb of the experiment ``frontier`` is.

All of it served best on other data. A rate is named for the noise that it holds; beyond the border
fewer steps are enough.
"""

import numpy as np

from moelib.experiments.frontier_plan import ADAM, FALLING, LEAKY

SIZE = 64  # samples of a stochastic gradient

# By link, noise and shares, how Adam climbs from random experts: the noise that its rate holds, and
# steps over k^2; and from how many samples over k^3 on it takes one third or sixth of them
CLIMBS = {
    ("identity", 0.05, "equal"): (0.15, 120),
    ("identity", 0.5, "equal"): (0.15, 120),
    ("identity", 0.05, "skew"): (0.05, 600),
    ("relu", 0.05, "equal"): (0.04, 400),
    ("tanh", 0.05, "equal"): (0.06, 240),
}
ENOUGH: dict[tuple, tuple] = {
    ("identity", 0.05, "equal"): (5.1, 3),
    ("identity", 0.5, "equal"): (16.0, 3),
    ("identity", 0.05, "skew", ADAM, 8): (23.0, 6),
    ("relu", 0.05, "equal", ADAM, 8): (20.0, 3),
    ("relu", 0.05, "equal", LEAKY, 8): (11.0, 3),
}
# a leak at first: its share of the steps, and its slopes there, one after the other
LEAKS: dict[str, tuple] = {LEAKY: (0.3, [0.2]), FALLING: (0.4, [0.175, 0.125, 0.075, 0.025])}
FALL = (0.04, 160)  # the noise and the steps of the second
WARM = {0.05: 0.02, 0.5: 0.1}  # from the two losses, by noise: what the rate holds
WARM_STEPS, LEAST_STEPS = 25, 6000  # over k^2; at least
WARM_ENOUGH = {  # from so many samples over k^3 on a third of them
    ("identity", 0.05, "equal"): 12.0,
    ("identity", 0.05, "skew"): 90.0,
    ("relu", 0.05, "equal"): 40.0,
    ("tanh", 0.05, "equal"): 11.0,
}


def held_rate(temperature, k):
    """The rate at which Adam's batches hold so much noise where d = 2k and shares are equal.

    Up to second order :func:`moelib.likelihood.temperature.held_noise` says this, without any noise
    in the data.
    """
    return float(temperature * np.sqrt(SIZE) / k**1.5)


def _kind(cell):
    return cell["link"], cell["noise"], cell["shares"]


def schedule(cell, method=ADAM):
    """Rate and steps of Adam from random experts."""
    kind, k = _kind(cell), cell["k"]
    temperature, steps = FALL if method == FALLING else CLIMBS[kind]
    enough, fewer = ENOUGH.get(kind if kind in ENOUGH else (*kind, method, k), (np.inf, 1))
    return held_rate(temperature, k), steps * k**2 // (fewer if cell["n"] >= enough * k**3 else 1)


def warm_schedule(cell):
    """Rate and steps of Adam from experts that are nearly right."""
    k, enough = cell["k"], WARM_ENOUGH.get(_kind(cell), np.inf)
    steps = max(LEAST_STEPS, WARM_STEPS * k**2) // (3 if cell["n"] >= enough * k**3 else 1)
    return held_rate(WARM[cell["noise"]], k), steps
