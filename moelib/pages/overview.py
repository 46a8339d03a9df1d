"""The picture of the model and its two losses, for the README and the first page.

python -m moelib.pages.overview        draws it again
"""

import argparse
from pathlib import Path

from moelib.pages.style import PALETTE

BROWN = "#8a4208"  # words on a ground of light orange
ALT = (
    "Diagram of a mixture of experts. An input x goes to k experts, g of the inner product of a_i "
    "and x, and to a gate, softmax of W x. The gate weights the experts, and their mixture with "
    "noise gives the label y. From the label two dashed arrows lead back: loss 1, L4, finds the "
    "experts without the gate; loss 2, L log, finds the gate with the experts fixed."
)


def overview():
    """Draw the model and its two losses: the picture of the README.

    Returns
    -------
    Figure
        9.6 by 4.9 inches; what it shows is said by `ALT`.
    """
    from matplotlib.figure import Figure

    blue, orange, teal, plum = PALETTE[:4]
    figure = Figure(figsize=(9.6, 4.9), facecolor="white")
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 9.6), ylim=(0, 4.9))
    ax.set_axis_off()

    box(ax, (1.6, 1.3), 2.6, 2.65, blue, fill=0.06)
    box(ax, (4.85, 1.3), 1.0, 2.65, orange, fill=0.16)
    words(ax, 2.9, 3.76, "$k$ experts", color=blue, weight="bold")
    words(ax, 5.35, 3.76, "weights", color=BROWN, weight="bold")
    for name, y in (("1", 3.3), ("2", 2.63), ("k", 1.66)):
        box(ax, (1.8, y - 0.25), 2.2, 0.5, blue, rf"$g(\langle a_{name},\, x\rangle)$", fill=0.18)
        words(ax, 5.35, y, rf"$\times\; p_{name}(x)$", size=14)
        arrow(ax, (0.91, 2.63), (1.72, y))
        arrow(ax, (4.0, y), (4.77, y))
        arrow(ax, (5.85, y), (6.42, 2.63 + 0.2 * (y - 2.63)))
    for x in (2.9, 5.35):
        words(ax, x, 2.15, r"$\vdots$", size=14)
    box(ax, (1.6, 0.25), 2.6, 0.75, orange, fill=0.16)
    words(ax, 2.12, 0.62, "gate", color=BROWN, weight="bold")
    words(ax, 3.2, 0.62, r"softmax$\,(Wx)$", size=14)
    arrow(ax, (0.6, 2.32), (0.6, 0.62), (1.52, 0.62))
    arrow(ax, (4.2, 0.8), (5.35, 0.8), (5.35, 1.22))
    arrow(ax, (7.08, 2.63), (8.42, 2.63))
    for x, name in ((0.6, "$x$"), (6.78, r"$\Sigma$"), (8.8, "$y$")):
        box(ax, (x - 0.3, 2.33), 0.6, 0.6, "#222222", name, fill=0, shape="circle", size=16)
    words(ax, 0.6, 3.1, "input")
    words(ax, 9.23, 3.1, "label")
    words(ax, 7.35, 1.75, r"$y \sim \sum_i\, p_i(x)\; N(g(\langle a_i, x\rangle),\, \sigma^2)$")

    arrow(ax, (8.8, 2.95), (8.8, 4.5), (2.9, 4.5), (2.9, 4.04), color=plum, dashes=(4, 1.5))
    arrow(ax, (8.8, 2.3), (8.8, 0.45), (4.29, 0.45), color=teal, dashes=(6, 1.5, 1, 1.5))
    loss_1 = "loss 1:  $L_4$  finds the experts, no gate needed"
    loss_2 = r"loss 2:  $L_{\log}$  finds the gate, experts fixed"
    box(ax, (3.8, 4.24), 4.3, 0.52, plum, loss_1, fill=0, size=12.5)
    box(ax, (4.7, 0.19), 3.85, 0.52, teal, loss_2, fill=0, size=12)
    return figure


def words(ax, x, y, text, size=12, **options):
    """Text centred at a point."""
    ax.text(x, y, text, ha="center", va="center", fontsize=size, **options)


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
    overview().savefig(path, dpi=160, metadata={"Software": None})
    print(path)


if __name__ == "__main__":
    main()
