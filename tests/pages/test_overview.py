"""The picture of the README."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from moelib.pages import overview, style


@pytest.fixture(autouse=True)
def own_style():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def test_overview_is_saved_small_and_the_same_each_time(tmp_path, capsys):
    overview.main(["--to", str(tmp_path / "one")])
    style.use_style()
    overview.main(["--to", str(tmp_path / "two")])
    one, two = (tmp_path / name / "overview.png" for name in ("one", "two"))
    assert str(one) in capsys.readouterr().out
    assert one.stat().st_size < 200_000
    assert one.read_bytes() == two.read_bytes()
    with Image.open(one) as picture:
        assert picture.size == (1536, 1200)
    assert plt.get_fignums() == []


def test_overview_says_what_it_shows():
    words = " ".join(text.get_text() for text in overview.overview().axes[0].texts)
    for part in ("expert $2$", "gate", "switch", "$z$ = 2", "noise", "loss 1", "loss 2"):
        assert part in words
    for part in ("switch", "expert 2", "z, which nobody records", "loss 1", "loss 2"):
        assert part in overview.ALT
    page = (Path(overview.__file__).parents[2] / "book/index.md").read_text()
    assert f":alt: {overview.ALT}\n" in page


def test_overview_can_be_read_on_a_phone():
    """On a screen 390 pixels wide, 24 of them margin on each side, letters have 9 or more."""
    figure = overview.overview()
    pixels_per_inch = (390 - 2 * 24) / figure.get_figwidth()
    sizes = [text.get_fontsize() for text in figure.axes[0].texts if text.get_text().strip("$.")]
    assert min(sizes) / 72 * pixels_per_inch >= 9
