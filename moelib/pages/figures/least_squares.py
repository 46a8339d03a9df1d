"""The figures of the chapter *Least squares*."""

from functools import partial

import numpy as np

from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.numbers import number
from moelib.pages.plots import draw_curves, draw_dots, draw_guide, draw_intervals, draw_plane
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE, expert_style

LOSSES = ["least squares", "likelihood"]
EXCESS = [r"$\log_{10} E(m - m^*)^2$", r"$\log_{10}$ excess, nats"]
LOWEST, HIGHEST = (-4.0, -2.0), (1.25, 3.25)  # of the two excesses, logarithms
TORUS = np.arange(-60, 241, 15.0)  # degrees
TORUS_MARKS = {"o": [(0, 0), (180, 180)], "s": [(90, 90)]}


def draw_failure(found):
    """Draw training losses and errors of the experts, method beside method.

    Parameters
    ----------
    found : dict of (n, 2) array
        Name of a method -> a row for each data set: training loss minus that of the fit climbed
        from the truth, and the error of the experts.

    Returns
    -------
    figure : Figure
        Two panels: losses, with a line at zero, and errors, with one at 0.1.
    """
    xlabels = ["loss minus right basin's, in $10^{-3}$", r"$E_{\mathrm{reg}}$"]
    words = {"xlabel": xlabels, "ylabel": "method", "layout": {"sharey": True}}
    figure, (losses, errors) = panels(["", ""], (7.2, 3.0), **words)
    losses.axvline(0, color="0.4", lw=1)
    errors.axvline(0.1, color="0.4", lw=1, ls="--")
    draw_dots(losses, {name: 1000 * rows[:, 0] for name, rows in found.items()}, across=True)
    draw_dots(errors, {name: rows[:, 1] for name, rows in found.items()}, across=True)
    errors.set_xlim(-0.03, 1.03)
    return figure


def draw_swap(lengths, cost, stopped, floor, needed):
    """Draw what it costs to be wrong against the length of the gate, and what a sample can tell.

    Parameters
    ----------
    lengths : list of float
        Gate lengths R.
    cost, stopped, floor, needed : list of float
        Of the swapped model, where the optimiser stops, the floor of the valley, and the cost that
        4000 samples tell from nothing by one standard deviation.

    Returns
    -------
    figure : Figure
        One panel, logarithmic.
    """
    words = {"xlabel": "gate length $R$", "ylabel": r"$E\,(m - m^*)^2$"}
    figure, ax = panel((6.4, 3.6), xscale="log", yscale="log", **words)
    draw_curves(ax, {"swapped model": cost}, lengths)
    draw_guide(ax, (0.25, 2.0), 6, through=(1.0, 1 / 96), ls=":", color="0.5", label="$R^6 / 96$")
    stops = {"color": PALETTE[2], "marker": "^", "ls": ""}
    ax.plot(lengths, stopped, label="where the optimiser stops", **stops)
    ax.plot(lengths, floor, color="0.2", lw=1, ls="-", label="$D(R)$")
    ax.plot(lengths, needed, color="black", ls="-.", label="$z = 1$, $n = 4000$")
    set_ticks(ax, x=lengths)
    ax.set_ylim(1e-6, 1)
    ax.legend(loc="upper left", fontsize=8)
    return figure


def draw_slices(by_angles, by_lengths):
    """Draw two slices through both losses of a pair in three dimensions.

    Parameters
    ----------
    by_angles : function
        Of the angles of two experts, in radians; returns the two excesses.
    by_lengths : function
        Of the lengths of gate and expert difference; returns the two excesses.

    Returns
    -------
    figure : Figure
        Four panels: least squares above, likelihood below, angles left, lengths right.
    """
    sides, degrees = np.linspace(0.1, 4, 31), np.linspace(-180, 180, 31)
    angles = _logarithms(by_angles, np.radians(degrees))
    lengths = _logarithms(by_lengths, sides)
    words = {
        "xlabel": ["angle of $a_1$, degrees", "gate length $|w|$"] * 2,
        "ylabel": ["angle of $a_2$, degrees", r"difference $|\delta|$"] * 2,
    }
    titles = [LOSSES[0]] * 2 + [LOSSES[1]] * 2
    figure, axes = panels(titles, (6.4, 5.0), rows=2, layout={"dpi": 85}, **words)
    for i, (left, right) in enumerate(axes.reshape(2, 2)):
        shading = _shade(left, degrees, angles[i], i, marks={"o": [(0, 90)]})
        _shade(right, sides, lengths[i], i, marks={"o": [(1, 2**0.5)]})
        set_ticks(left, x=[-180, -90, 0, 90, 180], y=[-180, -90, 0, 90, 180])
        figure.colorbar(shading, ax=[left, right], label=EXCESS[i])
    return figure


def explore_torus(turned, lengths, at_swap):
    """Make the figure of both losses over the turns of gate and expert difference.

    Parameters
    ----------
    turned : function
        Of the gate length R and two angles, in radians; returns the two excesses.
    lengths : list of float
        The values of R.
    at_swap : (l, 2) array
        The two excesses at the swap, for each R.

    Returns
    -------
    figure : Explore
        With a slider for R.
    """
    costs = dict(zip(lengths, at_swap))

    def alt(R):
        squares, nats = costs[R]
        return (
            f"R = {R:g}. Least squares has dark basins at the truth, at its relabelling and at the "
            f"swap, where the excess is {number(squares, '.1e')}; the likelihood's excess at the "
            f"swap, with the noise known, is {nats:.0f} nats."
        )

    return explore(
        lambda R: draw_torus(partial(turned, R)),
        alt=alt,
        caption="Log of the excess loss. Circles: the truth; square: the swap.",
        labels={"R": "gate length R"},
        start={"R": 1.0},
        dpi=96,
        R=lengths,
    )


def draw_torus(turned):
    """Draw both losses over the turns of gate and expert difference.

    Parameters
    ----------
    turned : function
        Of two angles, in radians; returns the two excesses.

    Returns
    -------
    figure : Figure
        Two panels, with the truth and the swap marked.
    """
    values = _logarithms(turned, np.radians(TORUS))
    words = {"xlabel": r"$\varphi$, degrees", "ylabel": [r"$\psi$, degrees"] * 2}
    figure, axes = panels(LOSSES, (7.0, 3.3), **words)
    for i, ax in enumerate(axes):
        shading = _shade(ax, TORUS, values[i], i, marks=TORUS_MARKS, step=0.5)
        set_ticks(ax, x=[0, 90, 180], y=[0, 90, 180])
        figure.colorbar(shading, ax=ax)
    return figure


def _logarithms(excesses, places):
    """Of two excesses over a square of places, rows from below: (2, m, m)."""
    values = np.array([[excesses(u, v) for u in places] for v in places])
    return np.log10(np.maximum(np.moveaxis(values, 2, 0), 1e-9))


def _shade(ax, places, values, i, *, marks, step=1.0):
    levels = np.arange(LOWEST[i], HIGHEST[i], step)
    return draw_plane(ax, places, places, values, levels=levels, extend="both", marks=marks)


def draw_spectra(lengths, spectra, predicted, measured):
    """Draw curvatures of both losses at the truth, and the errors that they predict.

    Parameters
    ----------
    lengths : (m,) list of float
        Gate lengths R.
    spectra : (m, 2, q) array
        Eigenvalues for least squares and for the likelihood.
    predicted : (m, 2) array
        Root mean square errors of the experts.
    measured : dict of float
        Gate length -> error of least squares.

    Returns
    -------
    figure : Figure
        Three panels, logarithmic.
    """
    words = {
        "xlabel": ["gate length $R$"] * 3,
        "ylabel": ["eigenvalue", "eigenvalue", "predicted, $n = 4000$"],
    }
    logarithmic = {"xscale": "log", "yscale": "log"}
    figure, axes = panels([*LOSSES, "expert error"], (6.8, 2.6), **words, **logarithmic)
    for i, name in enumerate(LOSSES):
        axes[i].plot(lengths, spectra[:, i], color=PALETTE[i], ls="-", marker="", lw=1)
        axes[2].plot(lengths, predicted[:, i], label=name, **expert_style(i))
    axes[2].plot(list(measured), list(measured.values()), "k*", ms=9, label="measured")
    axes[2].set_ylim(1e-3, 40)
    axes[2].legend(loc="upper right", fontsize=8)
    fractions = {0.25: "¼", 0.5: "½"}
    for ax in axes:
        set_ticks(ax, x={R: fractions.get(R, f"{R:g}") for R in lengths})
    return figure


def draw_success(designs, shares, low, high):
    """Draw how often least squares is right, for designs beside each other.

    Parameters
    ----------
    designs : list of (str, float)
        Link and gate length.
    shares, low, high : (m, 2) array
        With the lowest loss of five starts and from the first, and the ends of their intervals.

    Returns
    -------
    figure : Figure
        Two points with bars for each design.
    """
    words = {
        "xlabel": "link and gate length",
        "ylabel": r"share with $E_{\mathrm{reg}} < 0.1$",
    }
    figure, ax = panel((6.8, 3.5), ylim=(-0.03, 1.25), **words)
    columns = {"first start": 1, "lowest loss of 5": 0}
    bars = {name: (shares[:, i], low[:, i], high[:, i]) for name, i in columns.items()}
    draw_intervals(ax, bars, apart=0.2, ls="")
    set_ticks(ax, x={i: f"{link}\n$R = {R:g}$" for i, (link, R) in enumerate(designs)})
    ax.tick_params(axis="x", labelsize=9)
    ax.legend(ncols=2, loc="upper center")
    return figure


def draw_scatter(fits, right):
    """Draw training losses of many starts, all data sets together and each by itself.

    Parameters
    ----------
    fits : (s, m, 2) array
        For s data sets and m starts: training loss minus the truth's, and error of the experts.
    right : (s,) array
        Training loss minus the truth's of the fit climbed from the truth.

    Returns
    -------
    figure : Figure
        Losses against errors, and losses minus that of the fit climbed from the truth in a row for
        each data set, filled where the error is below 0.1.
    """
    words = {
        "xlabel": ["loss minus truth's, $10^{-3}$", "loss minus right basin's, $10^{-3}$"],
        "ylabel": [r"$E_{\mathrm{reg}}$", "data set"],
    }
    figure, (pooled, each) = panels(["pooled", "each data set"], (7.2, 3.2), **words)
    losses, errors = np.moveaxis(fits, 2, 0)
    found, gaps = errors < 0.1, 1000 * (losses - right[:, None])
    rows = np.broadcast_to(np.arange(len(right))[:, None], gaps.shape)
    for i, chosen in enumerate((~found, found)):
        look = {"color": PALETTE[1 - i], "ls": "", "mfc": "none" if i == 0 else None, "ms": 5 + i}
        look |= {"marker": "o" if i == 0 else "D", "label": ["wrong", "right"][i]}
        pooled.plot(1000 * losses[chosen], errors[chosen], **look)
        each.plot(gaps[chosen], rows[chosen], **look)
    each.axvline(0, color="0.4", lw=1)
    set_ticks(each, y=range(len(right)))
    each.invert_yaxis()
    each.legend(loc="lower right", fontsize=8)
    return figure
