"""The figures of the chapter *The landscape*."""

from functools import partial

import numpy as np

from moelib.pages.intervals import share_interval
from moelib.pages.layout import panel, panels, set_ticks, shared_legend
from moelib.pages.numbers import number
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE

CORNERS = np.array([[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
MARKS = {
    "right": {"marker": "*", "color": "white", "ms": 15},
    "stray": {"marker": "X", "color": PALETTE[1], "ms": 11},
    "saddle": {"marker": "D", "color": PALETTE[4], "ms": 6},
    "maximum": {"marker": "^", "color": "0.75", "ms": 8},
}
MUS = [0.05, 0.25, 0.5, 0.75, 0.9, 1.02, 1.1, 1.25, 1.5, 1.75, 2.5, 3.5]


def draw_seats(loss, taken, lam, mus, *, n_side=60):
    """Draw the loss over the squares of a third row, a triangle for each mu.

    Parameters
    ----------
    loss : callable
        ``loss(s, lam, mu)`` of the squares s (3, 3) of all three rows.
    taken : (2, 3) array
        Squares of the first two rows, which sit at the first two corners.
    lam : (3,) array
        Weights.
    mus : list of float
        One panel each; beyond 1 the first two corners are stray minima.
    n_side : int
        Points on a side of the triangle, less one.

    Returns
    -------
    figure : Figure
        Two triangles or more, with their minima marked, and a colour bar.
    """
    from matplotlib.tri import Triangulation

    pairs = [(i, j) for i in range(n_side + 1) for j in range(n_side + 1 - i)]
    third = np.array([(i, j, n_side - i - j) for i, j in pairs]) / n_side
    triangles = Triangulation(*(third @ CORNERS).T)
    figure, axes = panels([rf"$\mu = {mu}$" for mu in mus], (7.2, 3.3), aspect="equal")
    for ax, mu in zip(axes, mus):
        values = np.array([loss(np.vstack([taken, s]), np.asarray(lam), mu) for s in third])
        levels = np.linspace(0, 9.6, 17)
        shading = ax.tricontourf(triangles, values - values.min(), levels=levels, cmap="cividis")
        style = {"ls": "", "mec": "black", "clip_on": False, "zorder": 3}
        ax.plot(*CORNERS[2], **{**MARKS["right"], **style})
        if mu > 1:
            ax.plot(*CORNERS[:2].T, **{**MARKS["stray"], **style})
        for m, (x, y) in enumerate(CORNERS):
            above = m == 2
            place = {"ha": "center", "va": "bottom" if above else "top"}
            ax.text(x, y + (0.06 if above else -0.06), f"$u_{m + 1}$", **place)
        ax.set_ylim(-0.15, 1.05)
        ax.axis("off")
    figure.colorbar(shading, ax=axes, shrink=0.75).set_label("$L_4$ above its lowest value")
    return figure


def draw_map(mu, landscape):
    """Draw the loss of two rows over their angles, critical points, and where descent goes wrong.

    Parameters
    ----------
    mu : float
        Weight of the diagonal term.
    landscape : callable
        Maps mu to angles (n,) in degrees, the loss (n, n), a dict from kinds of critical points to
        their angles (p, 2), and whether descent from each square goes wrong, (n-1, n-1).

    Returns
    -------
    figure : Figure
        The map, hatched where descent goes wrong.
    """
    axis, loss, points, wrong = landscape(mu)
    words = {"xlabel": "direction of row $v_1$", "ylabel": "direction of row $v_2$"}
    figure, ax = panel((6.2, 4.6), **words)
    shading = ax.contourf(axis, axis, loss.T, levels=8, cmap="cividis")
    figure.colorbar(shading).set_label("$L_4$")
    if wrong.any():
        middle = (axis[:-1] + axis[1:]) / 2
        ax.contour(middle, middle, wrong.T, levels=[0.5], colors="white", linewidths=1.2)
        ax.contourf(middle, middle, wrong.T, [0.5, 1.5], colors="none", hatches=["//"])
    for kind, angles in points.items():
        ax.plot(*angles.T, **MARKS[kind], ls="", mec="black", label=kind)
    set_ticks(ax, x={0: "$u_1$", 90: "$u_2$"}, y={0: "$u_1$", 90: "$u_2$"})
    ax.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]), aspect="equal")
    ax.grid(False)
    shared_legend(figure, ncols=4)
    return figure


def tell_map(mu, landscape):
    """The sentence for what `draw_map` shows."""
    _, _, points, wrong = landscape(mu)
    counts = ", ".join(f"{len(angles)} {kind}" for kind, angles in points.items())
    share = number(wrong.mean(), ".0%")
    return (
        f"At mu = {mu:g}, points on the map: {counts}; "
        f"{share} of the map drains to a stray minimum."
    )


def explore_map(landscape):
    """Let the reader move mu.

    Parameters
    ----------
    landscape : callable
        As in `draw_map`.

    Returns
    -------
    moving : Explore
        Twelve maps behind a slider.
    """
    return explore(
        partial(draw_map, landscape=landscape),
        alt=partial(tell_map, landscape=landscape),
        caption="L4 for k = 2 over the directions of its two rows, shares 0.6 and 0.4, with all "
        "critical points. Hatched, on a grid of 3 degrees: where descent goes wrong. Each picture "
        "has its own colours.",
        labels={"mu": "weight μ"},
        start={"mu": 0.5},
        dpi=80,
        mu=MUS,
    )


def draw_disturbed(moved, n_bad):
    """Draw what a disturbed tensor does to the right minimum and to random starts.

    Parameters
    ----------
    moved : DataFrame
        Distance from the truth to the minimum near it; rows sizes of E, columns mu.
    n_bad : DataFrame
        Number of tensors with stray ends, likewise.

    Returns
    -------
    figure : Figure
        Two panels with a line for each mu.
    """
    words = {"xlabel": ["$|E|$ / smallest weight"] * 2, "xscale": "log"}
    labels = ["distance from the truth", "tensors with stray ends"]
    figure, (left, right) = panels(["", ""], (6.6, 3.0), ylabel=labels, **words)
    left.set_yscale("log")
    for ax, table in ((left, moved), (right, n_bad)):
        draw_curves(ax, {rf"$\mu = {mu}$": table[mu] for mu in table})
        set_ticks(ax, x=table.index)
    set_ticks(left, y=[0.05, 0.1, 0.2, 0.4, 0.8])
    right.set_ylim(-0.4, 10.4)
    shared_legend(figure)
    return figure


def draw_stray(table, n_starts):
    """Draw the share of starts that end astray against mu, with Wilson's intervals.

    Parameters
    ----------
    table : DataFrame
        Numbers of stray ends; rows mu, columns the number of rows k.
    n_starts : int
        Out of so many.

    Returns
    -------
    figure : Figure
        A curve for each k, and a line at mu = 1.
    """
    words = {"xlabel": r"weight $\mu$", "ylabel": "starts that end astray", "ylim": (0, 1)}
    figure, ax = panel((6.4, 3.6), **words)
    estimates = {
        f"$k = {k}$": (hits / n_starts, *share_interval(hits, n_starts))
        for k, hits in table.items()
    }
    draw_intervals(ax, estimates)
    ax.axvline(1, color="0.35", lw=1, ls=":")
    ax.legend(loc="upper left")
    return figure
