"""Axes and looks that the pictures share.

Nothing here changes matplotlib's settings: a picture takes the reader's fonts. No two of the six
colours have the same lightness, and markers, line styles and numbers say the same thing again, so
that a print without colour can be read.
"""

from textwrap import wrap

import numpy as np

PALETTE = ("#1553a3", "#e07b28", "#0f826c", "#64104a", "#79bcec", "#000000")
LINESTYLES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (9, 2)),
    (0, (3, 3)),
)
MARKERS = ("o", "s", "^", "D", "v", "X")
MOST_COLUMNS = 3  # of panels side by side


def look(i):
    """Colour, line style and marker of expert i; after six the colours come again, otherwise mixed.

    Examples
    --------
    >>> look(1)["marker"], look(7)["color"] == look(1)["color"], look(7)["marker"]
    ('s', True, '^')
    """
    shifted = (i + i // len(PALETTE)) % len(PALETTE)
    return {
        "color": PALETTE[i % len(PALETTE)],
        "linestyle": LINESTYLES[shifted],
        "marker": MARKERS[shifted],
    }


def ink(color):
    """Black or white, whichever is read better on a colour.

    Examples
    --------
    >>> ink(PALETTE[0]), ink(PALETTE[4])
    ('white', 'black')
    """
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 130 else "white"


def one_axes(ax, size=(7, 4)):
    """The axes given, or new ones on a figure of their own."""
    import matplotlib.pyplot as plt

    if ax is None:
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    return ax


def divided(ax, rows, columns, n, *, sharex=True, gaps=(0.1, 0.1), **options):
    """Divide the place of an axes into panels; the axes becomes the first of them.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    rows, columns : int
        Of the grid.
    n : int
        Number of panels, at most rows times columns.
    sharex : bool
        Whether all have the same x axis; they have the same y axis where ``columns > 1``.
    gaps : (float, float)
        Between rows and columns, in sizes of a panel, where the figure does not lay itself out.
    **options : dict
        Of the grid: ``height_ratios``.

    Returns
    -------
    list of Axes
        In reading order.
    """
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

    figure, place = ax.figure, ax.get_subplotspec()
    shared = {"sharex": ax if sharex else None, "sharey": ax if columns > 1 else None}
    if place is None or figure.get_layout_engine() is None:
        options |= dict(zip(("hspace", "wspace"), gaps))
    if place is not None:
        inner = GridSpecFromSubplotSpec(rows, columns, subplot_spec=place, **options)
        ax.set_subplotspec(inner[0])
        return [ax, *[figure.add_subplot(inner[i], **shared) for i in range(1, n)]]
    box = ax.get_position()  # of axes that stand outside any grid
    edges = dict(left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)
    grid = GridSpec(rows, columns, **edges, **options)
    ax.set_position(grid[0].get_position(figure))
    return [ax, *[figure.add_axes(grid[i].get_position(figure), **shared) for i in range(1, n)]]


def panel_for_each_expert(ax, k, xlabel, ylabel, *, sharex=True):
    """A panel for each of k experts, at most three side by side, with labels at the edges."""
    columns = min(k, MOST_COLUMNS)
    rows = -(-k // columns)
    ax = one_axes(ax, (max(4.5, 2.1 + 1.9 * columns), 1 + 2.4 * rows))
    axes = divided(ax, rows, columns, k, sharex=sharex, gaps=(0.75, 0.12)) if k > 1 else [ax]
    for i, panel in enumerate(axes):
        tidy(panel)
        panel.tick_params(labelbottom=True, labelleft=i % columns == 0)
        panel.set_xlabel(xlabel if i + columns >= k else "")
        panel.set_ylabel(ylabel if i % columns == 0 else "")
    return axes


def width(ax):
    """Width of an axes in inches, before the figure lays itself out."""
    return ax.bbox.width / ax.figure.dpi


def draw_samples(ax, x, y, strength, n, i):
    """Draw samples of expert i, out of n in all, with opacities between 0 and 1."""
    if len(x):
        style, many = look(i), n > 3000
        ax.scatter(
            x,
            y,
            s=np.clip(8000 / n, 5, 20),
            marker=style["marker"],
            color=style["color"],
            alpha=0.75 * strength * (np.sqrt(3000 / n) if many else 1),
            linewidths=0,
            rasterized=many,
        )


def title_above(ax, *lines):
    """Write each line in full where it fits, else its short form: pairs of both."""
    fits = width(ax) > 1.55
    texts = [line[0] if fits else line[-1] for line in lines]
    ax.set_title("\n".join(texts), fontsize="medium", loc="left")


def tidy(ax):
    """Take away the upper and the right edge, and put a light grid behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def fitted_name(name, width, lines=2):
    """A name on at most so many lines of a width in letters, cut if it is longer.

    Examples
    --------
    >>> fitted_name("income before taxes", width=12)
    'income\\nbefore taxes'
    >>> fitted_name("income_before_taxes", width=14)
    'income_\\nbefore_taxes'
    """
    words = str(name).replace("_", "_\0 ")  # a line may end after an underscore
    parts = [line.replace("_\0 ", "_").replace("\0", "") for line in wrap(words, width)] or [""]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 2] + " …"]
    return "\n".join(parts)


def name_axes(ax, x=None, y=None):
    """Label axes with names of the user's own, on two lines at most and never as formulas."""
    if x is not None:
        ax.set_xlabel(fitted_name(x, 60), parse_math=False)
    if y is not None:
        ax.set_ylabel(fitted_name(y, 38), parse_math=False)


def legend_above(ax, inches=1.15):
    """One legend above the axes, in as many rows as entries of a width, in inches, need there."""
    n = len(ax.get_legend_handles_labels()[0])
    rows = -(-n // max(1, int(width(ax) / inches)))
    options = dict(ncols=-(-n // rows), frameon=False, borderaxespad=0.2, handlelength=2.4)
    return ax.legend(loc="lower left", bbox_to_anchor=(0, 1), columnspacing=1.2, **options)
