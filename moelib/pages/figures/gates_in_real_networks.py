"""The figures of the chapter *Gates in real networks*."""

import numpy as np

from moelib.pages.layout import panel, panels
from moelib.pages.plots import draw_arrows, draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE, expert_style

OTHERS = (0.0, -0.3, -0.6)  # scores of all but the best expert


def draw_house(house, X, y, line):
    """Draw days, the answers of two experts, their gated sum and one line, and the gate.

    Parameters
    ----------
    house : GatedModel
        Of two experts.
    X : (n, 2) array
        Temperatures, beside a column of ones.
    y : (n,) array
        Power.
    line : (2,) array
        Slope and intercept of the one line.

    Returns
    -------
    figure : Figure
        Two panels: data and predictions, and the weight of expert 1.
    """
    days, x = min(80, len(y)), np.linspace(-2.6, 2.6, 300)
    grid = np.column_stack([x, np.ones_like(x)])
    words = {
        "xlabel": ["temperature x (standard units)"] * 2,
        "ylabel": ["power y (kW)", "weight of expert 1"],
    }
    figure, (left, right) = panels(["Data and predictions", "The gate"], (7.2, 3.1), **words)
    left.plot(X[:days, 0], y[:days], ".", color="0.6", label=f"{days} of {len(y)} days")
    names = ["expert 1: heating", "expert 2: cooling"]
    draw_curves(left, dict(zip(names, house.expert_means(grid).T)), x, marker="")
    left.plot(x, grid @ line, color=PALETTE[2], ls="-.", label="one line")
    left.plot(x, house.mean(grid), "k-", lw=2.4, label="gated sum")
    left.set(xlim=(-2.7, 2.7), ylim=(-2.6, 6.2))
    left.legend(loc="upper right", fontsize=9)
    right.plot(x, house.gate_probabilities(grid)[:, 0], "k-")
    for ax in (left, right):
        ax.grid(False)
    return figure


def draw_counts(free, tied):
    """Draw how far the cells of LSTMs with free and with tied gates count up.

    Parameters
    ----------
    free, tied : (m, steps + 1) array
        The largest entry of each cell's state at each step.

    Returns
    -------
    figure : Figure
        A line for each cell, and the bound.
    """
    figure, ax = panel((6.4, 3.4), xlabel="step t", ylabel="largest entry of $|c_t|$")
    steps = np.arange(free.shape[1])
    ax.plot(steps, steps, color="0.5", ls=":", label="bound t of (iii)")
    kinds = [("free gates", free, "-"), ("tied gates", tied, "--")]
    for color, (name, paths, ls) in zip(PALETTE, kinds):
        lines = ax.plot(steps, paths.T, color=color, ls=ls, lw=1.2)
        lines[0].set_label(name)
    ax.legend()
    return figure


def draw_hard_limit(lost_and_bounds, leads):
    r"""Draw what the best expert lacks of all the weight, within its bounds.

    Parameters
    ----------
    lost_and_bounds : function
        Of scores (n, 4), divided by the temperature; returns what is lost, and its lower and upper
        bound, (n,) each.
    leads : list of float
        Of the best score over the second, at temperature 1.

    Returns
    -------
    figure : Figure
        A line in a band for each lead.
    """
    words = {"xlabel": r"inverse temperature $1/\tau$", "ylabel": r"$1 - p_{i^*}(\tau)$"}
    figure, ax = panel((6.4, 3.6), yscale="log", ylim=(1e-7, 2), **words)
    sharpness, bands = np.linspace(0.01, 12, 200), {}
    for lead in leads:
        curves = lost_and_bounds(np.outer(sharpness, [lead, *OTHERS]))
        bands[rf"$\Delta$ = {lead:g}"] = np.minimum(curves, 1)
    draw_intervals(ax, bands, sharpness, band=True, marker="")
    ax.legend(loc="lower left")
    return figure


def explore_routing(experts, routed):
    """Make the figure of experts on the line, their weights after routing, and their gated sum.

    Parameters
    ----------
    experts : (k, 2) array
        Slopes and intercepts.
    routed : function
        Of inputs (n,), a sharpness and how many experts are kept; returns the weights (n, k) and
        the gated sum (n,).

    Returns
    -------
    figure : Explore
        With sliders for the sharpness and the number kept.
    """

    def alt(sharpness, kept):
        at = np.array([-1.0, 0.0, 1.0])
        jumps = np.abs(
            routed(at + 1e-9, sharpness, kept)[1] - routed(at - 1e-9, sharpness, kept)[1]
        )
        weight = routed(np.array([0.1]), sharpness, kept)[0][0, 1]
        return (
            f"At 1/τ = {sharpness:g} with {kept} kept, {_jumps(at, jumps)}; "
            f"at x = 0.1 expert 2 weighs {weight:.2f}."
        )

    x = np.linspace(-3, 3, 1201)
    return explore(
        lambda sharpness, kept: draw_routing(x, experts, *routed(x, sharpness, kept)),
        alt=alt,
        caption="Three experts on the line, their weights, and their gated sum.",
        labels={"sharpness": "1/τ", "kept": "experts kept"},
        start={"sharpness": 1.0, "kept": 3},
        dpi=96,
        sharpness=[0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0],
        kept=[1, 2, 3],
    )


def _jumps(places, jumps):
    seen = [f"{size:.2f} at x = {x:g}" for x, size in zip(places, jumps) if size > 0.005]
    if seen:
        return f"the sum jumps by {' and '.join(seen)}".replace("-", "−")
    return "the sum has no jump that could be seen"


def draw_routing(x, experts, weights, total):
    """Draw experts on the line, their gated sum, and their weights below.

    Parameters
    ----------
    x : (n,) array
        Inputs, in order.
    experts : (k, 2) array
        Slopes and intercepts.
    weights : (n, k) array
        Of the experts.
    total : (n,) array
        The gated sum; it is drawn broken where it jumps.

    Returns
    -------
    figure : Figure
        Two panels, one above the other.
    """
    layout = {"sharex": True, "height_ratios": [3, 2]}
    words = {"xlabel": "input x", "ylabel": ["answer", "weight"]}
    figure, (top, low) = panels(["answers", "weights"], (6, 4.6), rows=2, layout=layout, **words)
    broken = np.array(total)
    broken[1:][np.abs(np.diff(total)) > 0.1] = np.nan
    for i, (slope, intercept) in enumerate(experts):
        style = {**expert_style(i), "marker": "", "lw": 1.6}
        top.plot(x, slope * x + intercept, **style, label=f"expert {i + 1}")
        low.plot(x, weights[:, i], **style)
    top.plot(x, broken, "k-", lw=2.8, label="gated sum")
    top.set_ylim(-4.5, 5)
    low.set_ylim(-0.05, 1.05)
    top.legend(loc="lower right", fontsize=9)
    return figure


def draw_winner(starts, pairs, lines):
    """Draw how well pairs are trained from gates that begin more and more decided.

    Parameters
    ----------
    starts : list of float
        Scores of the gate at the start.
    pairs, lines : (m, seeds) array
        R^2 of the trained pairs and of one line, for each start.

    Returns
    -------
    figure : Figure
        Rings for the pairs, dashes for the lines.
    """
    words = {"xlabel": "starting score c of the gate", "ylabel": "$R^2$ on the training data"}
    figure, ax = panel((6.4, 3.6), ylim=(0, 1), xticks=starts, **words)
    shift = np.linspace(-0.25, 0.25, pairs.shape[1])
    places = (np.array(starts)[:, None] + shift).ravel()
    rings = {"marker": "o", "color": PALETTE[0], "mfc": "none"}
    dashes = {"marker": "_", "color": PALETTE[1], "ms": 7, "mew": 2}
    ax.plot(places, pairs.ravel(), ls="", label="gated pair, trained", **rings)
    ax.plot(places, lines.ravel(), ls="", label="one line, least squares", **dashes)
    ax.legend(loc="lower left")
    return figure


def draw_role_swap(one, two, X):
    """Draw experts and gates of two models in a plane, and their predictions of the same inputs.

    Parameters
    ----------
    one, two : GatedModel
        Of two experts each; the gate of the one points along v_2, that of the other along v_1.
    X : (n, d) array
        Inputs.

    Returns
    -------
    figure : Figure
        Three panels: the two models, and one prediction against the other.
    """
    words = {
        "xlabel": ["along $v_1$", "along $v_1$", "prediction of model 1"],
        "ylabel": ["along $v_2$", "along $v_2$", "prediction of model 2"],
    }
    titles = ["Model 1", "Model 2", "Predictions"]
    figure, axes = panels(titles, (8.6, 3.1), aspect="equal", **words)
    plane = np.vstack([two.gates, one.gates])
    plane = plane / np.linalg.norm(plane, axis=1, keepdims=True)
    for i, (ax, model) in enumerate(zip(axes, (one, two))):
        ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4))
        tips, (gate,) = model.experts @ plane.T, model.gates @ plane.T
        draw_arrows(ax, [gate], color="0.55", lw=1.6)
        draw_arrows(ax, tips, color=PALETTE[i], lw=3.2)
        ax.text(*(gate + (0.06, 0.04)), "gate", color="0.3")
        ax.text(*(tips[1] + (-0.4, -0.28)), "experts")
    last = axes[2]
    last.plot([-3, 3], [-3, 3], color="0.5", ls="-", lw=1)
    last.plot(one.mean(X), two.mean(X), ".", color=PALETTE[0], ms=3)
    last.set(xlim=(-3, 3), ylim=(-3, 3))
    return figure
