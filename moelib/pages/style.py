r"""How the book's figures look.

`panel` and `panels` set it for every figure. Colours are told apart by readers with any colour
vision and in print without colour, because no two have the same lightness; line styles and markers
say the same thing again. The ground is white in both themes of the page.
"""

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
METHOD_PLACES = {  # of a method: its colour, line style and marker
    "two-loss": (0, 0, 0),
    "two-loss, unrefined": (4, 2, 4),
    "em": (1, 1, 1),
    "em, frozen noise": (3, 3, 3),
    "em, annealed": (4, 3, 3),
    "gradient-em": (3, 2, 4),
    "l4-sgd": (4, 2, 4),
    "likelihood": (2, 4, 2),
    "least-squares": (5, 5, 5),
}


def use_style():
    """Set the book's matplotlib style for all figures drawn afterwards in this process.

    Figures are 6.4 by 3.8 inches at 100 pixels per inch, under 60 kB as PNG for the usual plot.

    Examples
    --------
    >>> use_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["axes.grid"]
    True
    """
    from cycler import cycler
    from matplotlib import rc

    cycle = cycler(color=PALETTE) + cycler(linestyle=LINESTYLES)
    rc("figure", figsize=(6.4, 3.8), dpi=100, facecolor="white")
    rc("figure.constrained_layout", use=True)
    rc("savefig", dpi=100, facecolor="white")
    rc("font", family="DejaVu Sans", size=11)
    rc("axes", grid=True, axisbelow=True, edgecolor="0.35", labelsize=11, prop_cycle=cycle)
    rc("axes", titlesize=12, titlelocation="left")
    rc("axes.spines", top=False, right=False)
    rc("grid", color="0.9", linewidth=0.8)
    rc("lines", linewidth=1.8, markersize=5)
    rc("legend", fontsize=10, frameon=False, handlelength=2.6)
    rc(("xtick", "ytick"), labelsize=10)
    rc("image", cmap="cividis")


def expert_color(i):
    """Colour of expert `i`, the same on every page; it repeats after the sixth.

    Examples
    --------
    >>> expert_color(0) == expert_color(6) == PALETTE[0]
    True
    """
    return PALETTE[i % len(PALETTE)]


def expert_style(i):
    """Colour, line style and marker of expert `i`, as keywords for ``ax.plot``.

    Examples
    --------
    >>> expert_style(1)["marker"]
    's'
    """
    return {
        "color": expert_color(i),
        "linestyle": LINESTYLES[i % len(LINESTYLES)],
        "marker": MARKERS[i % len(MARKERS)],
    }


def method_style(name):
    """Colour, line style and marker of a training method, the same in every figure.

    Parameters
    ----------
    name : str
        As in the stored experiments, in any case; see ``METHOD_PLACES``.

    Returns
    -------
    dict
        Keywords for ``ax.plot``.

    Raises
    ------
    ValueError
        When the method has no style yet.

    Examples
    --------
    >>> method_style("EM")["marker"], method_style("two-loss")["color"] == PALETTE[0]
    ('s', True)
    """
    if name.lower() not in METHOD_PLACES:
        raise ValueError(f"name must be one of {', '.join(METHOD_PLACES)}; got {name!r}")
    color, line, marker = METHOD_PLACES[name.lower()]
    return {"color": PALETTE[color], "linestyle": LINESTYLES[line], "marker": MARKERS[marker]}


def panel_labels(axes):
    """Write (a), (b), ... above the panels of a figure, left of their titles.

    Parameters
    ----------
    axes : Axes, or array or list of Axes
        Axes in reading order; at most 26.

    Returns
    -------
    list of str
        The labels, for the text that refers to them.
    """
    import numpy as np

    panels = np.ravel(axes)
    if len(panels) > 26:
        raise ValueError(f"axes: letters suffice for 26 panels, got {len(panels)}")
    labels = [f"({chr(ord('a') + i)})" for i in range(len(panels))]
    for label, panel in zip(labels, panels, strict=True):
        title = panel.get_title(loc="left") or panel.get_title()
        panel.set_title("")
        panel.set_title(f"{label} {title}".strip(), loc="left")
    return labels
