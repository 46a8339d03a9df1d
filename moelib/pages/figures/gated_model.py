"""The figures of the chapter *The gated model*."""

import numpy as np

from moelib.pages.layout import panels
from moelib.pages.numbers import number
from moelib.pages.plots import draw_curves
from moelib.pages.sliders import explore
from moelib.pages.style import expert_color, expert_style

HALF = 2.5  # of the side of the square that is shown of the plane
BUMPS = ["no bump", "one bump", "two bumps", "three bumps"]


def draw_road(road, X, y, z):
    """Draw labels along a road, without and with the experts that gave them.

    Parameters
    ----------
    road : GatedModel
        Whose experts would each give a straight line.
    X : (n, 2) array
        Places on the road, in order, beside a column of ones.
    y : (n,) array
        Labels.
    z : (n,) int array
        Which expert answered.

    Returns
    -------
    figure : Figure
        Two panels: what you see, and what happened.
    """
    titles, layout = ["what you see", "what happened"], {"sharey": True}
    words = {"xlabel": ["place $s$ on the road"] * 2, "ylabel": "label $y$"}
    figure, (seen, happened) = panels(titles, (7.2, 3.4), layout=layout, **words)
    s = X[:, 0]
    seen.scatter(s, y, s=12, color="0.35")
    for i, line in enumerate(road.expert_means(X).T):
        style = expert_style(i)
        happened.plot(s, line, "-", color=style["color"], lw=1)
        look = {"color": style["color"], "marker": style["marker"], "label": f"expert {i + 1}"}
        happened.scatter(s[z == i], y[z == i], s=16, **look)
    seen.set_ylim(-3.1, 3.1)
    happened.legend(loc="lower center", ncols=3, handletextpad=0.1, columnspacing=0.6)
    return figure


def explore_leaders(plane_model, star, shares_right, bumps):
    """Make the figure of a model in the plane: who leads the gate, and the label at one input.

    Parameters
    ----------
    plane_model : function
        Of a gate length R and a noise sigma; returns a GatedModel of two inputs.
    star : (2,) array
        The input.
    shares_right : function
        Of R and sigma; returns how often the best guess of the expert is right, from the input
        and from input and label.
    bumps : function
        Of R and sigma; returns how many peaks the density at the star has.

    Returns
    -------
    figure : Explore
        With sliders for R and sigma.
    """

    def alt(R, sigma):
        x_only, both = shares_right(R, sigma)
        plane = "Three sectors" if R else "A blank plane"
        count = BUMPS[bumps(R, sigma)]
        return (
            f"{plane}; at the star the density has {count}. The best guess of the expert is right "
            f"{number(x_only, '.0%')} of the time from the input, {number(both, '.0%')} from input "
            "and label."
        )

    return explore(
        lambda R, sigma: draw_leaders(plane_model(R, sigma), star),
        alt=alt,
        caption="(a) Who leads, darker where surer. (b) Density of the label.",
        labels={"R": "gate length R", "sigma": "noise σ"},
        start={"R": 2, "sigma": 0.1},
        dpi=96,
        R=[0, 1, 2, 4, 8],
        sigma=[0.05, 0.1, 0.2, 0.5, 1.0],
    )


def draw_leaders(model, star):
    """Draw who leads the gate where in the plane, and the density of the label at one input.

    Parameters
    ----------
    model : GatedModel
        Of two inputs.
    star : (2,) array
        The input.

    Returns
    -------
    figure : Figure
        Two panels: the plane, darker where the leader is surer, and the density by experts.
    """
    titles, layout = ["who leads the gate", "density at the star"], {"width_ratios": [1, 1.25]}
    words = {"xlabel": ["$x_1$", "label $y$"], "ylabel": ["$x_2$", "density"]}
    figure, (plane, density) = panels(titles, (6.9, 3.1), layout=layout, **words)
    _shade(plane, model)
    plane.plot(*star, marker="*", color="black", markersize=12)
    y = np.linspace(-3, 3, 1201)
    parts = np.exp(model.log_joint(np.tile(star, (len(y), 1)), y))
    density.fill_between(y, parts.sum(axis=1), color="0.85", label="all")
    shares = model.gate_probabilities(np.reshape(star, (1, 2)))[0]
    names = [f"{i}: {number(share, '.0%')}" for i, share in enumerate(shares, 1)]
    draw_curves(density, dict(zip(names, parts.T)), y, marker="")
    density.set_ylim(0, 1.3 * parts.sum(axis=1).max())
    density.legend(loc="upper center", ncols=4, fontsize=9, columnspacing=0.7, handlelength=1.5)
    return figure


def _shade(ax, model, points=101):
    """Colour each point of a square by the expert who leads there, in four steps of surety."""
    from matplotlib.colors import to_rgb

    side = np.linspace(-HALF, HALF, points)
    p = model.gate_probabilities(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2))
    surety = np.ceil(4 * np.clip(p.max(axis=1) - 0.34, 0, 0.6)) / 5
    colors = np.array([to_rgb(expert_color(i)) for i in range(p.shape[1])])[p.argmax(axis=1)]
    image = (1 - surety[:, None] * (1 - colors)).reshape(points, points, 3)
    ax.imshow(image, origin="lower", extent=(-HALF, HALF) * 2, interpolation="nearest")
    ax.grid(False)
    gates = np.vstack([model.gates, np.zeros(2)])
    for i, w in enumerate(gates - gates.mean(axis=0), 1):
        if np.any(w):
            look = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 13}
            ax.text(*(1.7 * w / np.linalg.norm(w)), str(i), **look)


def draw_marginals(samples, predicted):
    """Draw the density of each expert's labels beside what is predicted for all of them.

    Parameters
    ----------
    samples : dict of (array, array)
        Name of a design -> labels, and which expert gave them.
    predicted : float
        Variance of the normal density that is predicted.

    Returns
    -------
    figure : Figure
        A panel for each design.
    """
    from scipy.stats import norm

    layout, limits = {"sharey": True}, {"xlim": (-4, 4), "ylim": (0, 0.8)}
    words = {"xlabel": ["label $y$"] * len(samples), "ylabel": "density"}
    figure, axes = panels(list(samples), (7.2, 2.9), layout=layout, **words, **limits)
    edges = np.linspace(-4, 4, 49)
    for ax, (y, z) in zip(axes, samples.values()):
        normal = norm.pdf(edges, scale=np.sqrt(predicted))
        ax.fill_between(edges, normal, color="0.8", label="predicted")
        experts = range(z.max() + 1)
        heights = {f"expert {i + 1}": _histogram(y[z == i], edges) for i in experts}
        draw_curves(ax, heights, (edges[1:] + edges[:-1]) / 2, marker="")
    axes[0].legend(loc="upper left", fontsize=8, handlelength=2, labelspacing=0.2)
    return figure


def _histogram(y, edges):
    return np.histogram(y, edges, density=True)[0]
