"""The figures of the chapter *Transforming the label*."""

from functools import partial

import numpy as np

from moelib.hermite import hermite
from moelib.links import as_link
from moelib.pages.layout import panel, panels
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.quadrature import gaussian_rule

NAMES = {"relu": "ReLU", "leaky_relu": "leaky ReLU"}
SEEN = ["$h_1$", "$h_2$", "$h_3$", "$h_4$"]
LIMITS = (-9, 20)


def draw_label_powers(entries):
    """Draw entries of a fourth moment, one for each direction but the first, for some transforms.

    Parameters
    ----------
    entries : dict of (s, d) array
        What the legend says -> the entries of s samples, direction by direction.

    Returns
    -------
    figure : Figure
        Means with four standard errors.
    """
    words = {"xlabel": "direction $j$", "ylabel": "entry $[e_1, e_1, e_j, e_j]$"}
    figure, ax = panel((6.4, 3.2), **words)
    means = {}
    for name, runs in entries.items():
        middle = runs.mean(axis=0)[1:]
        bar = 4 * runs.std(axis=0, ddof=1)[1:] / np.sqrt(len(runs))
        means[name] = middle, middle - bar, middle + bar
    index = np.arange(2, len(middle) + 2)
    draw_intervals(ax, means, index, apart=0.24, ls="", ms=6)
    ax.axhline(0, color="0.35", lw=1)
    ax.set_xticks(index)
    ax.legend(loc="upper right")
    return figure


def draw_label_correlations(correlations):
    """Draw the correlations of the polynomial transforms against the noise.

    Parameters
    ----------
    correlations : DataFrame
        A row for each link; columns are pairs of an order and a noise.

    Returns
    -------
    figure : Figure
        A panel for each order.
    """
    orders = correlations.columns.unique(0)
    figure, axes = panels(
        [f"order {m}" for m in orders],
        (7.2, 3.5),
        xlabel=["noise $\\sigma$"] * len(orders),
        ylabel=[f"$R_{m}$" for m in orders],
        xscale="log",
        yscale="log",
    )
    for ax, m in zip(axes, orders):
        draw_curves(ax, correlations[m].rename(index=NAMES).T, markevery=6)
    axes[0].legend(loc="lower left")
    return figure


def draw_seen_in_labels(link, seen):
    """Draw what labels say of the first four Hermite polynomials, at some noise levels.

    Parameters
    ----------
    link : str
        The link.
    seen : dict of (array, array)
        Noise -> labels (n,) and the conditional means h_0, ..., h_4 there, (5, n).

    Returns
    -------
    figure : Figure
        A panel for each noise level, on one scale; in the first the fourth polynomial itself.
    """
    figure, axes = panels(
        [f"noise {sigma:g}" for sigma in seen],
        (7.2, 3.6),
        xlabel=["label $y$"] * len(seen),
        ylabel="$h_j(y)$",
        layout={"sharey": True},
    )
    far = np.linspace(0.3, 3.7, 50)
    axes[0].plot(far, hermite(4, far), color="0.75", lw=7, zorder=1)
    for ax, (sigma, (y, h)) in zip(axes, seen.items()):
        _draw_seen(ax, link, sigma, y, h, LIMITS)
    axes[-1].legend(loc="upper left")
    return figure


def _draw_seen(ax, link, sigma, y, h, limits=None):
    """Four curves over the square root of the density of the labels."""
    z, weight = gaussian_rule()
    away = (y[:, None] - as_link(link).value(z)) / sigma
    density = np.exp(-0.5 * away**2) @ weight
    ax.axhline(0, color="0.6", lw=0.8)
    draw_curves(ax, dict(zip(SEEN, h[1:])), y, markevery=60)
    low, high = limits or ax.get_ylim()
    shade = low + 0.25 * (high - low) * np.sqrt(density / density.max())
    ax.fill_between(y, low, shade, color="0.88", lw=0, zorder=0)
    ax.set_ylim(low, high)


def draw_link_family(thetas, family):
    """Draw the correlations of two transforms for links between the line and the ReLU.

    Parameters
    ----------
    thetas : (n,) array
        The parameter of the links; 1 is GELU.
    family : dict of (n,) array
        What the legend says -> correlations.

    Returns
    -------
    figure : Figure
        The curves, a line at zero and one at GELU.
    """
    figure, ax = panel((6.4, 3.2), xlabel="$\\theta$", ylabel="$R_4$")
    draw_curves(ax, family, thetas, markevery=0.12)
    ax.axhline(0, color="0.35", lw=1)
    ax.axvline(1, color="0.35", lw=1, ls=":")
    ax.text(1.03, 0.85, "GELU")
    ax.legend()
    return figure


def explore_transforms(seen, both):
    """Make the figure of what a label says, and of the two transforms made of it.

    Parameters
    ----------
    seen : function
        Of a link and a noise; returns labels (n,) and h_0, ..., h_4 there, (5, n).
    both : function
        Of an order, a link and a noise; returns the polynomial transform and the optimal one.

    Returns
    -------
    figure : Explore
        With sliders for the link and the noise.
    """
    return explore(
        partial(_draw_transforms, seen, both),
        alt=partial(_transforms_alt, both),
        caption="What a label says, and the two transforms made of it.",
        labels={"sigma": "noise σ"},
        dpi=96,
        link=["relu", "tanh"],
        sigma=[0.05, 0.1, 0.2, 0.5, 1.0],
    )


def _draw_transforms(seen, both, link, sigma):
    titles, words = ["what a label says", "two transforms"], {"xlabel": ["label $y$"] * 2}
    figure, (left, right) = panels(titles, (6.4, 2.9), ylabel=["$h_j(y)$", "$T(y)$"], **words)
    y, h = seen(link, sigma)
    _draw_seen(left, link, sigma, y, h)
    left.legend(ncols=2, fontsize=8)
    plain, best = both(4, link, sigma)
    right.axhline(0, color="0.6", lw=0.8)
    draw_curves(right, {"$Q_4/c_4$": plain(y) / plain.c, "$T_4$": best(y)}, y, markevery=60)
    right.legend(fontsize=8)
    return figure


def _transforms_alt(both, link, sigma):
    plain, best = both(4, link, sigma)
    return (
        f"{link}, noise {sigma:g}: R4 is {plain.correlation:.3f} for the "
        f"polynomial and {best.correlation:.3f} for the optimal transform."
    )
