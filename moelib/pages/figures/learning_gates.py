"""The figures of the chapter *Learning the gates*."""

from functools import partial

import numpy as np

from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.sliders import explore
from moelib.pages.style import LINESTYLES, MARKERS, PALETTE

SHARES = [0, 0.001, 0.25, 0.5, 0.75, 0.999, 1.0]  # steps of the colours, with "none" and "all"


def draw_three_samples(w, loss, curvature, ends):
    """Draw a loss of one gate and its curvature, and where two runs ended.

    Parameters
    ----------
    w : (q,) array
        Gates.
    loss, curvature : (q,) array
        At each of them.
    ends : sequence of float
        Gates where runs ended.

    Returns
    -------
    figure : Figure
        Two panels, grey where the curvature is negative.
    """
    figure, axes = panels(["loss", "its curvature"], (7.2, 3.0), xlabel="$w$")
    for ax, curve, name in zip(
        axes, (loss, curvature), ("nats per sample", "nats per sample / $w^2$")
    ):
        ax.plot(w, curve, color=PALETTE[0], ls="-")
        ax.plot(ends, np.interp(ends, w, curve), "o", color=PALETTE[1], ms=8)
        low, high = curve.min(), curve.max()
        room = 0.08 * (high - low)
        ax.set(xlim=(-8, 15), ylim=(low - room, high + room), xlabel="$w$", ylabel=name)
        _shade(ax, w, curvature, low - room, high + room)
    axes[1].axhline(0, color="0.35", lw=1)
    return figure


def draw_convexity(negative, met, noises, norms):
    """Draw where the loss of the gates bends the wrong way, and how many pairs of runs met.

    Parameters
    ----------
    negative : (m, q) array
        Share of gates with a negative eigenvalue, for each noise and length.
    met : (l, q) array
        Pairs of runs that met, for the first l noises.
    noises : (m,) array
        Noises, in units of the labels.
    norms : sequence of float
        Lengths of the gates.

    Returns
    -------
    figure : Figure
        A map of the shares with the counts in it.
    """
    from matplotlib.colors import BoundaryNorm

    figure, ax = panel((6.4, 4.0), xlabel="length $R$ of the gates", ylabel=r"noise $\sigma$")
    levels = BoundaryNorm(SHARES, 256)
    image = ax.imshow(negative, origin="lower", aspect="auto", norm=levels)
    ax.grid(False)
    for (i, j), count in np.ndenumerate(met):
        color = "white" if negative[i, j] < 0.5 else "black"
        ax.text(j, i, count, ha="center", va="center", color=color)
    ax.set_xticks(range(len(norms)), [f"{R:g}" for R in norms])
    ax.set_yticks(range(len(noises)), [f"{s:.2g}" for s in noises])
    bar = figure.colorbar(image, label="share of $W$ with a negative eigenvalue")
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "¼", "½", "¾", "1"])
    return figure


def draw_one_input(sigma, gate, losses):
    """Draw the loss of one gate above its minimum, grey where its curvature is negative.

    Parameters
    ----------
    sigma, gate : float
        Noise and true gate.
    losses : callable
        Maps the two to gates w (q,), the loss and its curvature there.

    Returns
    -------
    figure : Figure
        One panel.
    """
    w, loss, curvature = losses(sigma, gate)
    loss = loss - loss.min()
    top = 1.1 * loss.max()
    figure, ax = panel((6.4, 3.2), xlabel="$w$", ylabel="loss above its minimum (nats)")
    ax.plot(w, loss, color=PALETTE[0], ls="-")
    _shade(ax, w, curvature, 0, top)
    ax.axvline(gate, color=PALETTE[1], ls="--", label="$w^*$")
    ax.plot(w[loss.argmin()], 0, "o", color="k", label="minimum")
    ax.set(xlim=(-12, 12), ylim=(-0.02 * top, top))
    ax.legend(loc="upper right")
    return figure


def tell_one_input(sigma, gate, losses):
    """The sentence for what `draw_one_input` shows."""
    w, loss, curvature = losses(sigma, gate)
    return (
        f"At noise {sigma:g} and true gate {gate:g} the curvature is negative on "
        f"{np.mean(curvature < 0):.0%} of the window; the lowest point is at "
        f"{w[loss.argmin()]:.1f}."
    )


def explore_one_input(losses, sigmas, gates):
    """Let the reader change noise and true gate of one input (see `draw_one_input`)."""
    return explore(
        partial(draw_one_input, losses=losses),
        alt=partial(tell_one_input, losses=losses),
        caption="Loss of 200 samples; grey where its curvature is negative.",
        labels={"sigma": "noise σ", "gate": "true gate"},
        dpi=80,
        start={"sigma": 0.5, "gate": 2.0},
        sigma=sigmas,
        gate=gates,
    )


def draw_rates(races):
    """Draw how fast methods come to the minimum, and the rates that the eigenvalues predict.

    Parameters
    ----------
    races : dict
        Title of a panel -> (errors, rates): distances to the minimum at each iteration of
        gradient descent, EM and Newton's method, and predicted factors of one iteration of the
        first two.

    Returns
    -------
    figure : Figure
        A panel for each entry, on a log scale; grey lines have the predicted slopes.
    """
    layout = {"sharey": True}
    figure, axes = panels(list(races), xlabel="iteration", yscale="log", layout=layout)
    for ax, (errors, rates) in zip(axes, races.values()):
        for j, e in enumerate(errors):
            ax.plot(e, color=PALETTE[j], ls=LINESTYLES[j], label=("gradient", "EM", "Newton")[j])
        for e, rate in zip(errors, rates):
            t = np.arange(len(e))
            line = 5 * e[-1] * np.exp(np.log(rate) * (t - t[-1]))
            ax.plot(t[line < 1], line[line < 1], color="0.6", lw=1, ls="-")
        ax.set_ylim(1e-12, 100)
    axes[0].set_ylabel("distance to the minimum")
    axes[-1].legend()
    figure.set_dpi(80)  # keeps the picture small
    return figure


def draw_wrong_experts(sizes, sampling, noise, drifts, gaps):
    """Draw what an error of the experts does to the noise, the gates and the confidence.

    Parameters
    ----------
    sizes : (q,) array
        Lengths of the experts' errors.
    sampling : sequence of float
        Errors of the gates with right experts; a grey band.
    noise : pair of array
        Learned noise on each data set, (s, q), and as predicted, (q,).
    drifts : pair of array
        Drift of the gates with the noise known and learned, (2, s, q), and as predicted, (q,).
    gaps : (2, s, q) array
        Confidence less accuracy, with the noise known and learned.

    Returns
    -------
    figure : Figure
        Three panels; bars reach over the data sets.
    """
    xlabel = r"error of the experts $\varepsilon$"
    figure, axes = panels(["", "", ""], (7.6, 3.2), xlabel=[xlabel] * 3, xscale="log")
    ylabels = ("noise", "drift of the gates", "excess confidence")
    for ax, ylabel in zip(axes, ylabels):
        ax.set_ylabel(ylabel)
    _with_range(axes[0], sizes, noise[0], 1, "learned")
    for j, label in enumerate(("noise known", "noise learned")):
        _with_range(axes[1], sizes, drifts[0][j], j, label)
        _with_range(axes[2], sizes, gaps[j], j, label)
    for ax, (_, theory) in zip(axes, (noise, drifts)):
        ax.plot(sizes, theory, color="0.4", lw=1.2, ls="-", label="theory")
        ax.set_yscale("log")
    set_ticks(axes[0], y=[0.05, 0.1, 0.3, 1])
    axes[1].axhspan(min(sampling), max(sampling), color="0.88", lw=0)
    for ax, size in zip(axes, (10, 8, 8)):
        ax.legend(fontsize=size)
    return figure


def _with_range(ax, x, values, j, label):
    """Medians over the first axis as points, with bars from the least to the largest."""
    color = PALETTE[j]
    ax.plot(x, np.median(values, axis=0), color=color, marker=MARKERS[j], ls="", label=label)
    ax.vlines(x, values.min(axis=0), values.max(axis=0), color=color, lw=1)


def _shade(ax, w, curvature, low, high):
    """Grey where a curvature is negative."""
    ax.fill_between(w, low, high, where=curvature < 0, color="0.87", lw=0)
