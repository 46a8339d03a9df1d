"""The figures and tables of the chapter *Likelihood and EM*."""

import numpy as np

from moelib.pages.intervals import share_interval
from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.numbers import low_to_high, number
from moelib.pages.plots import draw_curves, draw_grid
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE
from moelib.pages.tables import show_table

RIGHT, WRONG = {"color": PALETTE[0], "ls": "-"}, {"color": PALETTE[1], "ls": "--"}
DEFICIT = "deficit in log-likelihood\n(nats per sample)"
NOISE = 0.05  # of the standard design


def draw_climbs(climbs, tops, right):
    """Draw how far below the maximum near the truth climbs are, step by step.

    Parameters
    ----------
    climbs : dict of list of Climb
        What is written above a panel -> one climb for each data set.
    tops : list of float
        The log-likelihood at that maximum, for each data set.
    right : list of list of bool
        For each panel and data set, whether the experts are right in the end.

    Returns
    -------
    figure : Figure
        A panel for each entry of `climbs`.
    """
    words = {"xlabel": ["iteration"] * len(climbs), "ylabel": DEFICIT, "layout": {"sharey": True}}
    axes_look = {"xscale": "symlog", "yscale": "log", "xlim": (0, 300), "ylim": (5e-7, 1e3)}
    figure, axes = panels(list(climbs), **words, **axes_look)
    for ax, fits, verdicts in zip(axes, climbs.values(), right):
        set_ticks(ax, x=[0, 1, 10, 100])
        for fit, top, good in zip(fits, tops, verdicts):
            ax.plot(np.maximum(top - np.array(fit.history), 1e-6), lw=1.3, **_look(good))
    _explain(axes[0], {"experts right": True, "experts wrong": False}, loc="lower left")
    return figure


def draw_speeds(deficits, passes=()):
    """Draw how fast climbs from one start come near the maximum.

    Parameters
    ----------
    deficits : dict of array
        Name of a method -> how far below the maximum it is, at the start and after every step.
    passes : dict of float, optional
        Name of a method -> how often it reads the data in all, where that is not once a step.

    Returns
    -------
    figure : Figure
        One panel, logarithmic in both directions.
    """
    words = {"xlabel": "passes over the data, counted from 1", "ylabel": DEFICIT}
    figure, ax = panel((6.4, 3.5), xscale="log", yscale="log", ylim=(1e-10, 10), **words)
    for i, (name, gap) in enumerate(deficits.items()):
        total = dict(passes).get(name, len(gap) - 1)
        steps, heights = 1 + np.linspace(0, total, len(gap)), np.maximum(gap, 1e-12)
        draw_curves(ax, {name: heights}, steps, first=i, marker="")
    ax.legend()
    return figure


def show_verdicts(trials):
    """Show what was certified of the wrong ends of climbs.

    Parameters
    ----------
    trials : dict of list
        What was run -> for each climb None, or its stationary point, how far that lies from the
        truth in the loss, and the model.

    Returns
    -------
    table : DataFrame
        Of text: how many points, the power of ten above their largest gradient, their smallest
        eigenvalue, and the least and the largest deficit.
    """
    rows = {}
    for name, ends in trials.items():
        found = [end for end in ends if end]
        rows[name] = [f"{len(found)} / {len(ends)}", None, None, None]
        if found:
            points, deficits, _ = zip(*found)
            steepest = max(point.gradient_norm for point in points)
            flattest = min(point.eigenvalues[0] for point in points)
            power = 10 ** np.ceil(np.log10(max(steepest, 1e-300)))
            sizes = number(power, ".0e"), number(flattest, ".1e")
            rows[name][1:] = *sizes, low_to_high(deficits, ".2f")
    columns = ["found / starts", "gradient below", "eigenvalue", "deficit"]
    return show_table(rows, columns, name="method, noise")


def draw_peaks(models, truth):
    """Draw the cosine of each fitted expert to each true one, rows sorted by their nearest column.

    Parameters
    ----------
    models : dict of GatedModel
        What is known of the noise -> where a climb ended.
    truth : GatedModel
        The true model.

    Returns
    -------
    figure : Figure
        A panel for each model.
    """
    titles = [f"noise {noise}, σ = {model.noise:.2f}" for noise, model in models.items()]
    words = {"xlabel": ["true expert"] * len(models), "ylabel": "fitted expert"}
    figure, axes = panels(titles, (7.2, 3.5), layout={"sharey": True}, **words)
    numbers = range(1, truth.n_experts + 1)
    for ax, model in zip(axes, models.values()):
        lengths = np.outer(*(np.linalg.norm(m.experts, axis=1) for m in (model, truth)))
        cosines = model.experts @ truth.experts.T / lengths
        order = np.argsort(np.argmax(np.abs(cosines), axis=1), kind="stable")
        look = {"vmin": -1, "vmax": 1, "cmap": "PuOr", "aspect": "equal"}
        image = draw_grid(ax, cosines[order], form=".1f", names=(numbers, numbers), **look)
    figure.colorbar(image, ax=axes, shrink=0.8, label="cosine")
    return figure


def draw_noise(climbs, right, *, n_steps):
    """Draw the noise along climbs that learn it, and a schedule that lowers it by hand.

    Parameters
    ----------
    climbs : list of Climb
        From noise that is learned.
    right : list of bool
        Whether the experts of a climb are right in the end.
    n_steps : int
        How many steps the schedule takes from the first noise of the last climb to the true one.

    Returns
    -------
    figure : Figure
        One panel.
    """
    words = {"xlabel": "iteration", "ylabel": "noise σ (units of y)"}
    figure, ax = panel((5.8, 3.1), yscale="log", xlim=(0, 70), **words)
    for climb, good in zip(climbs, right):
        ax.plot([model.noise for model in climb.path], lw=1.2, **_look(good))
    schedule = np.geomspace(climbs[-1].path[0].noise, NOISE, n_steps)
    ax.plot(schedule, ":", color="black", lw=2.2, label="annealed by hand")
    ax.axhline(NOISE, color="0.5", lw=0.8, ls="-")
    set_ticks(ax, y=[0.05, 0.1, 0.2, 0.5, 1])
    _explain(ax, {"learned, right": True, "learned, wrong": False})
    return figure


def show_wins(results):
    """Show how many fits are right, with 95 % intervals.

    Parameters
    ----------
    results : dict of (5, n) array of bool
        Number of experts -> for EM with the noise known, learned and annealed, minibatch Adam and
        pruned EM, whether the fit is right on each data set.

    Returns
    -------
    table : DataFrame
        Of text.
    """
    rows = {}
    for k, right in results.items():
        wins, of = np.sum(right, axis=1), len(right[0])
        ends = zip(wins, *share_interval(wins, of))
        rows[k] = [of] + [f"{win} [{low:.2f}, {high:.2f}]" for win, low, high in ends]
    columns = ["of", "EM, known", "learned", "annealed", "minibatch Adam", "pruned EM"]
    return show_table(rows, columns, name="k")


def draw_two_cuts(X, y, truth, models):
    """Draw labels in the plane of gate and expert difference, and how models cut that plane.

    Parameters
    ----------
    X, y : (n, d) array, (n,) array
        The data; the first 300 are drawn.
    truth : GatedModel
        Two experts; their half-sum is taken off the labels.
    models : dict of GatedModel
        Title -> a model, of which the answer of the likelier expert is drawn.

    Returns
    -------
    figure : Figure
        A panel for the data and one for each model.
    """
    from matplotlib import colormaps

    (first, second), (gate,) = truth.experts, truth.gates
    axis = [v / np.linalg.norm(v) for v in (first - second, gate)]
    titles = ["labels", *models]
    words = {"xlabel": ["v, along δ"] * len(titles), "ylabel": "u, along the true gate"}
    figure, axes = panels(titles, (6.8, 2.7), layout={"sharey": True}, **words)
    look = {"vmin": -1.5, "vmax": 1.5, "cmap": colormaps["PuOr"].resampled(13)}
    X, y = X[:300], y[:300]  # what a small picture can hold
    rest = y - X @ (first + second) / 2
    image = axes[0].scatter(X @ axis[0], X @ axis[1], c=rest, s=6, **look)
    ticks = np.linspace(-2.5, 2.5, 120)
    plane = ticks[:, None] * axis[0] + ticks[:, None, None] * axis[1]
    for ax, model in zip(axes[1:], models.values()):
        inputs = plane.reshape(-1, len(gate))
        likelier = np.argmax(model.log_gate_probabilities(inputs), axis=1)[:, None]
        answers = np.take_along_axis(model.expert_means(inputs), likelier, axis=1)
        extent = (-2.5, 2.5, -2.5, 2.5)
        ax.imshow(answers.reshape(120, 120), origin="lower", extent=extent, **look)
        ax.grid(False)
    for ax in axes:
        ax.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
    figure.colorbar(image, ax=axes, shrink=0.8, label="y − ⟨s, x⟩")
    return figure


def explore_basins(angles, charts):
    """Let the reader change the noise and see which start ends where.

    Parameters
    ----------
    angles : (m,) array
        In degrees, at even distances.
    charts : dict of ((m, m) array, (m, m) array)
        Noise -> where EM and gradient EM end, from `moelib.likelihood.optima_reached`.

    Returns
    -------
    figure : Explore
        Two panels and a slider.
    """
    return explore(
        lambda sigma: _draw_basins(angles, charts[sigma]),
        alt=lambda sigma: _tell_basins(*charts[sigma]),
        caption="Where each pair of starting angles ends, n = 300.",
        dpi=96,
        labels={"sigma": "noise σ"},
        sigma=list(charts),
    )


def _draw_basins(angles, pair):
    from matplotlib.colors import ListedColormap

    half = (angles[1] - angles[0]) / 2
    edges = (angles[0] - half, angles[-1] + half)
    words = {"xlabel": ["start of expert 1, φ₁ (degrees)"] * 2, "layout": {"sharey": True}}
    words["ylabel"] = "start of expert 2, φ₂ (degrees)"
    figure, axes = panels(["EM", "gradient EM"], (7.0, 3.7), **words)
    colors = ListedColormap([PALETTE[4], PALETTE[1], "black"])
    for ax, ends in zip(axes, pair):
        ax.imshow(ends.T, origin="lower", cmap=colors, vmin=0, vmax=2, extent=edges * 2)
        ax.plot(0, 90, "o", color="white", mec="black", ms=9)
        ax.plot(90, 0, "s", color="white", mec="black", ms=9)
        set_ticks(ax, x=[-180, -90, 0, 90], y=[-180, -90, 0, 90])
        ax.grid(False)
    return figure


def _tell_basins(em, gradient_em):
    m = len(em)
    strays = [np.sum(ends == 2) - m for ends in (em, gradient_em)]
    return (
        "Light starts end at the true order (circle), darker ones at the exchanged order (square), "
        f"black ones elsewhere: the diagonal, and off it {strays[0]} starts of EM and {strays[1]} "
        f"of gradient EM, of {m * (m - 1)}. "
        f"The two maps differ at {np.mean(em != gradient_em):.0%} of the starts."
    )


def _look(right):
    return RIGHT if right else WRONG


def _explain(ax, looks, **options):
    """A legend of the two looks."""
    for label, right in looks.items():
        ax.plot([], [], label=label, **_look(right))
    ax.legend(**options)
