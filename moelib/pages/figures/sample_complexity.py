"""The figures of the chapter *A sample-complexity theorem*."""

from functools import partial

from moelib.pages.layout import panel, panels, set_ticks, shared_legend
from moelib.pages.numbers import number
from moelib.pages.plots import draw_curves, draw_guide
from moelib.pages.sliders import explore
from moelib.pages.style import expert_color

METHODS = [
    f"{where}, {kind}" for where in ("reduced", "sphere") for kind in ("polynomial", "in-span")
]
STEPS = {
    "second": "second moment",
    "fourth": "fourth moment",
    "span": "span",
    "tensor": "whitened tensor",
    "turning": "turning part",
    "rotation": "rotation",
    "experts": "experts",
}


def draw_sample_exponents(parts, slopes):
    """Draw the median of the worst angle against n, d and k, method by method.

    Parameters
    ----------
    parts : dict of DataFrame
        Name of a column, which is on the axis -> rows with columns ``method`` and ``angle``.
    slopes : list of float
        The theorem's power in each panel.

    Returns
    -------
    figure : Figure
        A panel for each part, with a grey line of the theorem's power.
    """
    figure, axes = panels(
        [""] * len(parts),
        (9.0, 3.5),
        xlabel=[f"${x}$" for x in parts],
        ylabel=["worst angle, radians"] * len(parts),
        xscale="log",
        yscale="log",
        layout={"dpi": 88},
    )
    for ax, (x, rows), slope in zip(axes, parts.items(), slopes):
        medians = rows.groupby(["method", x])["angle"].median()
        known = medians.index.unique(0)
        draw_curves(ax, {method: medians[method] for method in METHODS if method in known})
        middle = medians[METHODS[1]]
        ends, through = (middle.index[0], middle.index[-1]), (middle.index[0], 0.7 * middle.iloc[0])
        draw_guide(ax, ends, slope, through=through)
        if x == "k":
            set_ticks(ax, x=[2, 3, 4, 6, 10])
    shared_legend(figure, ncols=4)
    return figure


def draw_looseness(loose):
    """Draw how far each step's bound is above the error, as bars with their numbers.

    Parameters
    ----------
    loose : Series
        Key of the step, as in :func:`moelib.bounds.step_errors` -> bound over error; steps that
        have no name in the figure are left out.

    Returns
    -------
    figure : Figure
        First step on top.
    """
    figure, ax = panel((6.4, 2.9), xlabel="bound over measured error", xscale="log")
    loose = loose[[key for key in STEPS if key in loose]]
    names = [STEPS[key] for key in loose.index]
    ax.barh(names, loose, color=expert_color(0))
    ax.invert_yaxis()
    for i, value in enumerate(loose):
        ax.text(value * 1.1, i, f"{value:.0f}", va="center")
    ax.set_ylabel("step")
    ax.set_xlim(1, 3 * max(loose))
    return figure


def explore_accuracy(accuracies, curves):
    """Make the figure of samples against accuracy, for some numbers of experts and noise levels.

    Parameters
    ----------
    accuracies : (n,) array
        In radians.
    curves : dict of (2, n) array
        Number of experts and noise -> samples that the theorem asks for and measured ones.

    Returns
    -------
    figure : Explore
        With sliders for the number of experts and the noise.
    """
    counts, noises = (sorted(set(values)) for values in zip(*curves))
    return explore(
        partial(_draw_accuracy, accuracies, curves),
        alt=partial(_accuracy_alt, accuracies, curves),
        caption="Samples against accuracy, standard design with d = 10.",
        dpi=100,
        k=counts,
        noise=noises,
        labels={"k": "experts k", "noise": "noise σ"},
        formats={"noise": "g"},
    )


def _draw_accuracy(accuracies, curves, k, noise):
    words = {"xlabel": "accuracy $\\epsilon$, radians", "ylabel": "samples"}
    figure, ax = panel((5.6, 3.4), **words, xscale="log", yscale="log", ylim=(10, 1e21))
    proved, seen = curves[k, noise]
    draw_curves(ax, {"theorem": proved, "measured": seen}, accuracies, marker="")
    ax.set_title(f"$k = {k}$, $\\sigma = {noise:g}$")
    ax.legend(loc="lower left")
    return figure


def _accuracy_alt(accuracies, curves, k, noise):
    proved, seen = curves[k, noise]
    flat = accuracies[proved < 1.03 * proved[-1]].min()
    return (
        f"Two falling curves for {k} experts and noise {noise:g}. The theorem's falls to "
        f"{number(proved[-1], '.0e')} samples and is flat from {flat:.2g} radians on; the measured "
        f"one falls all the way to {number(seen[-1], '.0e')}."
    )
