"""A small picture looks like the figure, and weighs less."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib import rc_context
from PIL import Image

from moelib.pages.layout import panels
from moelib.pages.pictures import small
from moelib.pages.plots import draw_curves


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)


@pytest.fixture(autouse=True)
def plain_style():
    """No style that another test has set."""
    with rc_context():
        matplotlib.rcdefaults()
        yield


def test_same_picture_in_fewer_bytes():
    figure, axes = panels(["rise", "fall"], (5, 2.5), xlabel="x", ylabel="y")
    for ax, y in zip(axes, (np.arange(5), -np.arange(5)), strict=True):
        draw_curves(ax, {"EM": y, "Adam": y / 2})
    usual = io.BytesIO()
    with rc_context({"savefig.dpi": 100}):
        figure.savefig(usual, format="png", bbox_inches="tight")
        picture = small(figure, n_colors=32)
    one, other = pixels(picture.data), pixels(usual.getvalue())
    assert one.shape == other.shape
    assert np.abs(one - other).max() < 64 and np.abs(one - other).mean() < 1
    assert len(picture.data) < 0.6 * len(usual.getvalue())
    assert len(np.unique(one.reshape(-1, 3), axis=0)) <= 32
