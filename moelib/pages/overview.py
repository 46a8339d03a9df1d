"""The picture of the model and its two losses, for the README and the first page.

python -m moelib.pages.overview        draws it again
"""

import argparse
from pathlib import Path

from moelib.pages.style import PALETTE

BROWN = "#8a4208"  # words on a ground of light orange
ALT = (
    "Diagram of a mixture of experts. An input x goes to k experts and to a gate. The gate draws a "
    "number z, which nobody records, and sets a switch: it connects expert z, here expert 2, and "
    "leaves the other experts unconnected. Noise is added to that one answer, and the label y "
    "comes out. Two dashed arrows lead back from the label: loss 1 finds the experts, with no gate "
    "needed; loss 2 finds the gate, with the experts fixed."
)


def overview():
    """Draw the model, whose gate chooses one expert, and the two losses that undo it.

    Returns
    -------
    Figure
        6.4 by 5 inches, with letters that can be read on a phone; what it shows is said by `ALT`.
    """
    from matplotlib.figure import Figure

    blue, orange, teal, plum = PALETTE[:4]
    figure = Figure(figsize=(6.4, 5.0), facecolor="white")
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 6.4), ylim=(0, 5.0))
    ax.set_axis_off()

    pivot, contact = (4.3, 2.75), 3.35
    for name, y in (("1", 3.55), ("2", 2.75), ("k", 1.95)):
        box(ax, (1.15, y - 0.25), 1.5, 0.5, blue, f"expert ${name}$", fill=0.18, size=15)
        arrow(ax, (0.61, 2.75), (1.07, y))
        ax.plot([2.65, contact], [y, y], color="#444444", lw=1.3, ls="-", zorder=1)
        dot(ax, (contact, y), 7, "#444444", "#444444" if name == "2" else "white")
    words(ax, 1.9, 2.36, r"$\vdots$", size=13)
    lever = [contact, pivot[0]], [2.75, 2.75]
    ax.plot(*lever, color=BROWN, lw=4.5, ls="-", zorder=2, solid_capstyle="butt")
    dot(ax, pivot, 10, BROWN, BROWN)
    words(ax, 3.92, 3.1, "switch", color=BROWN, weight="bold", size=14)
    arrow(ax, pivot, (5.57, 2.75))
    words(ax, 4.98, 3.02, "+ noise", size=14)

    box(ax, (1.15, 0.9), 1.5, 0.55, orange, "gate", fill=0.16, size=15)
    arrow(ax, (0.35, 2.46), (0.35, 1.18), (1.07, 1.18))
    arrow(ax, (2.65, 1.18), (3.92, 1.18), (3.92, 2.6), color=BROWN)
    words(ax, 4.02, 1.72, "draws $z$ = 2,", size=14, color=BROWN, ha="left")
    words(ax, 4.02, 1.44, "not recorded", size=14, color=BROWN, ha="left")
    for x, name, word in ((0.35, "$x$", "input"), (5.9, "$y$", "label")):
        box(ax, (x - 0.25, 2.5), 0.5, 0.5, "#222222", name, fill=0, shape="circle", size=17)
        words(ax, x + (0.02 if x < 1 else 0), 3.17, word, size=14)

    dots = (6, 1.5, 1, 1.5)
    arrow(ax, (5.9, 3.35), (5.9, 4.6), (1.9, 4.6), (1.9, 3.9), color=plum, dashes=(4, 1.5))
    arrow(ax, (5.9, 2.46), (5.9, 0.35), (1.9, 0.35), (1.9, 0.8), color=teal, dashes=dots)
    box(ax, (2.3, 4.33), 3.3, 0.54, plum, "loss 1: finds the experts", fill=0, size=15)
    box(ax, (2.3, 0.08), 3.3, 0.54, teal, "loss 2: finds the gate", fill=0, size=15)
    return figure


def words(ax, x, y, text, size=14, ha="center", **options):
    """Text whose middle, or left end, is at a point."""
    ax.text(x, y, text, ha=ha, va="center", fontsize=size, **options)


def dot(ax, point, size, color, fill):
    """A round contact of the switch."""
    ax.plot(*point, ls="", marker="o", ms=size, mew=1.3, mec=color, mfc=fill, zorder=3)


def box(ax, corner, width, height, color, text="", *, fill=0.1, shape="round", size=14):
    """A rounded box with text in its middle; `fill` is how much of the colour its ground has."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    ground = [1 - fill * (1 - channel) for channel in to_rgb(color)]
    left, bottom = corner
    style = {"round": "round,pad=0,rounding_size=0.1", "circle": "circle,pad=0"}[shape]
    ax.add_patch(
        FancyBboxPatch(corner, width, height, style, fc=ground, ec=color, lw=1.5, zorder=2)
    )
    words(ax, left + width / 2, bottom + height / 2, text, size)


def arrow(ax, *points, color="#444444", dashes=()):
    """A line through two or more points, with an arrow head at the last one."""
    import numpy as np

    x, y = np.transpose(points)
    width = 2.2 if dashes else 1.3
    ax.plot(x, y, color=color, lw=width, dashes=dashes, dash_joinstyle="round", zorder=2)
    angle = np.degrees(np.arctan2(y[-1] - y[-2], x[-1] - x[-2])) - 90
    ax.plot(x[-1], y[-1], color=color, marker=(3, 0, angle), markersize=4 + 3 * width, zorder=2)


def main(arguments=None):
    """Draw the picture and save it."""
    parser = argparse.ArgumentParser(
        prog="python -m moelib.pages.overview", description=main.__doc__
    )
    parser.add_argument("--to", type=Path, default=Path("book/_static"), help="folder to save in")
    path = parser.parse_args(arguments).to / "overview.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    overview().savefig(path, dpi=240, metadata={"Software": None})
    print(path)


if __name__ == "__main__":
    main()
