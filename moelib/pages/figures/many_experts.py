"""The figures of the chapter *Many experts*: borders, seconds to a solution, and a map of both.

Tables are those of :mod:`moelib.experiments.frontier_reading`.
"""

import numpy as np
import pandas as pd

from moelib.pages.layout import panels, set_ticks, shared_legend
from moelib.pages.numbers import low_to_high, number
from moelib.pages.sliders import explore
from moelib.pages.style import PALETTE
from moelib.pages.tables import show_table

# method: what the legend says, its colour and marker
LOOKS = {
    "adam": ("Adam", PALETTE[1], "s"),
    "adam, leaky": ("Adam, leaky link at first", "#a85a12", "P"),
    "adam, falling leak": ("Adam, falling leak", "#d9a066", "*"),
    "adam, cold": ("Adam, cold", "0.6", "x"),
    "em, cooling 0.01": ("EM that cools slowly", PALETTE[3], "D"),
    "em-split-merge": ("EM, split and merge", PALETTE[5], "X"),
    "two-loss": ("two losses alone", PALETTE[4], "v"),
    "two-loss, l4": ("two losses alone, on spheres", PALETTE[2], "^"),
    "two-loss, adam": ("two losses, then Adam", PALETTE[0], "o"),
}
GROUNDS = {
    "Adam": PALETTE[1],
    "EM": PALETTE[3],
    "two losses": PALETTE[4],
    "two losses, then Adam": PALETTE[0],
}
FURTHEST = 500  # samples over k^3: what lies beyond is in the table, not on the map
TILE = {"s": 1500}
SHORT = {"Adam": "A", "EM": "EM", "two losses": "2", "two losses, then Adam": "2+A"}


def show_frontier(rows):
    """Success with its interval, seconds a run and to a solution, the most successful first.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``rates``, by method.

    Returns
    -------
    table : DataFrame
        Of text.
    """
    rows = rows.sort_values(["success", "seconds"], ascending=[False, True])
    hits = (rows["success"] * rows["data_sets"]).round().astype(int)
    table = {
        "right": [f"{hit} of {size}" for hit, size in zip(hits, rows["data_sets"], strict=True)],
        "95 % interval": [
            low_to_high(ends, ".0%") for ends in zip(rows["low"], rows["high"], strict=True)
        ],
        "seconds a run": rows["seconds"].to_numpy(),
        "seconds to a solution": rows["wait"].to_numpy(),
    }
    names = pd.Index([LOOKS[m][0] if m in LOOKS else m for m in rows.index])
    forms = {"seconds a run": ".2g", "seconds to a solution": ".2g"}
    return show_table(pd.DataFrame(table, index=names), form=forms, name="method")


def draw_frontier(found, predicted):
    """Draw measured borders with their intervals, and predicted ones as lines.

    Parameters
    ----------
    found : dict of DataFrame
        Title of a panel -> by method and k: ``border``, ``low``, ``high``, ``first``, ``last``.
    predicted : dict of dict
        Title of a panel -> method -> borders by k, a Series.

    Returns
    -------
    figure : Figure
        A mark at each border; where the cells enclose none, a triangle points to where it is, up
        from the largest size without, or down from the least with success.
    """
    look = {"xscale": "log", "yscale": "log", "layout": {"sharey": True}}
    words = {"xlabel": ["experts k"] * len(found), "ylabel": "samples n"}
    figure, axes = panels(list(found), (8.8, 4.8), **words, **look)
    for ax, (title, rows) in zip(axes, found.items(), strict=True):
        methods = [m for m in LOOKS if m in rows.index.get_level_values("method")]
        for place, method in enumerate(methods):
            shift = 1.018 ** (place - (len(methods) - 1) / 2)
            _draw_border(ax, rows.xs(method, level="method"), method, shift)
        for method, line in predicted[title].items():
            style = {"color": LOOKS[method][1], "ls": "--", "lw": 1.1, "marker": ""}
            ax.plot(line.index, line, zorder=1, **style)
        ks = sorted(set(rows.index.get_level_values("k")))
        set_ticks(ax, x=ks, form=".0f")
        ax.set_xlim(ks[0] / 1.12, ks[-1] * 1.12)
    shared_legend(figure, where="lower", ncols=3, fontsize=8.5)
    return figure


def _draw_border(ax, rows, method, shift):
    name, color, marker = LOOKS[method]
    k = rows.index.to_numpy(float) * shift
    middle, low, high = (rows[key].to_numpy(float) for key in ("border", "low", "high"))
    first, last = rows["first"].to_numpy(float), rows["last"].to_numpy(float)
    ax.plot(k, middle, marker, color=color, ms=5.5, label=name)
    known = ~np.isnan(middle)
    low, high = np.where(low > 0, low, first), np.where(np.isfinite(high), high, last)
    ax.vlines(k[known], low[known], high[known], color=color, lw=1.3)
    beyond = rows["ends_high"].to_numpy(bool)
    for open_end, place, triangle in ((~beyond, last, "^"), (beyond, first, "v")):
        chosen = ~known & open_end
        ax.plot(k[chosen], place[chosen], triangle, mfc="w", mec=color, ms=7)


def draw_solutions(lines):
    """Draw seconds to a solution over the samples, with the interval of the success behind them.

    Parameters
    ----------
    lines : dict of DataFrame
        Title of a panel -> by method and n: ``wait``, ``wait_low``, ``wait_high``.

    Returns
    -------
    figure : Figure
        A cross at the least that the interval allows where nothing succeeded.
    """
    look = {"xscale": "log", "yscale": "log", "layout": {"sharey": True}}
    words = {"xlabel": ["samples n"] * len(lines), "ylabel": "seconds to a solution"}
    figure, axes = panels(list(lines), (8.8, 4.4), **words, **look)
    for ax, rows in zip(axes, lines.values(), strict=True):
        methods = [m for m in LOOKS if m in rows.index.get_level_values("method")]
        for place, method in enumerate(methods):
            shift = 1.03 ** (place - (len(methods) - 1) / 2)
            _draw_wait(ax, rows.xs(method, level="method"), method, shift)
        ax.set_title(ax.get_title(loc="left"), loc="left", fontsize=10.5)
    shared_legend(figure, where="lower", ncols=3, fontsize=8.5)
    return figure


def _draw_wait(ax, rows, method, shift):
    name, color, marker = LOOKS[method]
    rows = rows.sort_index()
    n, wait = rows.index.to_numpy(float) * shift, rows["wait"].to_numpy(float)
    solved = np.isfinite(wait)
    low, high = rows["wait_low"].to_numpy(float), rows["wait_high"].to_numpy(float)
    ax.plot(n[solved], wait[solved], marker=marker, color=color, ms=5, lw=1.1, ls="-", label=name)
    ends = np.isfinite(high) & solved
    ax.vlines(n[ends], low[ends], high[ends], color=color, lw=1)
    ax.plot(n[~solved], low[~solved], marker="$\\uparrow$", ls="", color=color, ms=8)


def explore_frontier(won, rates, designs):
    """Let the reader choose a design, and what the tiles say.

    Parameters
    ----------
    won : DataFrame
        Rows of ``winners``, by settings.
    rates : DataFrame
        Rows of ``rates``, by settings and method.
    designs : dict of tuple
        What the slider says -> link, noise and shares.

    Returns
    -------
    figure : Explore
        Tiles over samples and experts.
    """
    shown = {"the soonest": None, "Adam": "adam", "two losses, then Adam": "two-loss, adam"}

    def draw(design, tiles):
        words = {"xlabel": "samples over $k^3$", "ylabel": "experts k"}
        figure, (ax,) = panels([""], (8.2, 4.4), **words)
        cells = rates.loc[designs[design]]
        ks, columns = sorted(set(cells.index.get_level_values("k"))), _columns(cells)
        ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(-0.6, max(len(ks), 4) - 0.4))
        if shown[tiles] is None:
            _draw_winners(ax, won.loc[designs[design]], cells, ks, columns)
        else:
            _draw_success(ax, cells, shown[tiles], ks, columns)
        names = {place: f"{x:.2g}" for place, x in enumerate(columns)}
        set_ticks(ax, x=names, y=dict(enumerate(map(str, ks))))
        ax.set_title(f"{design}: {tiles}", loc="left", fontsize=11)
        ax.grid(False)
        return figure

    def alt(design, tiles):
        if shown[tiles] is None:
            counts = won.loc[designs[design]]["winner"].value_counts()
            said = ", ".join(f"{name} in {count}" for name, count in counts.items())
            return f"{design}: the soonest is {said} of the cells."
        q = rates.loc[designs[design]].xs(shown[tiles], level="method")["success"]
        return f"{design}: {tiles} succeeds on nine in ten in {np.sum(q >= 0.9)} of {len(q)} cells."

    return explore(
        draw,
        alt=alt,
        caption="Seconds to a solution and their interval, or success in percent with its own.",
        dpi=110,
        design=list(designs),
        tiles=list(shown),
    )


def _columns(cells):
    """The sizes over k^3, those within 10 % taken as one."""
    k, n = (cells.index.get_level_values(name).to_numpy(float) for name in "kn")
    sizes: list[float] = []
    for x in np.unique(n / k**3):
        if x <= FURTHEST and (not sizes or x > 1.1 * sizes[-1]):
            sizes.append(x)
    return sizes


def _place(columns, k, n):
    """The column of a cell, or None beyond the last."""
    x = n / k**3
    return int(np.argmin(np.abs(np.log(columns) - np.log(x)))) if x <= FURTHEST else None


def _draw_winners(ax, won, cells, ks, columns):
    """Tiles with letters, seconds and their ends; a lighter one where a rival may be as soon."""
    for k, n in cells.index.droplevel("method").unique():
        x, y = _place(columns, k, n), ks.index(k)
        if x is None:
            continue
        if (k, n) not in won.index:
            ax.scatter(x, y, marker="s", fc="w", ec="0.8", hatch="///", lw=0.5, **TILE)
            continue
        row = won.loc[(k, n)]
        ground, solid = GROUNDS[row["winner"]], 1.0 if row["clear"] else 0.35
        ax.scatter(x, y, marker="s", color=ground, alpha=solid, lw=0, **TILE)
        dark = row["clear"] and row["winner"] != "two losses"
        ink = {"ha": "center", "va": "center", "color": "w" if dark else "k"}
        ends = f"{_short(row['wait_low'])}–{_short(row['wait_high'])}"
        ax.text(x, y + 0.2, SHORT[row["winner"]], size=9, weight="bold", **ink)
        ax.text(x, y - 0.03, _short(row["wait"]), size=8, **ink)
        ax.text(x, y - 0.25, ends, size=6.5, **ink)


def _draw_success(ax, cells, method, ks, columns):
    rows = cells.xs(method, level="method")
    for (k, n), row in rows.iterrows():
        x, y, q = _place(columns, k, n), ks.index(k), row["success"]
        if x is None:
            continue
        ax.scatter(x, y, c=[q], marker="s", cmap="cividis", vmin=0, vmax=1, **TILE)
        ink = {"ha": "center", "va": "center", "color": "k" if q > 0.5 else "w"}
        ends = f"{100 * row['low']:.0f}–{100 * row['high']:.0f}"
        ax.text(x, y + 0.12, f"{100 * q:.0f}", size=9, **ink)
        ax.text(x, y - 0.15, ends, size=6.5, **ink)


def _short(seconds):
    if not np.isfinite(seconds):
        return "∞"
    return number(seconds, ".0f" if seconds >= 9.5 else ".1f" if seconds >= 0.95 else ".2f")
