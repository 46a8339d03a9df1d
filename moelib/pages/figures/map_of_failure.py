"""The figures of the chapter *The map of failure*: success and seconds of methods over designs.

A table has a row for each method: its ``success``, the ``data_sets`` behind it, the ``seconds`` of
a start; a *plane* has such rows by k, d and n.
"""

from typing import Any

import numpy as np

from moelib.pages.intervals import share_interval
from moelib.pages.layout import panels, set_ticks
from moelib.pages.numbers import low_to_high, number
from moelib.pages.plots import draw_intervals
from moelib.pages.sliders import explore
from moelib.pages.tables import show_table

METHOD_NAMES = {
    "likelihood-sgd": "minibatch Adam",
    "em": "EM",
    "em-pruned": "EM, pruned",
    "em-split-merge": "EM, split and merge",
    "em, frozen noise": "EM, told the noise",
    "em, annealed": "EM, annealed",
    "gradient-em": "gradient EM",
    "likelihood": "L-BFGS",
    "likelihood, adam": "full-batch Adam",
    "two-loss": "two losses, refined",
    "two-loss, unrefined": "two losses alone",
    "least-squares-sgd": "squared error, Adam",
    "least-squares": "squared error, L-BFGS",
    "from the truth": "climb from the truth",
}
BORDERS = {5: ":", 15: "--"}  # samples per k d, and the line that marks them
HATCH: dict[str, Any] = {"fc": "w", "ec": "0.85", "hatch": "///", "lw": 0}
INK: dict[str, Any] = {"ha": "center", "va": "center"}


def show_rates(table):
    """Success with its 95 % interval by data set and the seconds of a start, the best first.

    Parameters
    ----------
    table : DataFrame
        Rows by method.

    Returns
    -------
    table : DataFrame
        Of text.
    """
    order = ["success", "seconds"]
    table = table.sort_values(order, ascending=[False, True]).rename(METHOD_NAMES)
    ends = [low_to_high(pair, ".0%") for pair in zip(*_interval(table))]
    table = table[["success", "seconds"]].assign(interval=ends)[["success", "interval", "seconds"]]
    heads, forms = ["right", "95 % interval", "seconds a start"], (".0%", "", ".1f")
    return show_table(table, heads, form=dict(zip(heads, forms)), name="method")


def show_settings(settings, at_rest):
    """What each method was given, and the share of its runs that came to rest.

    Parameters
    ----------
    settings : dict of dict
        Method -> its settings.
    at_rest : Series
        Shares by method.

    Returns
    -------
    table : DataFrame
        Of text.
    """
    rows = {}
    for method, given in settings.items():
        rest = {key: x for key, x in given.items() if key not in ("method", "refine")}
        ends = [f"{rest.pop(key):g}" if key in rest else "" for key in ("tol", "max_iter")]
        words = [
            f"{key}={x:g}" if isinstance(x, float) else f"{key}={x}" for key, x in rest.items()
        ]
        rows[METHOD_NAMES[method]] = [" ".join(words), *ends, at_rest[method]]
    heads = ["settings", "tol", "max_iter", "at rest"]
    return show_table(rows, heads, form={"at rest": ".0%"}, name="method")


def draw_board(columns, methods):
    """Draw success and seconds of methods as tiles, a column for each design.

    Parameters
    ----------
    columns : dict of DataFrame
        Name of a design -> its rows by method.
    methods : list of str
        Rows, from the top.

    Returns
    -------
    figure : Figure
        Success in percent, and below it the seconds of a start; what was not run is hatched.
    """
    words = {"xlabel": "success in %; small: seconds a start", "ylabel": "method"}
    size = (8.8, 0.8 + 0.37 * len(methods))
    figure, (ax,) = panels([""], size, **words)
    for x, table in enumerate(columns.values()):
        for y, method in enumerate(methods):
            _draw_tile(ax, x, y, table.loc[method] if method in table.index else None)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(methods) - 0.5, -0.5))
    ax.xaxis.tick_top()
    names = dict(enumerate(METHOD_NAMES[method] for method in methods))
    set_ticks(ax, x=dict(enumerate(columns)), y=names)
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return figure


def _draw_tile(ax, x, y, row):
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    corner = (x - 0.5, y - 0.5)
    if row is None:
        ax.add_patch(Rectangle(corner, 1, 1, **HATCH))
        return
    q = row["success"]
    ax.add_patch(Rectangle(corner, 1, 1, fc=colormaps["cividis"](q), ec="w", lw=1.5))
    ink = INK | {"color": _ink(q)}
    ax.text(x, y - 0.14, f"{100 * q:.0f}", size=9, **ink)
    ax.text(x, y + 0.27, _seconds(row["seconds"]), size=6.5, **ink)


def _ink(q):
    return "k" if q > 0.5 else "w"


def _seconds(s):
    if np.isnan(s):
        return ""
    return f"{number(s, '.0f' if s >= 9.5 else '.1f' if s >= 0.95 else '.2f')} s"


def draw_line(line, groups):
    """Draw success along a line of designs, with 95 % intervals.

    Parameters
    ----------
    line : DataFrame
        Rows by n and method.
    groups : dict of list
        Title of a panel -> its methods.

    Returns
    -------
    figure : Figure
        A panel for each group.
    """
    words = {"xlabel": ["samples n"] * len(groups), "ylabel": "single-start success"}
    look = {"xscale": "log", "ylim": (-0.04, 1.06), "layout": {"sharey": True}}
    figure, axes = panels(list(groups), (8.8, 4.1), **words, **look)
    for ax, methods in zip(axes, groups.values()):
        bars = {}
        for method in methods:
            rows = line.xs(method, level="method")
            bars[METHOD_NAMES[method]] = (rows["success"], *_interval(rows))
        draw_intervals(ax, bars, apart=0.07, ms=4, lw=1.4)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8)
        set_ticks(ax, x=[100, 300, 1000, 3000, 8000], form=".0f")
        ax.tick_params(labelsize=8)
    return figure


def draw_borders(plane, methods):
    """Draw the success of some methods in the plane of samples and experts.

    Parameters
    ----------
    plane : DataFrame
        Rows by k, d, n and method.
    methods : list of str
        Two rows of panels.

    Returns
    -------
    figure : Figure
        Tiles with their success in percent; lines at 5 and 15 samples per k d.
    """
    words = {"xlabel": "samples n", "ylabel": "experts k", "rows": 2}
    names, layout = [METHOD_NAMES[m] for m in methods], {"sharey": True, "sharex": True}
    figure, axes = panels(names, (8.8, 7), layout=layout, **words)
    for ax, method in zip(axes, methods):
        _draw_plane(ax, plane.xs(method, level="method"), plane, size=230)
    return figure


def explore_plane(plane, methods):
    """Let the reader choose whose plane to see.

    Parameters
    ----------
    plane : DataFrame
        Rows by k, d, n and method.
    methods : list of str
        In the order of the slider.

    Returns
    -------
    figure : Explore
        Tiles with their 95 % intervals, and a slider.
    """
    tables = {METHOD_NAMES[method]: plane.xs(method, level="method") for method in methods}

    def draw(method):
        words = {"xlabel": "samples n", "ylabel": "experts k"}
        figure, (ax,) = panels([""], (6.6, 4.6), **words)
        _draw_plane(ax, tables[method], plane, size=520, intervals=True)
        ax.set_title(method, loc="left", fontsize=11)
        return figure

    def alt(method):
        q = tables[method]["success"]
        light = f"{np.sum(q >= 0.9)} of {len(q)} cells reach {number(0.9, '.0%')}"
        return f"{method}: {light}; the mean is {number(q.mean(), '.0%')}."

    return explore(
        draw,
        alt=alt,
        caption="Success of a single start in percent, and its 95 % interval by data set.",
        dpi=96,
        method=list(tables),
    )


def _draw_plane(ax, rows, plane, size, intervals=False):
    """Tiles over samples and the experts of the plane, placed in order, not to scale."""
    ks, widths = np.array(sorted(set(plane.index.droplevel(["n", "method"])))).T
    k, n = (rows.index.get_level_values(key).to_numpy() for key in "kn")
    places, q = np.searchsorted(ks, k), rows["success"].to_numpy()
    ax.set(xscale="log", xlim=(42, 70_000), ylim=(-0.6, len(ks) - 0.4))
    ax.scatter(n, places, s=size, c=q, marker="s", cmap="cividis", vmin=0, vmax=1)
    low, high = _interval(rows)
    for i, share in enumerate(q):
        ink, up = INK | {"color": _ink(share)}, 0.11 if intervals else 0
        ax.text(n[i], places[i] + up, f"{100 * share:.0f}", size=8 if intervals else 7, **ink)
        if intervals:
            ends = f"{100 * low[i]:.0f}–{100 * high[i]:.0f}"
            ax.text(n[i], places[i] - 0.19, ends, size=5.5, **ink)
    for ratio, dashes in BORDERS.items():
        ax.plot(ratio * ks * widths, np.arange(len(ks)), color="0.5", ls=dashes, lw=1.2, zorder=0)
    set_ticks(ax, x=[100, 1000, 10_000], y=dict(enumerate(map(str, ks))), form=".0f")
    ax.grid(False)


def draw_waits(columns, methods):
    """Draw the seconds to a solution, with the 95 % interval of the success behind them.

    Parameters
    ----------
    columns : dict of DataFrame
        Name of a design -> its rows by method.
    methods : list of str
        Rows, from the top.

    Returns
    -------
    figure : Figure
        A panel for each design; where no start succeeded, an open triangle at the least that the
        interval allows.
    """
    words = {"xlabel": ["seconds to a solution"] * len(columns), "ylabel": "method"}
    look = {"xscale": "log", "ylim": (len(methods) - 0.5, -0.5)}
    size, layout = (8.8, 0.9 + 0.29 * len(methods)), {"sharex": True, "sharey": True}
    figure, axes = panels(list(columns), size, layout=layout, **words, **look)
    for ax, table in zip(axes, columns.values()):
        table = table.loc[[method for method in methods if method in table.index]]
        for (method, row), low, high in zip(table.iterrows(), *_interval(table)):
            _draw_wait(ax, methods.index(method), row, low, high)
        ax.set_title(ax.get_title(loc="left"), loc="left", fontsize=9.5)
        set_ticks(ax, x=[0.01, 0.1, 1, 10, 100, 1000])
        ax.tick_params(labelsize=8)
    ends = [(ax.dataLim.x0, ax.dataLim.x1) for ax in axes]
    axes[0].set_xlim(np.min(ends) / 1.6, np.max(ends) * 1.6)
    set_ticks(axes[0], y=dict(enumerate(METHOD_NAMES[method] for method in methods)))
    return figure


def _draw_wait(ax, y, row, low, high):
    t, q = row["seconds"], row["success"]
    if q > 0:
        ax.hlines(y, t / high, t / low, color="0.35", lw=1.4)
        ax.plot(t / q, y, "o", color="#1553a3", ms=5)
    else:
        ax.plot(t / high, y, ">", mfc="w", mec="#e07b28", ms=6)


def _interval(rows):
    """Wilson's interval by data set."""
    return share_interval(rows["success"] * rows["data_sets"], rows["data_sets"])
