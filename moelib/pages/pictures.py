"""Figures of many panels, whose picture on a page would weigh too much."""

import io


def small(figure, *, n_colors=32):
    """Show a figure in few colours, which takes a third of the bytes.

    Lines, letters and tiles look the same; a shading with many steps does not.

    Parameters
    ----------
    figure : Figure
        What to show.
    n_colors : int
        How many colours the picture has.

    Returns
    -------
    picture : IPython.display.Image
        The last line of the cell that shows it.
    """
    from IPython.display import Image as Picture
    from PIL import Image

    full, few = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", bbox_inches="tight")
    image = Image.open(full).convert("RGB").quantize(n_colors, dither=Image.Dither.NONE)
    image.save(few, format="png", optimize=True)
    return Picture(few.getvalue())
