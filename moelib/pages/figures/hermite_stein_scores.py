"""The figures of the chapter *Hermite polynomials, Stein's lemma, score tensors*."""

from functools import partial

import numpy as np

from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE

PATTERNS = {
    "$S_2[u,u]$": "uu",
    "$S_3[u,u,u]$": "uuu",
    "$S_4[u,u,u,u]$": "uuuu",
    "$S_2[u,v]$": "uv",
    "$S_4[u,u,v,v]$": "uuvv",
    "$S_4[u,u,v,v]$, 45°": "uutt",
}
DIRECTIONS = {"u": np.array([1.0, 0.0]), "v": np.array([0.0, 1.0]), "t": np.sqrt([0.5, 0.5])}


def draw_hessian(truth, products):
    """Draw the entries of a symmetric matrix estimated as a mean, against the true ones.

    Parameters
    ----------
    truth : (d, d) array
        The matrix.
    products : (n, d, d) array
        Whose mean estimates it.

    Returns
    -------
    figure : Figure
        A point for each entry on and above the diagonal, with four standard errors.
    """
    upper = np.triu_indices(len(truth))
    estimate = products.mean(axis=0)[upper]
    bar = 4 * products.std(axis=0)[upper] / np.sqrt(len(products))
    words = {"xlabel": "entry of the true average Hessian", "ylabel": "estimate"}
    figure, ax = panel((5.2, 3.6), **words)
    ends = np.array([truth.min(), truth.max()]) * 1.15
    ax.plot(ends, ends, "-", color="0.6", lw=1)
    entries = {"entries": (estimate, estimate - bar, estimate + bar)}
    draw_intervals(ax, entries, truth[upper], ls="", ms=4)
    return figure


def explore_taylor(grid, smooth, polynomials, sizes):
    """Make the figure of a smoothed ReLU and of Taylor polynomials learned from samples.

    Parameters
    ----------
    grid : (l,) array
        Shifts, with 0 among them.
    smooth : (l,) array
        The smoothed ReLU there.
    polynomials : function
        Of an order and a number of samples; returns a (seeds, l) array.
    sizes : list of int
        The numbers of samples.

    Returns
    -------
    figure : Explore
        With sliders for the order and the samples.
    """
    return explore(
        partial(_draw_taylor, grid, smooth, polynomials),
        alt=partial(_taylor_alt, grid, smooth, polynomials),
        caption="The smoothed ReLU, and polynomials made of label moments.",
        labels={"m": "order m", "n": "samples n"},
        formats={"n": ","},
        dpi=96,
        m=[0, 1, 2, 4, 6, 8],
        n=sizes,
    )


def _draw_taylor(grid, smooth, polynomials, m, n):
    figure, ax = panel((5.6, 3.2), xlabel="shift $s$", ylabel="value", ylim=(-0.8, 4.4))
    ax.plot(grid, np.maximum(grid, 0), "-", color="0.6", lw=1, label="ReLU")
    for i, curve in enumerate(polynomials(m, n)[:5]):
        name = "Taylor polynomial, 5 seeds" if i == 0 else None
        ax.plot(grid, curve, "--", color=PALETTE[1], lw=1.1, label=name)
    ax.plot(grid, smooth, "-", color=PALETTE[0], label="$F$, smoothed")
    ax.legend(loc="upper left")
    return figure


def _taylor_alt(grid, smooth, polynomials, m, n):
    gap = np.abs(polynomials(m, n)[:5] - smooth)
    near, far = gap[:, np.abs(grid) <= 1].max(), gap.max()
    return (
        f"Order {m}, {n:,} samples: the five polynomials stay within "
        f"{near:.2f} of F for |s| up to 1 and {far:.1f} for |s| up to {grid.max():g}."
    )


def draw_patterns(score):
    """Draw contractions of score tensors over the plane, weighted by the normal density.

    Parameters
    ----------
    score : function
        Of inputs (n, 2) and m directions (2,); returns the contractions of S_m, (n,).

    Returns
    -------
    figure : Figure
        Six panels, each scaled to its own maximum, with a sign on every hill.
    """
    axis = np.linspace(-3.6, 3.6, 121)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(-np.sum(plane**2, axis=1) / 2)
    figure, axes = panels(
        list(PATTERNS),
        (6.8, 4.7),
        rows=2,
        xlabel="$x_1$",
        ylabel="$x_2$",
        layout={"sharex": True, "sharey": True},
        aspect="equal",
    )
    for ax, names in zip(axes, PATTERNS.values()):
        values = score(plane, *(DIRECTIONS[name] for name in names))
        image = (values * density / np.abs(values * density).max()).reshape(121, 121)
        ax.contourf(axis, axis, image, np.linspace(-1, 1, 12), cmap="PuOr")
        signs = values.reshape(121, 121)
        ax.contour(axis, axis, signs, [0], colors="0.2", linewidths=1)
        _write_signs(ax, axis, image)
        set_ticks(ax, x=[-3, 0, 3], y=[-3, 0, 3])
        ax.grid(False)
    return figure


def _write_signs(ax, axis, image):
    """Write + on every hill of an image and − in every hollow."""
    from scipy.ndimage import maximum_filter

    circle = {"boxstyle": "circle,pad=0.05", "fc": "white", "ec": "none"}
    look = {"ha": "center", "va": "center", "fontsize": 13, "color": "k", "bbox": circle}
    for sign, name in ((1, "+"), (-1, "−")):
        peak = sign * image == maximum_filter(sign * image, 15)
        for row, column in np.argwhere(peak & (sign * image > 0.05)):
            ax.text(axis[column], axis[row], name, **look)


def draw_price(sizes, errors, constants):
    """Draw the errors of moments against the number of samples, beside what is predicted.

    Parameters
    ----------
    sizes : (s,) array
        Numbers of samples.
    errors : (seeds, s, m) array
        Errors of the moments of orders 1 to m.
    constants : (m,) array
        The prediction is a constant over the square root of the number of samples.

    Returns
    -------
    figure : Figure
        Root mean squares with the range of the seeds, and lines.
    """
    words = {"xlabel": "samples $n$", "ylabel": "error, Frobenius norm"}
    figure, ax = panel((6.0, 3.6), xscale="log", yscale="log", **words)
    rms = np.sqrt(np.mean(errors**2, axis=0))
    ranges = np.stack([rms, errors.min(axis=0), errors.max(axis=0)])
    measured = {f"order {i + 1}": ranges[:, :, i] for i in range(rms.shape[1])}
    draw_intervals(ax, measured, sizes, ls="")
    lines = {i: c / np.sqrt(sizes) for i, c in enumerate(constants)}
    draw_curves(ax, lines, sizes, marker="", lw=1, label=None)
    set_ticks(ax, x=sizes, form=",")
    set_ticks(ax, y=[0.03, 0.1, 0.3, 1, 3])
    ax.legend(ncols=2)
    return figure
