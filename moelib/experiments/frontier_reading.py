"""Reading the frontier: shares and seconds with intervals, borders, and what theory says of them.

For people who read the stored table: no experiment imports this.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression

from moelib.experiments.frontier_plan import (
    ADAM,
    BOTH,
    COLD,
    COOLED,
    FALLING,
    L4,
    LEAKY,
    MERGED,
    RAW,
)
from moelib.experts.asymptotics import error_constants
from moelib.experts.transforms import label_transforms

KINDS = {
    ADAM: "Adam",
    COLD: "Adam",
    LEAKY: "Adam",
    FALLING: "Adam",
    COOLED: "EM",
    MERGED: "EM",
    RAW: "two losses",
    L4: "two losses",
    BOTH: "two losses, then Adam",
}
SUCCESS = 0.05  # of the regressor error
ONE_RUN, SAFE = (RAW, L4, BOTH), 0.9  # no new start on the same data: they count if so many succeed
COMPARED = 5  # data sets, at least
SETTINGS = ["link", "noise", "shares", "k", "n", "method"]


def rates(fits, seconds, bound=SUCCESS):
    """Success of each method in each cell, and its seconds to a solution.

    Parameters
    ----------
    fits : DataFrame
        The stored table ``frontier``.
    seconds : DataFrame
        The stored table ``frontier-seconds``.
    bound : float
        A fit is a success below this regressor error.

    Returns
    -------
    DataFrame
        By settings and method: ``success``, its Wilson interval ``low`` to ``high``,
        ``data_sets``, the mean ``seconds`` of a run, and the seconds to a solution, ``wait``, with
        their ends ``wait_low`` and ``wait_high``; infinite where nothing succeeded.
    """
    right = (fits["e_reg"] < bound).groupby([fits[key] for key in SETTINGS])
    table = pd.DataFrame({"success": right.mean(), "data_sets": right.size()})
    ends = [
        tuple(binomtest(hits, trials).proportion_ci(method="wilson"))
        for hits, trials in zip(right.sum().astype(int), table["data_sets"], strict=True)
    ]
    table[["low", "high"]] = np.clip(ends, 0, 1)
    table["seconds"] = seconds.set_index(SETTINGS)["seconds"]
    with np.errstate(divide="ignore"):
        for name, share in (("wait", "success"), ("wait_low", "high"), ("wait_high", "low")):
            table[name] = table["seconds"] / table[share].where(table[share] > 1e-12, 0.0)
    return table.sort_index()


def borders(table):
    """From how many samples on a method succeeds on half of the data sets.

    The success is made monotone in n (weights are numbers of data sets) and read off at one half,
    linearly in log n.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`rates`.

    Returns
    -------
    DataFrame
        By settings but n, and method: the ``border``, missing where the cells do not enclose it;
        ``low``, the largest n whose interval lies below one half, or 0; ``high``, the smallest n
        whose interval lies above, or infinity; ``first`` and ``last``, the sizes there are; and
        ``ends_high``, whether a border that is missing lies below all of them.

    Examples
    --------
    >>> cells = pd.MultiIndex.from_product([["a"], [4, 16]], names=["method", "n"])
    >>> rows = pd.DataFrame({"success": [0.0, 1.0], "data_sets": 10}, index=cells)
    >>> rows["low"], rows["high"] = [0.0, 0.72], [0.28, 1.0]
    >>> borders(rows)["border"].tolist()
    [8.0]
    """
    names = [name for name in table.index.names if name != "n"]
    return table.groupby(level=names).apply(_border)


def _border(rows):
    n = rows.index.get_level_values("n").to_numpy(float)
    order = np.argsort(n)
    rows, n = rows.iloc[order], n[order]
    below, above = n[rows["high"] < 0.5], n[rows["low"] > 0.5]
    found = {"border": np.nan, "low": below.max(initial=0.0)}
    found |= {"high": above.min(initial=np.inf), "first": n[0], "last": n[-1]}
    smooth = IsotonicRegression().fit_transform(
        np.log(n), rows["success"], sample_weight=rows["data_sets"]
    )
    found["ends_high"] = bool(smooth[0] > 0.5)
    if smooth[0] <= 0.5 <= smooth[-1] and smooth[0] < smooth[-1]:
        steps = np.flatnonzero(np.diff(smooth, prepend=-1) > 0)  # flat stretches: their first place
        last = np.append(steps[1:] - 1, len(n) - 1)  # and their last
        at = int(np.flatnonzero(smooth[steps] >= 0.5)[0])
        if at == 0:
            return pd.Series(found | {"border": float(n[0])})
        a, b = last[at - 1], steps[at]
        part = (0.5 - smooth[a]) / (smooth[b] - smooth[a])
        found["border"] = round(float(n[a] * (n[b] / n[a]) ** part), 6)
    return pd.Series(found)


def raw_border(model, *, draws=2000):
    """To first order, from how many samples on the two losses alone find all experts.

    The errors of an expert along the other directions are taken as independent normal numbers of
    the first order's variance; the border is where the worst expert's angle has its median at the
    angle of a success.

    Parameters
    ----------
    model : GatedModel
        The truth.
    draws : int
        How many times the errors are drawn.

    Returns
    -------
    float
    """
    (k, d), rng = model.experts.shape, np.random.default_rng(0)
    transforms = label_transforms(model.link, model.noise, kind="in-span", dimension=k)
    inside, outside = error_constants(model, transforms, solver="orthonormal")
    squares = inside * rng.chisquare(k - 1, (draws, k)) / (k - 1)
    squares += outside * rng.chisquare(d - k, (draws, k)) / (d - k)
    return float(np.median(squares.max(axis=1)) / (1 / (1 - SUCCESS) ** 2 - 1))


def winners(table):
    """Which kind of method has the fewest seconds to a solution in each cell.

    A kind may leave samples away: its seconds at n are the least that it has at n or fewer.
    Schedules of one kind are rivals of no one. The best is picked after the fact, for every kind.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`rates`.

    Returns
    -------
    DataFrame
        By settings: the ``winner``, its ``wait`` with ends, and ``used``, the samples that it takes
        for it; the ``rival`` of another kind that comes next with its ``rival_wait``; whether Adam
        from random experts and the two losses with Adam were both run there or on fewer samples, on
        five data sets at least, ``compared``; and whether the winner is ``clear``: they were, and
        no interval of a method of another kind, with success or without, meets its own. A cell in
        which nothing succeeds has no winner. What begins with the two losses cannot start again on
        the same samples: it counts only where nine runs of ten succeed, and is out of the question
        where the interval says that they do not.
    """
    rows = table.reset_index()
    rows = rows.assign(kind=rows["method"].map(KINDS)).dropna(subset="kind")
    names, found = [name for name in SETTINGS if name not in ("n", "method")], {}
    for design, part in rows.groupby(names):
        for n in sorted(set(part["n"])):
            won = _winner(part[part["n"] <= n])
            if won:
                found[*design, n] = won
    cells = pd.MultiIndex.from_tuples(found, names=[*names, "n"])
    return pd.DataFrame(list(found.values()), index=cells)


def _winner(rows):
    """The winner among some rows of one design, or None."""
    once = rows["method"].isin(ONE_RUN)
    able = np.isfinite(rows["wait"]) & (~once | (rows["success"] >= SAFE))
    if not able.any():
        return None
    best = rows[able].sort_values(["wait", "n"]).drop_duplicates("kind")
    first, others = best.iloc[0], best.iloc[1:]
    enough = rows[rows["data_sets"] >= COMPARED]["method"]
    compared = enough.isin([ADAM, LEAKY, FALLING]).any() and enough.eq(BOTH).any()
    may = rows[(rows["kind"] != first["kind"]) & (~once | (rows["high"] >= SAFE))]
    return {
        "winner": first["kind"],
        **first[["wait", "wait_low", "wait_high"]],
        "used": first["n"],
        "rival": others["kind"].iloc[0] if len(others) else "",
        "rival_wait": others["wait"].iloc[0] if len(others) else np.inf,
        "compared": bool(compared),
        "clear": bool(compared and (may["wait_low"] > first["wait_high"]).all()),
    }
