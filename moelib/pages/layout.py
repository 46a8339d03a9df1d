"""Figures of one panel or several: titles, labels, ticks and legends.

`panel` and `panels` make axes in the book's style, `moelib.pages.plots` draws into them. A cell
that ends with the figure shows it. Scales, limits and single legends are set on the axes, in
matplotlib's words.
"""

from moelib.pages.numbers import number
from moelib.pages.style import panel_labels, use_style


def panel(size=(6.4, 3.8), **properties):
    """Make a figure of one panel.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches.
    **properties : dict
        For ``ax.set``: ``xlabel="samples $n$", yscale="log"``.

    Returns
    -------
    figure : Figure
        The last line of the cell that shows it.
    ax : Axes
        Its panel.
    """
    figure, (ax,) = panels([""], size, **properties)
    return figure, ax


def panels(titles, size=(7.2, 3.3), *, rows=1, xlabel="", ylabel="", layout=None, **properties):
    """Make a figure of panels.

    Parameters
    ----------
    titles : list of str
        One for each panel, in reading order; two or more get the letters (a), (b), ...
    size : (float, float)
        Width and height in inches.
    rows : int
        Rows of panels.
    xlabel, ylabel : str or list of str
        A string labels the lowest panels or the leftmost ones, a list each panel.
    layout : dict, optional
        For ``plt.subplots``: ``{"sharey": True, "width_ratios": [1, 2]}``.
    **properties : dict
        For ``ax.set`` of every panel.

    Returns
    -------
    figure : Figure
        The last line of the cell that shows it.
    axes : (n,) array of Axes
        The panels in reading order.

    Raises
    ------
    ValueError
        When the panels do not fill their rows, or a list of labels is not as long as they are.

    Examples
    --------
    >>> figure, axes = panels(["experts", "gates"], xlabel="iteration", yscale="log")
    >>> [ax.get_title(loc="left") for ax in axes]
    ['(a) experts', '(b) gates']
    """
    import matplotlib.pyplot as plt

    n, columns = len(titles), len(titles) // rows
    if n != rows * columns or n == 0:
        raise ValueError(f"{n} titles do not fill rows={rows}: name every panel")
    use_style()
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **(layout or {}))
    plt.close(figure)  # so that it is shown once, by the cell that ends with it
    axes = axes.ravel()
    for i, (ax, title) in enumerate(zip(axes, titles)):
        ax.set(title=title, **properties)
        lowest, leftmost = i >= n - columns, i % columns == 0
        ax.set_xlabel(_label("xlabel", xlabel, n, i, lowest))
        ax.set_ylabel(_label("ylabel", ylabel, n, i, leftmost))
    if n > 1:
        panel_labels(axes)
    return figure, axes


def set_ticks(ax, *, x=None, y=None, form="g"):
    """Put ticks exactly where asked, and write what they stand for.

    Parameters
    ----------
    ax : Axes
        Its scales are set before.
    x, y : array or dict of str, optional
        Places; a dict says what is written there.
    form : str
        How places are written (see `moelib.pages.numbers.number`).
    """
    from matplotlib.ticker import NullLocator

    for axis, places in ((ax.xaxis, x), (ax.yaxis, y)):
        if places is not None:
            texts = [places[p] if isinstance(places, dict) else number(p, form) for p in places]
            axis.set_ticks(list(places), texts)
            axis.set_minor_locator(NullLocator())


def shared_legend(figure, *, where="upper", **options):
    """Write one legend for all panels outside of them.

    Parameters
    ----------
    figure : Figure
        With a constrained layout.
    where : {"upper", "lower"}
        Edge of the figure.
    **options : dict
        For ``figure.legend``: ``ncols=3, fontsize=9``. Default: all in one row.

    Returns
    -------
    legend : Legend
        Each label once, in the order of the panels.
    """
    found: dict = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            found.setdefault(label, handle)
    options = {"ncols": len(found), **options}
    return figure.legend(found.values(), found, loc=f"outside {where} center", **options)


def _label(name, label, n, i, at_edge):
    if isinstance(label, str):
        return label if at_edge else ""
    if len(label) != n:
        raise ValueError(f"{name} must be a string or have {n} entries, got {len(label)}")
    return label[i]
