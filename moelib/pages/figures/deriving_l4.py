"""The figures of the chapter *Deriving the loss for the experts*."""

from functools import partial

import numpy as np

from moelib.pages.layout import panel, panels
from moelib.pages.plots import draw_arrows, draw_curves, draw_dots, draw_grid, draw_guide
from moelib.pages.sliders import explore
from moelib.pages.style import MARKERS, PALETTE, expert_style

TERMS = ("avoid", r"$-\mu$ align", r"$\lambda$ length")
TURN = np.arange(0, 181, 3)  # angles that the curves go through


def draw_ends(ends):
    """Draw how much of each expert the rows see, one table beside the other.

    Parameters
    ----------
    ends : dict of (k, d) array
        Title -> rows in coordinates of which the first k are the experts, the last is no expert.

    Returns
    -------
    figure : Figure
        A table for each entry, darker where a coordinate is larger.
    """
    words = {"xlabel": ["coordinate"] * len(ends), "ylabel": "row"}
    figure, axes = panels(list(ends), (8.6, 2.4), layout={"sharey": True}, **words)
    for ax, (title, A) in zip(axes, ends.items()):
        k, d = A.shape
        rows = [f"$a_{i + 1}$" for i in range(k)]
        columns = [f"$a^*_{m + 1}$" for m in range(d - 1)] + [f"$e_{d}$"]
        look = {"cmap": "Greys", "vmin": 0, "vmax": 2.5}
        draw_grid(ax, np.abs(A), names=(rows, columns), **look)
        ax.set_title(title, fontsize=10, loc="left")
    return figure


def draw_turn(angle, length, terms, second):
    """Draw two rows and two experts in the plane, and the loss while the first row turns.

    Parameters
    ----------
    angle, length : float
        Of the first row, the angle in degrees.
    terms : callable
        Maps an angle and a length to the three weighted terms of the loss, (3,).
    second : float
        Length of the second row, which points along the second expert.

    Returns
    -------
    figure : Figure
        Left the rows, right the terms and their sum against the angle.
    """
    layout = {"width_ratios": [1, 1.6], "layout": "none"}
    words = {"xlabel": ["along $a^*_1$", "angle of row 1 (degrees)"]}
    ylabel = ["along $a^*_2$", "value"]
    figure, (plane, curves) = panels(["", ""], (7.2, 3.0), layout=layout, ylabel=ylabel, **words)
    figure.subplots_adjust(0.08, 0.18, 0.99, 0.97, wspace=0.25)
    for ax in (plane, curves):
        ax.set_title("", loc="left")
    turned = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    now = terms(angle, length)
    for vector, place, name in zip(np.eye(2), [(0.85, -0.3), (-0.5, 0.7)], ["$a^*_1$", "$a^*_2$"]):
        plane.plot(*zip((0, 0), vector), "-", color="0.8", lw=7, solid_capstyle="butt")
        plane.text(*place, name, color="0.35")
    for i, (row, shift) in enumerate(
        zip([turned, np.array([0, second])], [(0.06, 0.13), (-0.45, -0.1)])
    ):
        color = ("black", "0.45")[i]
        draw_arrows(plane, [row], color=color, lw=1.8, ls=("-", "--")[i])
        plane.text(*(1.08 * row + shift), f"$a_{i + 1}$", color=color)
    plane.set(xlim=(-2.2, 2.3), ylim=(-0.6, 2.4), aspect="equal")
    values = np.array([terms(other, length) for other in TURN])
    draw_curves(curves, dict(zip(TERMS, values.T)), TURN, first=1, marker="", lw=1.4)
    curves.plot(TURN, values.sum(axis=1), "-", color=PALETTE[0], lw=2.4, label="sum")
    for i, value in enumerate([now.sum(), *now]):
        curves.plot(angle, value, MARKERS[i], color=PALETTE[i], ms=5 if i else 8)
    curves.set(ylim=(-6.5, 10.5), xticks=[0, 45, 90, 135, 180])
    curves.legend(ncols=2, loc="upper right", fontsize=9)
    return figure


def tell_turn(angle, length, terms):
    """The sentence for what `draw_turn` shows."""
    avoid, align, lengths = terms(angle, length)
    return (
        f"Row 1, of length {length:g}, at {angle:g} degrees: avoid {avoid:.2f}, align {align:.2f}, "
        f"length {lengths:.2f}, sum {avoid + align + lengths:.2f}."
    )


def explore_turn(terms, second):
    """Let the reader turn and stretch the first of two rows.

    Parameters
    ----------
    terms : callable
        As in `draw_turn`.
    second : float
        As in `draw_turn`.

    Returns
    -------
    moving : Explore
        Fifteen figures behind two sliders.
    """
    return explore(
        partial(draw_turn, terms=terms, second=second),
        alt=partial(tell_turn, terms=terms),
        caption="The three terms while row 1 turns; row 2 stays on expert 2. "
        "Shares 0.7 and 0.3, weights μ = 0.5 and λ = 2.",
        labels={"angle": "angle of row 1", "length": "length of row 1"},
        start={"angle": 45.0, "length": 1.2},
        dpi=80,
        angle=[0.0, 45.0, 90.0, 135.0, 180.0],
        length=[0.6, 1.2, 1.8],
    )


def draw_dual(experts, dual, M, ends):
    """Draw two experts in the plane, their dual basis, and where descents on the ellipse end.

    Parameters
    ----------
    experts, dual : (2, 2) array
        Experts and dual basis, in rows.
    M : (2, 2) array
        The ellipse is M[a, a] = 1.
    ends : list of (2, 2) array
        Rows where a descent ended.

    Returns
    -------
    figure : Figure
        One panel.
    """
    figure, ax = panel((5.4, 4.2), xlabel="first coordinate", ylabel="second coordinate")
    turn = np.linspace(0, 2 * np.pi, 200)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    ellipse = circle / np.sqrt(np.sum(circle @ M * circle, axis=1, keepdims=True))
    ax.plot(*ellipse.T, "-", color="0.6", lw=1, label="$M[a, a] = 1$")
    for vector in dual:
        ax.plot(*np.outer(vector, [-2.2, 2.2]), ":", color="0.6", lw=1)
    shifts = ((0.08, 0.02), (0.06, 0.06)), ((-0.35, -0.5), (-0.1, 0.18))
    for vectors, mark, ls, own in zip((experts, dual), ("*", r"\dagger"), ("-", "--"), shifts):
        draw_arrows(ax, vectors, lw=2.2, ls=ls)
        for i, place in enumerate(vectors + own):
            ax.text(*place, f"$a^{mark}_{i + 1}$", color=PALETTE[i], size=13)
    ax.plot(*np.concatenate(ends).T, "x", color="black", ms=9, mew=2, label="minimisers")
    ax.set(aspect="equal", xlim=(-2.9, 2.9), ylim=(-2.3, 2.3))
    ax.legend(loc="upper right", fontsize=9)
    return figure


def draw_steepness(slopes, plateau):
    """Draw how steeply the loss falls against the number of samples.

    Parameters
    ----------
    slopes : DataFrame
        Columns lam, n and steepness; a row for each data set.
    plateau : float
        The steepness of the population at the first lam.

    Returns
    -------
    figure : Figure
        Points for data sets, a line through the medians for each lam.
    """
    words = {"xlabel": "samples $n$", "ylabel": "steepness", "xscale": "log", "yscale": "log"}
    figure, ax = panel((6.4, 3.2), **words)
    for i, (lam, rows) in enumerate(slopes.groupby("lam")):
        middle = rows.groupby("n")["steepness"].median()
        draw_curves(ax, {rf"$\lambda = {lam:g}$": middle}, first=i)
        look = {**expert_style(i), "linestyle": "", "markersize": 3, "alpha": 0.5}
        ax.plot(rows["n"] * 1.06 ** (2 * i - 1), rows["steepness"], **look)
    n = slopes["n"]
    guide = {"through": (n.min(), 0.05), "text": "$n^{-1/2}$"}
    draw_guide(ax, (n.min(), n.max() / 3), -0.5, color="0.4", ls="-.", lw=1.2, **guide)
    ax.axhline(plateau, color="0.4", lw=1)
    ax.text(60_000, plateau * 1.06, r"$\lambda = 1$, $n = \infty$", color="0.3")
    ax.legend()
    return figure


def draw_cures(table):
    """Draw the errors of the experts under each cure, two designs beside each other.

    Parameters
    ----------
    table : DataFrame
        Columns design, cure and error; a row for each data set.

    Returns
    -------
    figure : Figure
        Dots for data sets, bars for medians.
    """
    figure, ax = panel((8.6, 3.6), yscale="log", xlabel="cure", ylabel=r"$E_{\mathrm{reg}}$")
    designs = table["design"].unique()
    for i, design in enumerate(designs):
        rows = table[table["design"] == design].groupby("cure", sort=False)["error"]
        errors = {
            cure.replace("-trunc", ",\ntrunc").replace("-", " "): values for cure, values in rows
        }
        shift = 0.36 * (i - (len(designs) - 1) / 2)
        draw_dots(ax, errors, shift=shift, place=i, label=design, ms=4, alpha=0.7)
    ax.tick_params(axis="x", labelsize=8.5)
    ax.legend(title="design", loc="lower left")
    return figure
