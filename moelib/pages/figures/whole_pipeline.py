"""The figures and the table of choices of the chapter *The whole pipeline*."""

from functools import partial

import numpy as np
import pandas as pd

from moelib.pages.layout import panel, panels, set_ticks, shared_legend
from moelib.pages.plots import draw_curves, draw_dots, draw_grid, draw_intervals, draw_method_curves
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE, expert_style

STAGES = {"two-loss, unrefined": "two losses", "two-loss": "refined", "em": "EM"}
PARTS = ("expert", "gate", "noise")
RACERS = ["em", "em, frozen noise", "two-loss", "l4-sgd", "likelihood", "least-squares"]
RAW, TWO, ONE = "two-loss, unrefined", "two losses, refined", "EM on 20,000, one data set"
CHOICES = {  # what to use and its method, instead of what, and the experts before refinement
    "few experts (k = 3, n = 2000)": ["EM or " + TWO, "em", "two losses, unrefined", RAW, RAW],
    "few samples (k = 3, n = 150)": ["EM", "em", TWO, "two-loss", RAW],
    "ReLU (k = 3, n = 8000)": ["EM", "em", TWO, "two-loss", RAW],
    "noise known (k = 8, d = 16, n = 4000)": [
        *("EM, noise learned", "em", "EM, noise frozen", "em, frozen noise", RAW)
    ],
    "squared error only (identity link, k = 3)": [
        *("EM instead", "em", "least squares", "least-squares", RAW)
    ],
    "correlated inputs (ρ = 0.3)": ["EM", "em", TWO, "two-loss", ""],
    "k = 10, 10⁶ samples": [ONE, "em", "two losses on 10⁶, refined", "refined", "l4"],
    "k = 16, 4·10⁶ samples": ["two losses on 4·10⁶, refined", "refined", ONE, "em", "l4"],
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
    """Let the reader change the number of samples and see three methods.

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
        caption="Errors on ten data sets, best of five starts by the method's own "
        "objective; dashes are medians.",
        labels={"n": "samples n"},
        start={"n": 2000},
        dpi=90,
        n=sorted(line.index.levels[0]),
    )


def _draw_errors(line, n):
    words = {"xlabel": "method", "ylabel": "error", "layout": {"sharey": True}}
    figure, axes = panels(["experts", "gates"], (6.8, 3.3), **words)
    for ax, error in zip(axes, ("e_reg", "e_gate")):
        draw_dots(ax, {name: line.loc[(n, key), error] for key, name in STAGES.items()}, ms=6)
        ax.set(xlim=(-0.5, 2.5), ylim=(1e-6, 3), yscale="log")
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


def draw_race(tables):
    """Draw how many data sets each method solves in each design.

    Parameters
    ----------
    tables : dict of DataFrame
        What limits the methods -> counts, rows are designs, columns methods.

    Returns
    -------
    figure : Figure
        A grid of numbers for each table.
    """
    words = {"xlabel": "design", "ylabel": "method", "layout": {"sharey": True}}
    figure, axes = panels(list(tables), (6.8, 3.5), **words)
    for ax, table in zip(axes, tables.values()):
        draw_grid(ax, table.T, form=".0f", vmin=0, vmax=3)
        ax.tick_params(axis="x", rotation=90)
    return figure


def draw_profile(profile, total):
    """Draw how many data sets each method solves within a budget.

    Parameters
    ----------
    profile : DataFrame
        Columns are methods, indexed by processor seconds for each data set.
    total : int
        How many data sets there are.

    Returns
    -------
    figure : Figure
        A curve of steps for each method of `RACERS`.
    """
    words = {"xlabel": "processor seconds for each data set", "xscale": "log"}
    figure, ax = panel((6.8, 3.4), ylabel=f"data sets solved, of {total}", **words)
    draw_method_curves(ax, profile[RACERS], marker="", drawstyle="steps-post")
    ax.set(ylim=(-0.5, total + 0.5), yticks=range(0, total + 1, 3))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return figure


def draw_many(climbs, refined):
    """Draw the ends of climbs against their log-density, beside the two losses.

    Parameters
    ----------
    climbs : dict of DataFrame
        Number of experts -> columns ``log_density``, ``e_reg`` and ``found``, a row for each start.
    refined : DataFrame
        Columns ``k`` and ``e_reg`` of the two losses, refined; the worst fit is drawn.

    Returns
    -------
    figure : Figure
        A panel for each number of experts.
    """
    xlabel, titles = "log-density minus that of EM's best", [f"$k = {k}$" for k in climbs]
    words = {"xlabel": xlabel, "ylabel": "$E_{\\mathrm{reg}}$", "layout": {"sharey": True}}
    figure, axes = panels(titles, (7.2, 3.2), yscale="log", **words)
    for ax, (k, ends) in zip(axes, climbs.items()):
        x = ends["log_density"] - ends["log_density"].max()
        ax.plot(x, ends["e_reg"], "o", color=PALETTE[0], ms=7, mec="w", label="EM, one start")
        two = refined["e_reg"][refined["k"] == k].max()
        ax.axhline(two, color=PALETTE[1], ls="--", label="two losses, refined")
        count = int(ends["found"].sum())
        ax.text(-0.02, 2e-4, f"{count} start" + "s" * (count > 1), ha="right", fontsize=9)
        ax.set(xlim=(-0.75, 0.05), ylim=(1e-5, 2))
    axes[0].legend()
    return figure


def show_choice(found, spent):
    """Show which method to use when, and how often that works.

    Parameters
    ----------
    found : list of Series
        For each of `CHOICES` the errors of the experts, indexed by method.
    spent : list of array
        For each the mean seconds of the method and of its rival, if they were measured.

    Returns
    -------
    table : Styler
        Of text: experts found, of how many fits; seconds; the median error of the unrefined.
    """
    rows = []
    for (situation, choice), errors, costs in zip(CHOICES.items(), found, spent, strict=True):
        use, method, rival, other, raw = choice
        errors = [errors[[name]] for name in (method, other, raw) if name]
        good = [f"{(off < 0.02).sum()}/{len(off)}" for off in errors]
        for i, seconds in enumerate(costs):
            good[i] += f", {seconds:.{int(seconds < 5)}f} s"
        last = f"{good[2]}, {errors[2].median():.2g}" if raw else ""
        rows.append([situation, use, good[0], rival, good[1], last])
    columns = ["situation", "use", "found", "instead of", "found ", "two losses, unrefined"]
    return pd.DataFrame(rows, columns=columns).style.hide(axis="index")


def draw_exhaust(constant, softmax, x, y):
    """Draw two experts, what the gate gives them, the mean and the density of the label.

    Parameters
    ----------
    constant, softmax : MixtureOfExperts
        Fits of one input with the two kinds of gate.
    x, y : (n, 1) array and (n,) array
        The samples.

    Returns
    -------
    figure : Figure
        A panel for each fit.
    """
    titles = ["constant gate, $k = 2$", "softmax gate, $k = 2$"]
    words = {"xlabel": "equivalence ratio", "ylabel": "NO (as tabulated)", "ylim": (-0.5, 5)}
    figure, axes = panels(titles, (6.0, 3.0), **words, layout={"sharey": True})
    for ax, engine in zip(axes, (constant, softmax)):
        _draw_fit(ax, engine)
        ax.plot(x[:, 0], y, "o", ms=3, mfc="white", mec="black", mew=0.8)
        ax.grid(False)
    shared_legend(figure, where="lower", ncols=3, fontsize=9)
    return figure


def _draw_fit(ax, engine):
    x, levels = np.linspace(0.5, 1.27, 90), np.linspace(-0.5, 5, 90)
    wide, high = np.meshgrid(x, levels)
    density = np.exp(engine.log_density(wide.reshape(-1, 1), high.ravel())).reshape(wide.shape)
    ax.contourf(x, levels, density, [0.1, 0.7, 9.0], colors=["0.93", "0.82"], antialiased=False)
    lines = engine.model_.expert_means(x[:, None]).T
    led = np.where(engine.model_.gate_probabilities(x[:, None]).T > 0.3, lines, np.nan)
    draw_curves(ax, {f"_{i}": line for i, line in enumerate(lines)}, x, marker="", lw=0.9)
    thick = {f"expert {i + 1}": line for i, line in enumerate(led)}
    draw_curves(ax, thick, x, marker="", lw=2.6)
    ax.plot(x, engine.predict(x[:, None]), ":", color="black", lw=1.6, label="mean")


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
