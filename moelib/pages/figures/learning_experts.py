"""The figures of the chapter *Learning the experts*."""

from functools import partial

import numpy as np

from moelib.metrics import expert_angles
from moelib.pages.intervals import exponent, mean_interval
from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.numbers import plus_minus
from moelib.pages.plots import draw_curves, draw_guide
from moelib.pages.sliders import explore
from moelib.pages.style import MARKERS, PALETTE

METHODS = {
    "reduced": "reduced $L_4$",
    "spectral": "spectral, order 3",
    "sgd": "reduced, SGD",
    "sphere": "$d$-sphere",
    "sphere-sgd": "$d$-sphere, SGD",
    "power": "spectral, order 4",
}
KINDS = {"polynomial": "", "optimal": ", optimal"}  # what a method with these transforms ends in
WAYS = ["first moment", "third moment", "likelihood"]
BELOW = [
    "number of samples $n$",
    "angle between experts, degrees",
    "share of the rare expert",
    "noise assumed (true: 0.2)",
]
OFF = "worst angle, degrees"
BESIDE = ["share of wrong answers", OFF, "its angle, degrees", OFF]


def draw_streams(samples, steps, last, average):
    """Draw how far off stochastic gradients are, for several lengths of the first step.

    Parameters
    ----------
    samples : (m,) array
        Samples seen.
    steps : (s,) array
        The first steps.
    last, average : (s, m) array
        Worst angles of the last row and of the average, in degrees.

    Returns
    -------
    figure : Figure
        Thin curves for the last row, thick ones for the average.
    """
    words = {"xlabel": "samples seen", "ylabel": "worst angle, degrees", "layout": {"dpi": 95}}
    figure, ax = panel((6.4, 3.4), xscale="log", yscale="log", **words)
    names = [f"first step {step:g}" for step in steps]
    draw_curves(ax, dict(zip(names, last)), samples, marker="", lw=0.8, label=None)
    draw_curves(ax, dict(zip(names, average)), samples, marker="", lw=2.4)
    set_ticks(ax, y=[2, 5, 10, 20, 50])
    ax.legend()
    return figure


def draw_methods(angles):
    """Draw worst angles against the number of samples for all methods.

    Parameters
    ----------
    angles : DataFrame
        In radians: data sets in rows, (method, number of samples) in columns.

    Returns
    -------
    figure : Figure
        A panel for each kind of transform; medians, and slopes of logarithms with their intervals.
    """
    words = {"xlabel": "number of samples $n$", "ylabel": "worst angle, radians"}
    look = {"xscale": "log", "yscale": "log", "layout": {"sharey": True, "dpi": 70}}
    figure, axes = panels(list(KINDS), (8.8, 4.0), ylim=(0.025, 80), **words, **look)
    for ax, ending in zip(axes, KINDS.values()):
        for i, (method, name) in enumerate(METHODS.items()):
            rows = angles[method + ending]
            slope, half = mean_interval(exponent(rows.columns, rows))
            label = f"{name}: {plus_minus(slope, half, '.2f')}"
            draw_curves(ax, {label: rows.median()}, first=i)
        set_ticks(ax, x=[12_500, 50_000, 200_000], form=",")
        ax.legend(loc="upper right", title="slope", fontsize=9)
    return figure


def draw_seconds(runs):
    """Draw worst angles against time for the methods that were timed, optimal transforms.

    Parameters
    ----------
    runs : DataFrame
        Columns method, n, seconds and angle, in radians.

    Returns
    -------
    figure : Figure
        One panel; a curve goes from small to large n.
    """
    words = {"xlabel": "seconds", "ylabel": "worst angle, radians"}
    figure, ax = panel((6.4, 3.4), xscale="log", yscale="log", ylim=(0.03, 2), **words)
    for i, (method, name) in enumerate(METHODS.items()):
        rows = runs[runs["method"] == method + KINDS["optimal"]].sort_values("n")
        if len(rows):
            draw_curves(ax, {name: rows["angle"]}, rows["seconds"], first=i)
    ax.legend(fontsize=9, loc="upper left")
    return figure


def explore_learned(found, truth):
    """Make the figure of experts that were learned from many data sets.

    Parameters
    ----------
    found : dict of (sets, k, d) array
        (Number of samples, kind of transform) -> learned experts, matched to the true ones.
    truth : (k, d) array
        The true experts, the first two along the first two axes.

    Returns
    -------
    figure : Explore
        With a slider for the number of samples.
    """
    kinds = list(dict.fromkeys(kind for _, kind in found))
    return explore(
        partial(_draw_learned, found, kinds),
        alt=partial(_learned_alt, found, kinds, truth),
        caption="Estimated experts of 30 data sets, projected on the plane of "
        "two true ones. Circles: expert 1; squares: 2; triangles: 3.",
        labels={"n": "samples n"},
        start={"n": 1000},
        dpi=64,
        n=list(dict.fromkeys(n for n, _ in found)),
    )


def _draw_learned(found, kinds, n):
    look = {"xlim": (-1.1, 1.1), "ylim": (-1.1, 1.1), "aspect": "equal", "layout": {"sharey": True}}
    words = {"xlabel": "along $a_1$", "ylabel": "along $a_2$"}
    figure, axes = panels(kinds, (7.6, 3.9), **words, **look)
    around = np.linspace(0, 2 * np.pi, 200)
    for ax, kind in zip(axes, kinds):
        ax.plot(np.cos(around), np.sin(around), "-", color="0.8", lw=1)
        for i, ends in enumerate(np.transpose(found[n, kind][:, :, :2], (1, 2, 0))):
            rays = np.stack([0 * ends, ends, np.nan * ends], axis=-1)
            ax.plot(*rays.reshape(2, -1), "-", lw=0.6, color=PALETTE[i])
            ax.plot(*ends, color=PALETTE[i], marker=MARKERS[i], ms=4, ls="")
    return figure


def _learned_alt(found, kinds, truth, n):
    worst = [np.degrees([expert_angles(A, truth).max() for A in found[n, k]]) for k in kinds]
    (a, b), (c, d) = ((np.median(angles), angles.max()) for angles in worst)
    return (
        f"At n = {n:,}, the worst angle has median {a:.0f} degrees with {kinds[0]} and {c:.0f} "
        f"with {kinds[1]} transforms; in the worst data set it is {b:.0f} and {d:.0f}."
    )


def draw_links(errors, goal):
    """Draw errors against the number of samples for every link and both kinds of transform.

    Parameters
    ----------
    errors : Series
        Errors by link, method and number of samples.
    goal : float
        Error that is asked for.

    Returns
    -------
    figure : Figure
        One panel: dashed for polynomial transforms, solid for optimal ones.
    """
    words = {"xlabel": "number of samples $n$", "ylabel": r"$E_{\mathrm{reg}}$, before refinement"}
    look = {"xscale": "log", "yscale": "log", "ylim": (3e-4, 2), "layout": {"dpi": 88}}
    figure, ax = panel((6.4, 4.2), **words, **look)
    for (link, method), curve in errors.groupby(level=[0, 1], sort=False):
        _draw_link(ax, errors, link, method, curve.droplevel([0, 1]))
    ax.axhline(goal, color="0.5", lw=1)
    ax.legend(ncols=2, loc="lower left")
    return figure


def draw_collapse(angles, divisors):
    """Draw angles against the number of samples, divided by what each link is said to need.

    Parameters
    ----------
    angles : Series
        Angles in radians by link, method and number of samples.
    divisors : dict of (3,) array
        (Link, method) -> the need by three predictors.

    Returns
    -------
    figure : Figure
        A panel for each predictor; the last has the formula of first order.
    """
    words = {"xlabel": [r"$n\, R_4^2$", r"$n\, /\, V$", r"$n\, /\, C$"]}
    look = {"xscale": "log", "yscale": "log", "layout": {"sharey": True, "dpi": 78}}
    figure, axes = panels([""] * 3, (9.6, 3.6), ylabel="rms angle, radians", **words, **look)
    for (link, method), curve in angles.groupby(level=[0, 1], sort=False):
        curve = curve.droplevel([0, 1])
        for ax, divisor in zip(axes, divisors[link, method]):
            _draw_link(ax, angles, link, method, curve.set_axis(curve.index / divisor))
    draw_guide(axes[2], (5, 2000), -0.5, through=(1, 1), color="0.5", lw=4, alpha=0.4)
    axes[0].legend(fontsize=8, loc="lower left")
    return figure


def _draw_link(ax, table, link, method, curve):
    """Draw one curve in the colour of its link and the line of its transforms."""
    optimal = method.endswith(KINDS["optimal"])
    place = list(table.index.unique(level=0)).index(link)
    name = link.replace("_", " ") if optimal else None
    draw_curves(ax, {name: curve}, first=place, ls="-" if optimal else "--")


def draw_weights(errors, lost):
    r"""Draw what the weight mu does to the error and to the starts.

    Parameters
    ----------
    errors : DataFrame
        Errors relative to those at 0.5: weights in rows, (number of experts, method) in columns.
    lost : DataFrame
        In the same form, the share of starts that end elsewhere.

    Returns
    -------
    figure : Figure
        Two panels, with a line where the weight is one.
    """
    beside = ["rms angle / that at 0.5", "share of lost starts"]
    figure, axes = panels(["", ""], (9.2, 3.5), xlabel=r"$\mu$", layout={"dpi": 80})
    for ax, table, label in zip(axes, (errors, lost), beside):
        kinds = ["optimal" if "optimal" in method else "polynomial" for _, method in table]
        names = [f"k = {k}, {kind}" for (k, _), kind in zip(table, kinds)]
        draw_curves(ax, table.set_axis(names, axis=1))
        ax.axvline(1, color="0.6", lw=1)
        ax.set_ylabel(label)
    axes[0].legend(fontsize=9)
    return figure


def draw_signs(sizes, right):
    """Draw how often three ways find all signs.

    Parameters
    ----------
    sizes : list of int
        Numbers of samples.
    right : dict of (len(sizes), 3) array
        Link -> shares of data sets by the first moment, the third, and the likelihood.

    Returns
    -------
    figure : Figure
        A panel for each link.
    """
    words = {"xlabel": "number of samples $n$", "ylabel": "all signs right"}
    look = {"xscale": "log", "ylim": (0, 1.04), "layout": {"sharey": True}}
    figure, axes = panels(list(right), (9.2, 3.3), **words, **look)
    for ax, shares in zip(axes, right.values()):
        draw_curves(ax, dict(zip(WAYS, np.transpose(shares))), sizes)
        set_ticks(ax, x=sizes)
    axes[0].legend(loc="lower right")
    return figure


def draw_troubles(varied, troubles):
    """Draw four things that go wrong: few samples, close experts, a rare one, a wrong noise.

    Parameters
    ----------
    varied : list of four lists
        Numbers of samples, angles in degrees, shares and noises.
    troubles : dict of four lists
        Kind of transform -> the share of wrong answers, and three times angles in degrees.

    Returns
    -------
    figure : Figure
        Four panels; a linear axis for the noise, logarithmic ones for the rest.
    """
    words = {"xlabel": BELOW, "ylabel": BESIDE, "layout": {"dpi": 66}}
    figure, axes = panels([""] * 4, (8.4, 5.4), rows=2, **words)
    scales = "log", "log", "log", "linear"
    for i, (ax, x, scale) in enumerate(zip(axes, varied, scales)):
        ax.set_xscale(scale)
        draw_curves(ax, {kind: outcomes[i] for kind, outcomes in troubles.items()}, x)
        set_ticks(ax, x=x, form=".0f" if min(x) >= 1 else ".2g")
        ax.set_ylim(bottom=0)
    axes[0].legend()
    return figure
