"""The figures of the chapter *Noise that helps*."""

import numpy as np

from moelib.pages.intervals import share_interval
from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.plots import draw_grid, draw_intervals
from moelib.pages.style import MARKERS, PALETTE


def draw_ingredients(rows, columns, counts, totals):
    """Draw how many data sets each combination of ingredients got right.

    Parameters
    ----------
    rows, columns : list of str
        What gives the gradient; what the noise may do.
    counts, totals : (r, c) array
        Data sets that are right, and all; NaN where a combination does not exist.

    Returns
    -------
    figure : Figure
        Light tiles are right more often.
    """
    size = 7.2, 0.7 * len(rows) + 1.2
    figure, ax = panel(size, xlabel="what the noise may do", ylabel="where the step comes from")
    counts, totals = np.asarray(counts, dtype=float), np.asarray(totals, dtype=float)
    texts = [
        ["" if np.isnan(c) else f"{c:.0f} of {t:.0f}" for c, t in zip(*pair)]
        for pair in zip(counts, totals)
    ]
    draw_grid(ax, counts / totals, texts=texts, names=(rows, columns), vmin=0, vmax=1)
    ax.grid(False)
    return figure


def draw_ways_out(levels, held, rates, ways, total):
    """Draw which share of wrong ends was left, by the noise that was held and by the rate.

    Parameters
    ----------
    levels : (l,) array
        Noises that EM was held at.
    held : (l,) array
        Ends that it left from there.
    rates : (r,) array
        Rates of the batches.
    ways : dict of (r,) array
        What the legend says -> ends that were left.
    total : int
        Wrong ends.

    Returns
    -------
    figure : Figure
        Two panels with 95 % intervals.
    """
    names = ["no batches: a noise held by hand", "batches: a rate"]
    figure, axes = panels(
        names, (7.4, 3.3), ylabel="share of wrong ends left", layout={"sharey": True}
    )
    estimates = {"EM": _with_interval(held, total)}
    draw_intervals(axes[0], estimates, levels)
    axes[0].set(xscale="log", xlabel="noise held", ylim=(-0.03, 1.03))
    set_ticks(axes[0], x=[0.15, 0.25, 0.4, 0.6, 1.0])
    axes[1].set(xscale="log", xlabel="learning rate")
    estimates = {name: _with_interval(left, total) for name, left in ways.items()}
    draw_intervals(axes[1], estimates, rates, apart=0.04, first=1)
    set_ticks(axes[1], x=list(rates))
    axes[1].legend()
    return figure


def draw_held_noise(said, seen, groups, slack):
    """Draw the noise that a learning rate holds, as seen and as foretold.

    Parameters
    ----------
    said, seen : (m,) array
        Noises.
    groups : (m,) list of str
        What the legend says of each.
    slack : float
        Half the width of the band about agreement, as a factor above one.

    Returns
    -------
    figure : Figure
        On logarithmic axes, with agreement as a line and the band about it.
    """
    figure, ax = panel((5.6, 4.2), xlabel="noise held, foretold", ylabel="noise held, seen")
    ends = np.array([0.8 * np.min(said), 1.25 * np.max(said)])
    ax.fill_between(ends, ends / slack, ends * slack, color="0.9", lw=0)
    ax.plot(ends, ends, color="0.35", lw=1)
    for place, name in enumerate(dict.fromkeys(groups)):
        mine = [group == name for group in groups]
        style = dict(color=PALETTE[place], marker=MARKERS[place], ls="", label=name)
        ax.plot(np.asarray(said)[mine], np.asarray(seen)[mine], **style)
    ax.set(xscale="log", yscale="log")
    set_ticks(ax, x=[0.05, 0.1, 0.2, 0.4], y=[0.05, 0.1, 0.2, 0.4])
    ax.legend()
    return figure


def _with_interval(hits, total):
    hits = np.asarray(hits, dtype=float)
    return (hits / total, *share_interval(hits, total))
