"""The figures of the chapter *Heavy tails*."""

from functools import partial

import numpy as np
import pandas as pd

from moelib.pages.layout import panel, panels, set_ticks, shared_legend
from moelib.pages.numbers import with_interval
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import LINESTYLES, PALETTE

USUAL = "kind == 'polynomial' and of == 'fourth'"  # what most of the chapter looks at
LAST = 1.2  # right end of the histogram; its last bin collects all beyond


def draw_longest(longest, errors, length):
    """Draw the error of a mean against the longest of its terms, a dot for each data set.

    Parameters
    ----------
    longest : (s,) array
        Length of the longest term.
    errors : (s,) array
        Error of the mean.
    length : float
        Length of what the mean estimates.

    Returns
    -------
    figure : Figure
        With a line where the two are equal, and one at the length.
    """
    words = {"xlabel": "longest term of the mean", "ylabel": "error of the mean"}
    figure, ax = panel((5.4, 3.8), **words, xscale="log", yscale="log")
    ends = [np.min(longest) * 0.8, np.max(longest) * 1.3]
    ax.plot(longest, errors, "o", color=PALETTE[0], ms=4)
    ax.plot(ends, ends, color="0.4", lw=1, ls="-", label="equal")
    ax.axhline(length, color=PALETTE[1], ls="--", lw=1.5, label="length of $T$")
    ax.legend()
    return figure


def draw_tail(terms, above, below, spread):
    """Draw how often a term exceeds t, against the fourth root of t.

    Parameters
    ----------
    terms : (n,) array
        The terms that were drawn.
    above, below : Series
        Upper and lower bound of the probability over t.
    spread : float
        Standard deviation of the normal law to compare with.

    Returns
    -------
    figure : Figure
        The measured tail, the bounds, and the normal law as a thin line.
    """
    from scipy.stats import norm

    words = {"xlabel": "$t^{1/4}$", "ylabel": "$P(F > t)$", "yscale": "log"}
    figure, ax = panel((5.8, 3.8), **words, xlim=(1.2, 9), ylim=(1e-6, 1))
    root = np.linspace(1.2, 9, 200)
    draw_curves(ax, {"measured": _exceeding(terms, root**4)}, root, marker="")
    bounds = {"upper bound": above, "lower bound": below}
    for i, (name, bound) in enumerate(bounds.items(), 1):
        draw_curves(ax, {name: bound}, bound.index**0.25, first=i, marker="")
    thin = {"color": "0.5", "lw": 1, "ls": "-", "marker": ""}
    draw_curves(ax, {"normal": norm.sf(root**4 / spread)}, root, **thin)
    ax.legend()
    return figure


def draw_jump(off, bound, spread):
    """Draw how often means are off by more than t.

    Parameters
    ----------
    off : DataFrame
        A column for each estimator, the first of them ``"plain"``: how far it is off, data set by
        data set.
    bound : Series
        Lower bound for the plain mean over t.
    spread : float
        Standard deviation of the plain mean.

    Returns
    -------
    figure : Figure
        (a) The plain mean above the truth, (b) all estimators on both sides.
    """
    from scipy.stats import norm

    words = {"xlabel": "off by at least $t$", "ylabel": "probability", "yscale": "log"}
    figure, (left, right) = panels(
        ["plain mean, above", "above and below"], ylim=(5e-5, 1.2), **words, layout={"sharey": True}
    )
    t = np.linspace(0.02, 8, 400)
    draw_curves(left, {"plain mean": _exceeding(off["plain"], t)}, t, marker="")
    black = {"color": PALETTE[5], "ls": LINESTYLES[4], "marker": ""}
    draw_curves(left, {"one jump, bound": bound}, **black)
    draw_curves(left, {"normal": norm.sf(t / spread)}, t, color="0.5", lw=1, ls="-", marker="")
    shares = {name: _exceeding(np.abs(values), t) for name, values in off.items()}
    draw_curves(right, shares, t, marker="")
    right.set_xlim(0, 2)
    for ax in (left, right):
        ax.legend(loc="upper right")
    return figure


def _exceeding(values, t):
    """The share of values that are at least t, for each t."""
    return 1 - np.searchsorted(np.sort(values), t) / len(values)


def draw_quantiles(table, length):
    """Draw the error that is exceeded with probability delta, a panel for each number of samples.

    Parameters
    ----------
    table : DataFrame
        The stored experiment ``tails``, its index the method; the rows of the fourth moment with
        polynomial transforms are drawn.
    length : float
        Length of what is estimated.

    Returns
    -------
    figure : Figure
        A curve for each method, a line at the length.
    """
    rows = table.query(f"{USUAL} and statistic != 'rms'")
    rows = rows.assign(delta=1 - rows["statistic"].astype(float))
    words = {"xlabel": "$\\delta$", "ylabel": "error of the fourth moment"}
    scales = {"xscale": "log", "yscale": "log", "xlim": (0.7, 0.004), "ylim": (0.09, 0.75)}
    titles = [f"$n = {n}$" for n in rows["n"].unique()]
    figure, axes = panels(titles, (7.2, 3.6), **words, **scales, layout={"sharey": True})
    for ax, (_, of_size) in zip(axes, rows.groupby("n")):
        curves = of_size.set_index("delta", append=True)["value"].unstack(0)
        draw_curves(ax, curves[rows.index.unique()])
        ax.axhline(length, color="0.4", lw=1, ls="--")
    set_ticks(axes[0], y=[0.1, 0.2, 0.3, 0.5])
    shared_legend(figure, where="lower", fontsize=9)
    return figure


def show_ratios(table, cells):
    """Make the table of ratios to the plain mean, with their intervals.

    Parameters
    ----------
    table : DataFrame
        The stored experiment ``tails``, its index the method; the rows of the fourth moment with
        polynomial transforms are shown.
    cells : list of (str, int)
        Statistic and number of samples of each column of the table.

    Returns
    -------
    shown : DataFrame
        Of text, a row for each method but the plain mean.
    """
    rows, names = table.query(USUAL).drop("plain"), {"0.99": "99 %", "0.5": "median"}
    columns = {}
    for statistic, n in cells:
        chosen = rows[(rows["n"] == n) & (rows["statistic"] == statistic)]
        ratios = chosen[["ratio", "ratio_low", "ratio_high"]]
        name = names.get(statistic, statistic)
        texts = [_written(row, ".2f") for row in ratios.to_numpy()]
        columns[name, f"n = {n}"] = pd.Series(texts, ratios.index)
    return pd.DataFrame(columns)


def show_worth(angles, worth, interval):
    """Make the table of what each way to estimate the moments is worth.

    Parameters
    ----------
    angles : dict of array
        Name -> worst angles in degrees, data set by data set.
    worth : DataFrame
        Factors in the number of samples: a row for each name; value, low and high.
    interval : function
        Of a statistic and a sample; returns a value and the ends of its interval.

    Returns
    -------
    table : DataFrame
        Of text, a row for each name.
    """
    statistics = {"median angle": np.median, "90 % quantile": partial(np.quantile, q=0.9)}
    rows = {}
    for name, values in angles.items():
        row = {of: _written(interval(f, values), ".1f") for of, f in statistics.items()}
        rows[name] = row | {"factor in n": _written(worth.loc[name], ".2f")}
    return pd.DataFrame(rows).T


def _written(estimate, form):
    value, low, high = estimate
    return with_interval(value, low, high, form)


def draw_flattening(runs):
    """Draw the worst angle against the number of samples, for some designs.

    Parameters
    ----------
    runs : DataFrame
        Worst angles in degrees, a column for each way to estimate; a row for each data set, its
        index the angle between the experts and the number of samples.

    Returns
    -------
    figure : Figure
        A panel for each design: medians and the range of all, set apart sideways.
    """
    designs = runs.index.unique(0)
    titles = ["orthonormal" if angle == 90 else f"at {angle}°" for angle in designs]
    words = {"xlabel": "samples $n$", "ylabel": "worst angle, degrees"}
    shared = {"sharex": True, "sharey": True}
    figure, axes = panels(titles, (7.4, 3.5), **words, xscale="log", yscale="log", layout=shared)
    for ax, angle in zip(axes, designs):
        by_size = runs.loc[angle].groupby(level=0)
        summary = [by_size.median(), by_size.min(), by_size.max()]
        ranges = {name: [table[name] for table in summary] for name in runs}
        draw_intervals(ax, ranges, summary[0].index, apart=0.18)
    axes[0].legend()
    return figure


def explore_levels(errors, bias, spread, truth):
    """Make the figure that takes the error of a truncated mean apart.

    Parameters
    ----------
    errors : dict of DataFrame
        Number of samples -> errors, a row for each data set and a column for each level.
    bias, spread : DataFrame
        Size of the bias and standard deviation, a row for each level and a column for each number
        of samples.
    truth : float
        What is estimated.

    Returns
    -------
    figure : Explore
        With sliders for the number of samples and the level; it starts at the second of each.
    """
    sizes, levels = list(errors), list(bias.index)
    return explore(
        partial(_draw_levels, errors, bias, spread, truth),
        alt=partial(_levels_alt, bias, spread),
        caption="Left: the estimates (the last bin collects all beyond); solid the truth, dashed "
        "their mean. Right: what the error is made of.",
        labels={"n": "samples n", "c": "level c"},
        start={"n": sizes[1], "c": levels[1]},
        dpi=80,
        n=sizes,
        c=levels,
    )


def _draw_levels(errors, bias, spread, truth, n, c):
    words = {
        "xlabel": ["estimate of $T_{1111}$", "level $c$"],
        "ylabel": ["% of data sets", "error"],
    }
    figure, (left, right) = panels(["", ""], (7, 3), **words)
    estimates = errors[n][c] + truth
    share = np.full(len(estimates), 100 / len(estimates))
    bins = np.linspace(0, LAST, 61)
    left.hist(estimates.clip(0, LAST - 0.01), bins, color=PALETTE[4], weights=share)
    left.axvline(truth, color="0.2", lw=1.5)
    left.axvline(estimates.mean(), color=PALETTE[1], ls="--", lw=1.5)
    left.set(xlim=(0, LAST), ylim=(0, 60))
    parts = {"bias": bias[n], "spread": spread[n], "root mean square": np.hypot(bias, spread)[n]}
    right.set(xscale="log", yscale="log", ylim=(0.001, 1.2))
    draw_curves(right, parts)
    here = [part[c] for part in parts.values()]
    right.plot([c] * 3, here, "o", ms=11, mfc="none", mec="0.2")
    right.legend(loc="lower left", fontsize=8)
    return figure


def _levels_alt(bias, spread, n, c):
    b, s = bias.loc[c, n], spread.loc[c, n]
    return (
        f"n = {n}, level {c}: bias {b:.3f}, spread {s:.3f}, root mean square {np.hypot(b, s):.3f}."
    )
