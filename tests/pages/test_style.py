"""The book's style, told apart in grey."""

import io
import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from moelib.pages import style

# Machado, Oliveira & Fernandes (2009): how linear RGB looks without red, without green cones.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
}


@pytest.fixture(autouse=True)
def own_style():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def linear(color):
    channels = np.array(matplotlib.colors.to_rgb(color))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lightness(color, vision="full"):
    """CIE L* of a colour, 0 black to 100 white."""
    seen = np.clip(np.asarray(VISION[vision]) @ linear(color), 0, 1)
    luminance = seen @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.0089 else 903.3 * luminance


@pytest.mark.parametrize("vision", VISION)
def test_no_two_colours_have_the_same_lightness(vision):
    gaps = [
        abs(lightness(one, vision) - lightness(other, vision))
        for one, other in itertools.combinations(style.PALETTE, 2)
    ]
    assert min(gaps) > (10 if vision == "full" else 5)


def test_the_first_four_colours_stand_out_from_white():
    for color in style.PALETTE[:4]:
        contrast = 1.05 / (linear(color) @ [0.2126, 0.7152, 0.0722] + 0.05)
        assert contrast > 2.95


def test_experts_differ_in_colour_line_and_marker():
    styles = [style.expert_style(i) for i in range(len(style.PALETTE))]
    for key in ("color", "linestyle", "marker"):
        assert len({one[key] for one in styles}) == len(styles)
    assert style.expert_style(6) == style.expert_style(0)
    assert style.expert_color(2) == styles[2]["color"]


def test_the_usual_plot_is_small_and_lines_follow_the_palette():
    style.use_style()
    figure, ax = plt.subplots()
    rng = np.random.default_rng(0)
    for i in range(3):
        (line,) = ax.plot(rng.normal(size=100).cumsum(), label=f"expert {i}")
        assert line.get_color() == style.expert_color(i)
    ax.set(xlabel="step", ylabel="error")
    ax.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    assert picture.tell() < 60_000
    assert Image.open(picture).size == (640, 380)
    assert Image.open(picture).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_panels_get_letters_before_their_titles():
    _, axes = plt.subplots(2, 2)
    axes[0, 0].set_title("loss")
    axes[0, 1].set_title("error", loc="left")
    assert style.panel_labels(axes) == ["(a)", "(b)", "(c)", "(d)"]
    titles = [ax.get_title(loc="left") for ax in axes.flat]
    assert titles == ["(a) loss", "(b) error", "(c)", "(d)"]
    assert axes[0, 0].get_title() == ""
    _, single = plt.subplots()
    assert style.panel_labels(single) == ["(a)"]


def test_panels_run_out_of_letters():
    with pytest.raises(ValueError, match="26 panels, got 27"):
        style.panel_labels([None] * 27)


def test_a_method_has_one_style_and_no_two_methods_of_a_figure_share_it():
    assert style.method_style("EM") == style.method_style("em")
    figures = [
        ["em", "em, frozen noise", "two-loss", "l4-sgd", "likelihood", "least-squares"],
        ["two-loss", "two-loss, unrefined", "em", "em, frozen noise"],
        ["em, annealed", "gradient-em", "likelihood", "least-squares"],
    ]
    for methods in figures:
        found = [style.method_style(method) for method in methods]
        for key in ("color", "linestyle", "marker"):
            assert len({str(one[key]) for one in found}) == len(methods), key
    with pytest.raises(ValueError, match="name must be one of two-loss, .*; got 'adam'"):
        style.method_style("adam")
