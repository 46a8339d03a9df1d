"""What many figures draw: curves, intervals, dots, numbers in a grid, a plane, arrows.

Each function draws into given axes and returns what it drew; `moelib.pages.layout` makes the axes.
"""

import numpy as np

from moelib.pages.numbers import number
from moelib.pages.style import expert_style, method_style


def draw_curves(ax, curves, x=None, *, first=0, **style):
    """Draw curves, each in the colour, line style and marker of its place.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curves : dict of array, or DataFrame
        What the legend says -> heights.
    x : array, optional
        Places on the axis. Default: the index of a Series, or 0, 1, 2, ...
    first : int
        Place of the first curve (see `moelib.pages.style.expert_style`).
    **style : dict
        For ``ax.plot``, in place of what the curve's place says: ``marker="", markevery=5``.

    Returns
    -------
    lines : list of Line2D
        One for each curve.
    """
    return [
        ax.plot(_places(x, y), y, **_look(i, style, label=name))[0]
        for i, (name, y) in enumerate(curves.items(), first)
    ]


def draw_method_curves(ax, curves, **style):
    """Draw curves of training methods, each in the style that it has in every figure.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curves : DataFrame
        A column for each method, named as :func:`moelib.pages.method_style` knows it.
    **style : dict
        For all curves, in place of their own.
    """
    for name in curves:
        draw_curves(ax, {name: curves[name]}, **method_style(name) | style)


def draw_intervals(ax, estimates, x=None, *, band=False, apart=0.0, first=0, **style):
    """Draw estimates with their intervals: lines with bars, or curves in a band.

    Parameters
    ----------
    ax : Axes
        Where to draw; set the scale of x before.
    estimates : dict of (array, array, array)
        What the legend says -> values and the lower and upper ends of their intervals.
    x : array, optional
        Places on the axis. Default: the index of a Series, or 0, 1, 2, ...
    band : bool
        Whether to shade between the ends instead of drawing bars.
    apart : float
        Distance between neighbours, so that bars do not hide each other; on a logarithmic axis
        relative.
    first : int
        Place of the first curve (see `moelib.pages.style.expert_style`).
    **style : dict
        For ``ax.plot``: ``linestyle=""`` leaves the points alone.

    Returns
    -------
    drawn : list of (Line2D, Collection)
        Line and bars, or line and band, of each curve.
    """
    drawn = []
    for i, (name, (middle, low, high)) in enumerate(estimates.items()):
        places, step = np.asarray(_places(x, middle)), i - (len(estimates) - 1) / 2
        logarithmic = ax.get_xscale() == "log"
        places = places * (1 + apart) ** step if logarithmic else places + apart * step
        (line,) = ax.plot(places, middle, **_look(first + i, style, label=name))
        if band:
            bars = ax.fill_between(places, low, high, color=line.get_color(), alpha=0.2, lw=0)
        else:
            bars = ax.vlines(places, low, high, color=line.get_color(), lw=1)
        drawn.append((line, bars))
    return drawn


def draw_dots(ax, groups, *, across=False, shift=0.0, place=None, label=None, **style):
    """Draw every value as a dot, group beside group, with a bar at the median.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    groups : dict of array
        What the axis says -> values.
    across : bool
        Whether the values run along x, the groups from top to bottom.
    shift : float
        How far from its tick to draw a group, when each tick has several.
    place : int, optional
        Draw all groups in the style of this place. Default: each in its own.
    label : str, optional
        What the legend says of the dots, with `place`.
    **style : dict
        For ``ax.plot``.

    Returns
    -------
    lines : list of Line2D
        The dots of each group.
    """
    width = 0.2 if shift else 0.4
    ticks, lines = np.arange(len(groups))[:: -1 if across else 1], []
    for i, (tick, values) in enumerate(zip(ticks, groups.values())):
        values = np.sort(np.asarray(values, dtype=float))
        n, at = len(values), tick + shift
        beside = at + width * (np.arange(n) - (n - 1) / 2) / max(n - 1, 1)
        name = label if i == 0 else None
        look = _look(i if place is None else place, style, linestyle="", label=name)
        lines += ax.plot(*((values, beside) if across else (beside, values)), **look)
        bar = ax.vlines if across else ax.hlines
        bar(np.median(values), at - 0.6 * width, at + 0.6 * width, color="0.3", lw=1.6)
    set_names = ax.set_yticks if across else ax.set_xticks
    set_names(ticks, list(groups))
    return lines


def draw_guide(ax, x, exponent, *, through, text=None, **style):
    """Draw the power law that goes through a point, as a grey line behind the curves.

    Parameters
    ----------
    ax : Axes
        Where to draw, logarithmic in both directions.
    x : (float, float)
        Where the line begins and ends.
    exponent : float
        Its slope on the page.
    through : (float, float)
        A point on it.
    text : str, optional
        Written at its end.
    **style : dict
        For ``ax.plot``.

    Returns
    -------
    line : Line2D
        The line.
    """
    ends = through[1] * (np.asarray(x, dtype=float) / through[0]) ** exponent
    grey = {"color": "0.6", "marker": "", "linewidth": 1, "linestyle": "-", "zorder": 1}
    (line,) = ax.plot(x, ends, **_look(0, style, **grey))
    if text:
        ax.annotate(text, (x[-1], ends[-1]), (4, 0), textcoords="offset points", color="0.3")
    return line


def draw_grid(ax, values, *, texts=None, form=".2f", names=None, **options):
    """Draw a matrix as colours with a number in each cell.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : (r, c) array or DataFrame
        What the colours say; what is missing (NaN) stays white.
    texts : (r, c) array of str, optional
        What the cells say. Default: their values.
    form : str
        How values are written (see `moelib.pages.numbers.number`).
    names : (list, list), optional
        Of the rows and of the columns. Default: those of the DataFrame.
    **options : dict
        For ``ax.imshow``: ``vmin=0, vmax=1, cmap="PuOr", origin="lower"``.

    Returns
    -------
    image : AxesImage
        For ``figure.colorbar``.
    """
    if names is None and hasattr(values, "columns"):
        names = values.index, values.columns
    shown = np.ma.masked_invalid(np.asarray(values, dtype=float))
    image = ax.imshow(shown, **{"aspect": "auto", **options})
    ax.grid(False)
    for (i, j), value in np.ndenumerate(np.ma.getdata(shown)):
        if np.ma.getmaskarray(shown)[i, j]:
            continue
        text = number(value, form) if texts is None else str(np.asarray(texts)[i, j])
        ink = _ink(image.cmap(image.norm(value)))
        ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
    if names is not None:
        for set_names, entries in zip((ax.set_yticks, ax.set_xticks), names):
            set_names(range(len(entries)), list(entries))
    return image


def draw_plane(ax, x, y, values, *, marks=None, **options):
    """Draw the height of a loss over a plane, and marked points in it.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x, y : (m,) array and (l,) array
        Places on the axes.
    values : (l, m) array
        Heights.
    marks : dict of (p, 2) array, optional
        Marker -> points: ``{"o": truths, "s": [(90, 90)]}``.
    **options : dict
        For ``ax.contourf``: ``levels=12, extend="both"``.

    Returns
    -------
    shading : ContourSet
        For ``figure.colorbar``.
    """
    shading = ax.contourf(x, y, values, **{"antialiased": False, **options})
    for marker, points in (marks or {}).items():
        look = {"linestyle": "", "mfc": "white", "mec": "black", "ms": 8}
        ax.plot(*np.transpose(points), marker=marker, **look)
    ax.grid(False)
    return shading


def draw_arrows(ax, vectors, names=(), *, first=0, **style):
    """Draw vectors as arrows from the origin.

    Parameters
    ----------
    ax : Axes
        Where to draw; set its limits.
    vectors : (m, 2) array
        Where they end.
    names : list of str
        Written beyond the heads.
    first : int
        Place of the first one (see `moelib.pages.style.expert_style`).
    **style : dict
        For ``ax.annotate``'s arrow: ``color="0.5", lw=1``.

    Returns
    -------
    arrows : list of Annotation
        One for each vector.
    """
    drawn = []
    for i, vector in enumerate(np.asarray(vectors, dtype=float)):
        color = expert_style(first + i)["color"]
        look = {"arrowstyle": "->", "color": color, "lw": 2, "shrinkA": 0, "shrinkB": 0, **style}
        drawn.append(ax.annotate("", vector, (0, 0), arrowprops=look))
        if i < len(names):
            beyond = vector * (1 + 0.15 / (float(np.linalg.norm(vector)) or 1.0))
            ax.text(*beyond, names[i], ha="center", va="center", color=look["color"])
    return drawn


def _places(x, y):
    if x is not None:
        return x
    return y.index if hasattr(y, "index") and not callable(y.index) else np.arange(len(y))


def _look(i, style, **more):
    """The style of place i, with changes; ``ls`` and ``linestyle`` are one thing."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**expert_style(i), **more, **normalize_kwargs(style, Line2D)}


def _ink(ground):
    """Black or white, whichever has more contrast on a colour (WCAG 2)."""
    channels = np.asarray(ground[:3])
    light = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if light @ [0.2126, 0.7152, 0.0722] > 0.179 else "white"
