"""The figures and the tables of methods of the chapter *The whole pipeline*."""

from functools import partial

import numpy as np
import pandas as pd

from moelib.pages.layout import panel, panels, set_ticks
from moelib.pages.plots import draw_dots, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE, expert_style

RAW, ADAM = "two-loss, unrefined", "likelihood-sgd"
STAGES = {RAW: "two losses", "two-loss": "refined", "em": "EM", ADAM: "Adam"}
PARTS = ("expert", "gate", "noise")
CLIMBS = {ADAM: "minibatch Adam", "em": "EM", "em-pruned": "EM, pruned"}  # many experts
TWO = ("two losses, refined", "two-loss")
SPLIT, MINIBATCH = ("EM, split and merged", "em-split-merge"), ("minibatch Adam", ADAM)
CHOICES = {  # what to run first and its method, the same of the rival, and the raw experts
    "few experts (k = 3, n = 2000)": ("EM", "em", *TWO, RAW),
    "few samples (k = 3, n = 150)": ("EM, twice the experts, pruned", "em-pruned", "EM", "em", RAW),
    "few samples (k = 6, n = 500)": (*SPLIT, "EM, twice the experts, pruned", "em-pruned", RAW),
    "k = 8, n = 2000": (*SPLIT, *MINIBATCH, RAW),
    "k = 10, n = 4000": (*MINIBATCH, *SPLIT, RAW),
    "k = 16, n = 20,000": (*MINIBATCH, "full-batch Adam", "likelihood, adam", RAW),
    "correlated inputs (k = 3, ρ = 0.3)": ("EM", "em", *TWO, RAW),
    "ReLU (k = 3, n = 2000)": ("EM", "em", *TWO, RAW),
    "squared error only (k = 3, n = 2000)": (
        *("EM instead", "em", "least squares, minibatch Adam", "least-squares-sgd", RAW),
    ),
    "small noise known (k = 6, n = 1000)": (
        *("EM, noise learned all the same", "em", "EM, noise frozen", "em, frozen noise", RAW),
    ),
    "k = 16, a stream of 4·10⁶": (
        *("minibatch Adam on 20,000 of them", ADAM, "two losses on all, refined", "refined", "l4"),
    ),
}


def draw_stages(paths):
    """Draw the errors along the two last stages of fits.

    Parameters
    ----------
    paths : list of dict
        For each fit, "gates" and "refine" -> (steps, 2) array of the errors of experts and gates;
        the last of the gates and the first of the refinement are one. The first fit stands out.

    Returns
    -------
    figure : Figure
        Two panels; the gates end, and the refinement begins, at step 0.
    """
    words = {"xlabel": "step", "ylabel": "error, one minus the worst cosine", "yscale": "log"}
    figure, axes = panels(["experts", "gates"], **words, layout={"sharey": True})
    for i, path in reversed(list(enumerate(paths))):
        look = {"color": "0.7", "lw": 0.8} if i else {"color": PALETTE[0], "lw": 2.4}
        way = np.concatenate([path["gates"], path["refine"][1:]])
        steps = np.arange(len(way)) - len(path["gates"]) + 1
        for ax, errors in zip(axes, way.T):
            ax.plot(steps, errors, "-", **look)
    for ax in axes:
        low, high = ax.get_xlim()
        ax.axvspan(low, 0.5, color="0.93", lw=0)
        ax.set_xlim(low, high)
        place = {"transform": ax.get_xaxis_transform(), "fontsize": 9}
        ax.text(0, 0.02, "gates", ha="right", **place)
        ax.text(1, 0.93, "refinement", ha="left", **place)
    return figure


def explore_stages(line):
    """Let the reader change the number of samples and see four methods.

    Parameters
    ----------
    line : DataFrame
        Columns ``e_reg`` and ``e_gate``, a row for each data set; indexed by n and method.

    Returns
    -------
    figure : Explore
        Two panels and a slider.
    """
    return explore(
        partial(_draw_errors, line),
        alt=partial(_tell_errors, line),
        caption="Errors on twenty data sets, one start each; dashes are medians.",
        labels={"n": "samples n"},
        start={"n": 2000},
        dpi=90,
        n=sorted(line.index.unique("n")),
    )


def _draw_errors(line, n):
    words = {"xlabel": "method", "ylabel": "error", "layout": {"sharey": True}}
    figure, axes = panels(["experts", "gates"], (6.8, 3.3), **words)
    for ax, error in zip(axes, ("e_reg", "e_gate")):
        draw_dots(ax, {name: line.loc[(n, key), error] for key, name in STAGES.items()}, ms=6)
        ax.set(xlim=(-0.5, 3.5), ylim=(1e-6, 3), yscale="log")
    return figure


def _tell_errors(line, n):
    middle = {name: line.loc[(n, key), "e_reg"].median() for key, name in STAGES.items()}
    texts = [f"{value:.1g} {name}" for name, value in middle.items()]
    return f"At n = {n} the median expert errors are " + ", ".join(texts) + "."


def draw_coverage(rate, low, high):
    """Draw how far coverage is from its nominal level, in percentage points.

    Parameters
    ----------
    rate : DataFrame
        Columns are nominal levels; indexed by fit, n, noise and method (the part of the model).
    low, high : (levels,) array
        Where rates would lie if the coverage were exact.

    Returns
    -------
    figure : Figure
        A panel for each n, the larger first.
    """
    levels, sizes = rate.columns.to_numpy(), sorted(rate.index.unique("n"), reverse=True)
    words = {"xlabel": "nominal level", "ylabel": "points above nominal"}
    titles, places = [f"$n = {n}$" for n in sizes], np.arange(len(levels))
    figure, axes = panels(titles, (7.6, 3.4), **words, layout={"sharey": True})
    for ax, n in zip(axes, sizes):
        for place, *ends in zip(places, 100 * (low - levels), 100 * (high - levels)):
            ax.fill_between([place - 0.4, place + 0.4], *ends, color="0.88", lw=0)
        ax.axhline(0, color="0.35", lw=1)
        some = 100 * (rate.xs(n, level="n") - levels)
        for column, ((*_, part), row) in enumerate(some.iterrows()):
            x = places + 0.6 * (column / (len(some) - 1) - 0.5)
            label = part if column < len(PARTS) else None
            ax.plot(x, row, label=label, **expert_style(PARTS.index(part)) | {"linestyle": ""})
        set_ticks(ax, x=dict(zip(places, map("{:g}".format, levels))))
    axes[0].legend(ncols=3, loc="upper right", handlelength=1)
    return figure


def show_rivals(scores, methods, *, total=None):
    """Show how often each method finds the experts, and what that costs.

    Parameters
    ----------
    scores : dict of DataFrame
        Design -> columns ``found``, ``of`` and ``seconds`` (of a fit), a row for each method.
    methods : list of str
        The rows, from the top.
    total : int, optional
        Counts out of so many are written alone, as 3 for 3/20.

    Returns
    -------
    table : DataFrame
        Of text: counts, and after a comma seconds divided by the share that is found.
    """
    columns = {}
    for name, score in scores.items():
        price = score["seconds"] * score["of"] / score["found"]
        of = ("/" + score["of"].astype(str)).where(score["of"] != total, "")
        counts = score["found"].astype(str) + of
        some = score["found"] > 0
        columns[name] = counts.where(~some, counts + ", " + price.map(_two_digits))
    return pd.DataFrame(columns).reindex(methods).fillna("–")


def _two_digits(seconds):
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


def draw_many(ends, refined):
    """Draw the ends of climbs against their log-density, beside the two losses.

    Parameters
    ----------
    ends : dict of DataFrame
        Number of experts -> columns ``method``, ``log_density`` and ``e_reg``, a row for each
        start of `CLIMBS`.
    refined : dict of float
        Number of experts -> error of the two losses, refined.

    Returns
    -------
    figure : Figure
        A panel for each number of experts.
    """
    words = {"xlabel": "log-density minus the best", "ylabel": "$E_{\\mathrm{reg}}$"}
    words["yscale"] = "log"
    titles, layout = [f"$k = {k}$" for k in ends], {"sharex": True, "sharey": True}
    figure, axes = panels(titles, (7.2, 3.2), layout=layout, **words)
    for ax, (k, rows) in zip(axes, ends.items()):
        ax.axhline(refined[k], color="0.5", ls="--", label="two losses, refined")
        for i, (method, name) in enumerate(CLIMBS.items()):
            some = rows[rows["method"] == method]
            look = expert_style(i) | {"linestyle": "", "mfc": "none", "ms": 11 - 3 * i}
            gap = some["log_density"] - rows["log_density"].max()
            ax.plot(gap, some["e_reg"], label=name, **look)
        ax.set_ylim(1e-5, 2)
    axes[0].legend(loc="center left", fontsize=9)
    return figure


def show_choice(scores):
    """Show which method to run first, and how often it and its rival find the experts.

    Parameters
    ----------
    scores : list of DataFrame
        For each of `CHOICES` columns ``found``, ``of``, ``seconds`` (of a fit) and ``e_reg`` (the
        median), a row for each method.

    Returns
    -------
    table : Styler
        Of text: experts found, of how many fits; seconds; the median error of the unrefined.
    """
    rows = []
    for (situation, choice), score in zip(CHOICES.items(), scores, strict=True):
        first, method, second, rival, raw = choice
        texts = [
            f"{row.found}/{row.of}, {_two_digits(row.seconds)} s"
            for row in score.loc[[method, rival]].itertuples()
        ]
        last = score.loc[raw]
        unrefined = f"{last.found:.0f}/{last.of:.0f}, {last.e_reg:.2g}"
        rows.append([situation, first, texts[0], second, texts[1], unrefined])
    columns = ["situation", "run first", "found", "compared with", "found ", "raw experts"]
    return pd.DataFrame(rows, columns=columns).style.hide(axis="index")


def draw_correlation(rhos, sweep):
    """Draw what correlated inputs cost the raw experts, as they come and whitened.

    Parameters
    ----------
    rhos : (r,) array
        Correlations.
    sweep : (r, seeds, 2) array
        Errors as they come and whitened.

    Returns
    -------
    figure : Figure
        Medians and ranges.
    """
    words = {"xlabel": "correlation $\\rho$ between inputs", "ylabel": "raw $E_{\\mathrm{reg}}$"}
    figure, ax = panel((6.4, 3.0), yscale="log", **words)
    ends = np.stack([np.median(sweep, axis=1), sweep.min(axis=1), sweep.max(axis=1)])
    names = ("as they come, without (G)", "whitened, without (O)")
    draw_intervals(ax, dict(zip(names, np.moveaxis(ends, -1, 0))), rhos, band=True)
    ax.legend(loc="upper left")
    return figure
