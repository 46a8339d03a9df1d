"""The picture of the README."""

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
        assert picture.size == (1536, 784)
    assert plt.get_fignums() == []


def test_overview_says_what_it_shows():
    words = " ".join(text.get_text() for text in overview.overview().axes[0].texts)
    for part in ("experts", "gate", "L_4", r"L_{\log}", "loss 1", "loss 2"):
        assert part in words
    assert "L4" in overview.ALT
    assert "gate" in overview.ALT
