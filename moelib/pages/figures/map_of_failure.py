"""The figures of the chapter *The map of failure*: success rates of methods over designs.

Rates are tables with a column for each method; a row is a design.
"""

import numpy as np

from moelib.pages.intervals import share_interval
from moelib.pages.layout import panels, set_ticks, shared_legend
from moelib.pages.numbers import number
from moelib.pages.plots import draw_curves, draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE, method_style

AXES = {
    "n": "samples n",
    "d": "dimension d",
    "noise": "noise σ",
    "gate_norm": "gate length R",
    "angle": "angle (degrees)",
    "link": "link",
}
GROUPS = {"k = 2 to 4": (2, 4), "k = 6 to 10": (6, 10), "k = 16": (16, 16)}
SHARED = {"sharey": True}
DOTTED = {"color": "0.4", "ls": ":", "lw": 1.2}


def draw_lines(lines, settings, trials, *, floor=None):
    """Draw success along lines of designs, two methods a column, with 95 % intervals.

    Parameters
    ----------
    lines : dict of DataFrame
        Name of a setting -> rates by its values; neighbouring methods share a panel.
    settings : list of str
        Which lines to draw.
    trials : int
        Independent data sets behind a rate.
    floor : float, optional
        Where to draw the dotted line along the samples.

    Returns
    -------
    figure : Figure
        A row of panels for each line.
    """
    methods, rows = lines[settings[0]].columns, len(settings)
    pairs = [methods[i : i + 2] for i in range(0, len(methods), 2)]
    labels = [AXES[axis] for axis in settings for _ in pairs]
    words = {"xlabel": labels, "ylabel": "success", "rows": rows}
    look = {"ylim": (-0.04, 1.06), "yticks": [0, 0.5, 1]}
    figure, axes = panels([""] * len(labels), (8.8, 6.4), layout=SHARED, **words, **look)
    for row, axis in zip(axes.reshape(rows, -1), settings):
        rates = lines[axis]
        for ax, pair in zip(row, pairs):
            ax.set_title("", loc="left")  # the letter of its panel
            _draw_line(ax, rates[pair], trials, joined=axis != "link")
            if axis == "n" and floor is not None:
                ax.axvline(np.interp(floor, rates.index, np.arange(len(rates))), **DOTTED)
    for ax in axes[: len(pairs)]:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    return figure


def _draw_line(ax, rates, trials, joined):
    places = np.arange(len(rates))
    style = {"ms": 4, "lw": 1.5} | ({} if joined else {"linestyle": ""})
    for i, (method, q) in enumerate(rates.items()):
        bars = {method: (q.to_numpy(), *_interval(q, trials))}
        look = method_style(method) | style
        draw_intervals(ax, bars, places + (2 * i - 1) * 0.08, **look)
    texts = [str(value).replace("_", "\n") for value in rates.index]
    set_ticks(ax, x=dict(zip(places, texts)))
    tilt = 60 if len(texts) > 6 or not joined else 0
    ax.tick_params(axis="x", labelsize=8, labelrotation=tilt)


def draw_load(rates, trials):
    """Draw success against samples per number of experts and dimensions, with 95 % intervals.

    Parameters
    ----------
    rates : DataFrame
        Rates by k, d and n.
    trials : int
        Independent data sets behind a rate.

    Returns
    -------
    figure : Figure
        A panel for each method, designs of few, many and very many experts marked apart.
    """
    words = {"xlabel": ["samples per k·d"] * rates.shape[1], "ylabel": "single-start success"}
    figure, axes = panels(list(rates), (8.8, 3.4), layout=SHARED, xscale="log", **words)
    for ax, method in zip(axes, rates):
        column = rates[method]
        for i, (label, (least, most)) in enumerate(GROUPS.items()):
            q = column[column.index.get_level_values("k").isin(range(least, most + 1))]
            k, d, n = (q.index.get_level_values(key).to_numpy() for key in "kdn")
            x, color = n / (k * d) * 1.04 ** (i - 1), PALETTE[(0, 1, 3)[i]]
            ax.vlines(x, *_interval(q, trials), color=color, lw=0.6, alpha=0.6)
            ax.plot(x, q, "osX"[i], color=color, ms=7, mec="w", label=label)
        ax.axvline(5, **DOTTED)
    shared_legend(figure, where="lower", fontsize=9)
    return figure


def draw_tiles(rates):
    """Draw the success of every method as tiles, experts against samples.

    Parameters
    ----------
    rates : DataFrame
        Rates by k and n.

    Returns
    -------
    figure : Figure
        A panel for each method, the number of a tile in percent; what is missing is hatched.
    """
    words = {"xlabel": "samples n", "ylabel": "experts k", "rows": 2}
    layout = SHARED | {"sharex": True}
    figure, axes = panels(list(rates), (8.8, 6), layout=layout, **words)
    for ax, (method, column) in zip(axes, rates.items()):
        _draw_plane(ax, column)
        ax.set_title(method, loc="left", fontsize=10)
    return figure


def explore_tiles(planes, trials):
    """Let the reader choose a method and how many starts the best one is kept of.

    Parameters
    ----------
    planes : dict of DataFrame
        Number of starts -> rates of the best of them, by k and n.
    trials : int
        Independent data sets behind a rate.

    Returns
    -------
    figure : Explore
        Tiles with their 95 % intervals, and two sliders.
    """
    methods = list(next(iter(planes.values())))

    def draw(method, starts):
        name, words = methods[method - 1], {"xlabel": "samples n", "ylabel": "experts k"}
        figure, (ax,) = panels([""], (4.8, 3.9), **words)
        _draw_plane(ax, planes[starts][name], trials)
        ax.set_title(f"{name}, best of {starts}", loc="left", fontsize=10)
        return figure

    def alt(method, starts):
        name = methods[method - 1]
        q = planes[starts][name]
        light = f"{np.sum(q >= 0.9)} of {len(q)} cells reach {number(0.9, '.0%')}"
        return f"{name}, best of {starts}: {light}; the mean is {number(q.mean(), '.0%')}."

    return explore(
        draw,
        alt=alt,
        caption="Success in percent and its 95 % interval by data set.",
        dpi=96,
        labels={"starts": "starts m"},
        start={"method": 4},
        method=list(range(1, len(methods) + 1)),
        starts=list(planes),
    )


def _draw_plane(ax, column, trials=None):
    """Tiles of one method, k upwards and n to the right, with intervals if asked for."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    rates = column.unstack("n").sort_index().sort_index(axis=1)
    ax.set(xlim=(-0.5, rates.shape[1] - 0.5), ylim=(-0.5, len(rates) - 0.5))
    ax.grid(False)
    for (i, j), q in np.ndenumerate(rates.to_numpy()):
        corner = (j - 0.5, i - 0.5)
        if np.isnan(q):
            ax.add_patch(Rectangle(corner, 1, 1, fc="w", ec="0.85", hatch="///", lw=0))
            continue
        ax.add_patch(Rectangle(corner, 1, 1, fc=colormaps["cividis"](q), ec="w", lw=1.5))
        ink = {"ha": "center", "va": "center", "color": "k" if q > 0.5 else "w"}
        ax.text(j, i + (0.16 if trials else 0), f"{100 * q:.0f}", size=9, **ink)
        if trials:
            low, high = _interval(q, trials)
            ax.text(j, i - 0.24, f"{100 * low:.0f}–{100 * high:.0f}", size=7.5, **ink)
    for axis, values in (("x", rates.columns), ("y", rates.index)):
        set_ticks(ax, **{axis: {place: str(value) for place, value in enumerate(values)}})
    ax.tick_params(labelsize=8)


def draw_budgets(curves):
    """Draw success against the seconds that all starts together may take.

    Parameters
    ----------
    curves : dict of DataFrame
        Name of a design -> success of methods, by seconds.

    Returns
    -------
    figure : Figure
        A panel for each design.
    """
    words = {"xlabel": ["budget (seconds)"] * len(curves), "ylabel": "success within the budget"}
    look = {"xscale": "log", "ylim": (-0.04, 1.04)}
    figure, axes = panels(list(curves), (8.8, 3.9), layout=SHARED, **words, **look)
    for ax, rates in zip(axes, curves.values()):
        ax.title.set_fontsize(10)
        for i, (method, q) in enumerate(rates.items()):
            steps = {"ms": 5, "lw": 1.5, "markevery": (5 * i, 32), "drawstyle": "steps-post"}
            draw_curves(ax, {method: q}, first=i, **steps)
    shared_legend(figure, where="lower", ncols=3, fontsize=9)
    return figure


def _interval(q, trials):
    """Wilson's interval by data set, for shares q."""
    return share_interval(np.asarray(q) * trials, trials)
