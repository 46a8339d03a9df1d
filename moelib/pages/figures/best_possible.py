"""The figures of the chapter *The best possible*."""

from functools import partial

import numpy as np

from moelib.pages.layout import panel, panels
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore

LIMITS = {"experts": (5e-4, 5), "gates": (1e-2, 1), "noise": (3e-5, 2)}
SAMPLES = "samples $n$"
ENDS = ("ratio", "low", "high")


def draw_best_gap(ratio, least, *, size=(8.0, 3.2), limits=None):
    """Draw errors before and after refinement, and the bound that they cannot beat.

    Parameters
    ----------
    ratio : DataFrame
        Errors over the bound: a row for each number of samples, a column for each pair of a stage
        (raw or refined) and a part of the parameters.
    least : DataFrame
        Bounds: the same rows, a column for each part.
    size : (float, float)
        Width and height in inches.
    limits : dict of (float, float), optional
        Part -> ends of the vertical axis, in place of the usual ones. What lies above is drawn on
        the upper edge.

    Returns
    -------
    figure : Figure
        A panel for each part.
    """
    words = {"xlabel": [SAMPLES] * 3, "ylabel": ["root mean square error"] * 3}
    figure, axes = panels(list(least), size, xscale="log", yscale="log", **words)
    for ax, part in zip(axes, least):
        low, high = {**LIMITS, **(limits or {})}[part]
        ax.plot(least[part], color="0.2", lw=2.2, label="bound")
        for i, stage, fill in ((1, "refined", "full"), (0, "raw", "none")):
            error = np.minimum(ratio[stage, part] * least[part], high)
            look = {"ls": "", "ms": 7, "fillstyle": fill, "clip_on": False}
            draw_curves(ax, {stage: error}, first=i, **look)
        ax.set_ylim(low, high)
    axes[1].legend(loc="upper right")
    return figure


def explore_best_gap(ratio, least):
    """Make the figure of errors and bound in every design.

    Parameters
    ----------
    ratio : DataFrame
        As in `draw_best_gap`, with rows (number of experts, noise, samples).
    least : DataFrame
        Bounds: the same rows, a column for each part.

    Returns
    -------
    figure : Explore
        With sliders for the noise and the number of experts.
    """
    return explore(
        partial(_draw_gap, ratio, least),
        alt=partial(_gap_alt, ratio),
        caption="Root mean square error of ten data sets, and the bound. What lies above a panel "
        "is drawn on its upper edge.",
        labels={"noise": "noise σ", "k": "experts k"},
        dpi=80,
        noise=list(ratio.index.unique("noise")),
        k=list(ratio.index.unique("k")),
    )


def _draw_gap(ratio, least, noise, k):
    here = ratio.xs((k, noise)), least.xs((k, noise))
    return draw_best_gap(*here, size=(7.2, 2.9), limits={"gates": (1e-2, 10)})


def _gap_alt(ratio, noise, k):
    here = ratio.xs((k, noise))
    last = here.index.max()
    raw, end, few = here.loc[last, "raw"], here.loc[last, "refined"], here.loc[1000, "refined"]
    return (
        f"At noise {noise:g} with {k} experts and n = {last:,} the raw fit is "
        f"{raw['experts']:.1f} (experts), {raw['gates']:.1f} (gates) and "
        f"{raw['noise']:.1f} (noise) times the bound; refined "
        f"{end['experts']:.2f}, {end['gates']:.2f} and {end['noise']:.2f}. "
        f"At n = 1,000 refined: {few['experts']:.2f}, {few['gates']:.3g} "
        f"and {few['noise']:.2f}."
    )


def draw_best_ratio(spread):
    """Draw errors over the bound with their intervals, before and after refinement.

    Parameters
    ----------
    spread : DataFrame
        Columns ratio, low and high; rows (stage, part, number of samples).

    Returns
    -------
    figure : Figure
        A panel for each stage, on scales of their own.
    """
    titles, words = ["before", "after refinement"], {"xlabel": [SAMPLES] * 2, "xscale": "log"}
    figure, (before, after) = panels(titles, (7.6, 3.3), ylabel=["error over bound"] * 2, **words)
    before.set(yscale="log", ylim=(0.6, 400))
    for ax, stage, look in ((before, "raw", {}), (after, "refined", {"apart": 0.12, "ls": ""})):
        rows = spread.loc[stage]
        estimates = {p: [rows.loc[p, c] for c in ENDS] for p in rows.index.unique(0)}
        drawn = draw_intervals(ax, estimates, **look)
        ax.axhline(1, color="0.2", lw=1)
        for line, _ in drawn if ax is before else []:
            place = line.get_xdata()[0], 1.35 * line.get_ydata()[0]
            ax.text(*place, line.get_label(), color=line.get_color())
    return figure


def draw_one_step(rules, worse):
    """Draw what one scoring step leaves against the heuristic that judges it.

    Parameters
    ----------
    rules : Series
        The heuristic of each design; one level of its index is the noise.
    worse : DataFrame
        Error after one step over that of the refined fit: the same rows, a column for each part.

    Returns
    -------
    figure : Figure
        A panel for each part; what lies above 20 is drawn on the upper edge.
    """
    figure, axes = panels(
        list(worse),
        (7.6, 3.3),
        xlabel=["$\\eta^2 \\kappa / \\sqrt{n}$"] * worse.shape[1],
        ylabel="error after one step\nover that of the refined fit",
        layout={"sharey": True},
        xscale="log",
        yscale="log",
    )
    for ax, part in zip(axes, worse):
        for i, (noise, x) in enumerate(rules.groupby(level="noise")):
            height = np.minimum(worse.loc[x.index, part], 20)
            draw_curves(ax, {f"σ = {noise:g}": height}, x, first=i, ls="", clip_on=False)
        ax.axvline(1, color="0.2", ls="--", lw=1)
        ax.axhline(1, color="0.2", lw=1)
        ax.set_ylim(0.7, 20)
    axes[0].legend(loc="upper left")
    return figure


def draw_hodges(error):
    """Draw the mean square error of Hodges' estimate in units of the bound.

    Parameters
    ----------
    error : function
        Of the scaled mean, (m,) array, and the number of samples; returns an (m,) array.

    Returns
    -------
    figure : Figure
        A curve for each of three numbers of samples, and a line at the bound.
    """
    words = {"xlabel": "$\\theta$", "ylabel": "error over bound, squared"}
    figure, ax = panel((6.4, 3.2), yscale="log", ylim=(1e-2, 200), **words)
    theta = np.linspace(-0.8, 0.8, 801)
    curves = {f"n = {n:,}": error(np.sqrt(n) * theta, n) for n in (100, 1000, 10_000)}
    draw_curves(ax, curves, theta, marker="")
    ax.axhline(1, color="0.2", lw=1)
    ax.legend(loc="lower right")
    return figure
