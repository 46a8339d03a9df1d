"""Figures that move: the page's frames, the kernel's sliders, and what is refused."""

import base64
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from PIL import Image

from moelib.pages import sliders as interactive
from moelib.pages.sliders import WIDGET, explore


def draw(slope=1.0, power=1):
    figure, ax = plt.subplots(figsize=(3, 2))
    grid = np.linspace(0, 1, 20)
    ax.plot(grid, slope * grid**power)
    return figure


def say(slope=1.0, power=1):
    return f"A curve that ends at {slope:g}, of power {power}."


def two_sliders(**options):
    return explore(draw, alt=say, slope=[0.5, 1.0, 2.0], power=[1, 2], **options)


def parse(figure):
    soup = BeautifulSoup(figure.html, "html.parser")
    return soup, json.loads(soup.find("script", type="application/json").string)


def test_there_is_one_frame_for_each_point_of_the_grid():
    figure = two_sliders()
    _, data = parse(figure)
    assert list(figure.frames) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    sentences = [say(slope, power) for slope in (0.5, 1.0, 2.0) for power in (1, 2)]
    assert [frame["alt"] for frame in data["frames"]] == sentences
    assert len({frame["src"] for frame in data["frames"]}) == 6
    assert data["texts"] == [["0.5", "1", "2"], ["1", "2"]]


def test_frames_are_small_pictures_of_the_figures_size():
    for frame in two_sliders(dpi=100).frames.values():
        kind, text = frame["src"].split(",")
        png = base64.b64decode(text)
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(png)).size == (300, 200)
        assert (frame["width"], frame["height"]) == (288, 192)
        assert len(png) < 25_000
        assert b"Software" not in png


def test_the_ground_of_a_frame_is_white():
    figure = two_sliders()
    text = figure.frames[0, 0]["src"].split(",")[1]
    image = Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_the_page_shows_the_start_frame_without_scripts():
    figure = two_sliders(start={"slope": 2.0}, caption="Curves.")
    soup, data = parse(figure)
    image, place = soup.find("img"), 4
    assert image["src"] == data["frames"][place]["src"]
    assert image["alt"] == data["frames"][place]["alt"] == say(2.0, 1)
    assert soup.figcaption["aria-live"] == "polite"
    assert soup.figcaption.get_text(" ", strip=True) == "Curves. " + say(2.0, 1)
    assert soup.find("input").find_parent("div").has_attr("hidden")
    assert soup.noscript.get_text()


def test_every_parameter_has_a_labelled_slider():
    soup, _ = parse(two_sliders(labels={"slope": "slope β"}, formats={"slope": ".2f"}))
    sliders = soup.find_all("input", type="range")
    assert [slider["aria-label"] for slider in sliders] == ["slope β", "power"]
    assert [slider["max"] for slider in sliders] == ["2", "1"]
    assert [slider["aria-valuetext"] for slider in sliders] == ["0.50", "1"]
    assert [slider.find_parent("label").span.string for slider in sliders] == ["slope β", "power"]
    assert [output.string for output in soup.find_all("output")] == ["0.50", "1"]


def test_the_page_needs_nothing_from_elsewhere():
    html = two_sliders().html
    assert "http" not in html
    assert "src=" in html
    assert 'src="/' not in html


def test_the_same_figure_gives_the_same_page():
    assert two_sliders().html == two_sliders().html


def test_two_figures_have_two_names():
    one, other = parse(two_sliders())[0], parse(two_sliders(caption="Another."))[0]
    assert one.figure["id"] != other.figure["id"]
    for soup in (one, other):
        assert f'"#{soup.figure["id"]}:not' in soup.find_all("script")[1].string


def test_words_are_never_markup():
    wild = '</script><b>"x" & y</b> FIGURE {name}'
    figure = explore(draw, alt=lambda slope: wild, caption=wild, labels={"slope": wild}, slope=[1])
    soup, data = parse(figure)
    assert not soup.find_all("b")
    assert len(soup.find_all("script")) == 2
    assert data["frames"][0]["alt"] == soup.img["alt"] == soup.figcaption.span.string == wild
    assert soup.input["aria-label"] == wild


def test_no_figure_is_left_open():
    plt.close("all")
    mine = plt.figure()
    two_sliders()
    with pytest.raises(ValueError, match="return fig"):
        explore(lambda slope: draw(slope).axes[0], alt=say, slope=[1.0])
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_a_figure_made_without_pyplot_will_do():
    def bare(slope):
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, slope])
        return figure

    assert len(explore(bare, alt=say, slope=range(3)).frames) == 3


def test_values_may_be_arrays_and_words():
    figure = explore(
        lambda slope, kind: draw(slope),
        alt=lambda slope, kind: f"{kind} {slope:g}",
        slope=np.array([0.25, 0.5]),
        kind=["steep", "flat"],
        start={"slope": 0.5, "kind": "flat"},
    )
    assert figure.texts == {"slope": ["0.25", "0.5"], "kind": ["steep", "flat"]}
    assert figure.frames[figure.start]["alt"] == "flat 0.5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slope": []}, "slope must be a list of at least one value"),
        ({"slope": "abc"}, "slope must be a list"),
        ({"slope": 3}, "slope must be a list"),
        ({"slope": range(61)}, "61 frames, more than 60: give fewer"),
        ({"slope": [1.0, 1.0000001]}, "read the same.*formats"),
        ({"slope": [1.0], "start": {"slope": 2.0}}, "start: slope=2.0 is not one of"),
        ({"slope": [1.0], "start": {"power": 2.0}}, "must name parameters out of"),
        ({"slope": [1.0], "labels": {"slop": "x"}}, "labels=.*must name parameters out of"),
        ({"slope": [1.0], "alt": lambda slope: " "}, "alt must return one sentence"),
        ({"slope": [1.0], "alt": lambda slope: None}, "alt must return one sentence"),
        ({"slope": [1.0], "draw": lambda slope: plt}, "draw must return a Figure"),
        ({"slope": [1.0], "draw": lambda slope: None}, "draw must return a Figure"),
        ({}, "give one to three parameters"),
        ({"a": [1], "b": [1], "c": [1], "d": [1]}, "give one to three parameters"),
    ],
)
def test_what_cannot_be_shown_is_refused(change, message):
    arguments = {"draw": draw, "alt": say, **change}
    with pytest.raises(ValueError, match=message):
        explore(arguments.pop("draw"), **arguments)


def test_too_heavy_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr(interactive, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"6 frames take \d+ kB, over 1 kB: lower dpi \(120\)"):
        two_sliders()


def test_errors_of_draw_reach_the_reader():
    with pytest.raises(ZeroDivisionError):
        explore(lambda slope: draw(1 / slope), alt=say, slope=[0])


def test_without_a_kernel_there_is_no_widget():
    bundle = two_sliders()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"].startswith("Explore(slope: 0.5, 1, 2; power: 1, 2; 6 frames)")


def test_in_a_kernel_there_is_a_widget(monkeypatch):
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=None))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert interactive.has_widgets()
    monkeypatch.undo()
    monkeypatch.setattr(interactive, "has_widgets", lambda: True)
    figure = two_sliders()
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    assert bundle[WIDGET]["model_id"] == figure.widget.model_id


def test_moving_a_slider_draws_again():
    calls = []

    def counted(slope, power):
        calls.append((slope, power))
        return draw(slope, power)

    figure = explore(counted, alt=say, slope=[0.5, 1.0], power=[1, 2], start={"power": 2})
    slope, power, view = figure.widget.children
    assert (slope.value, power.value) == ("0.5", "2")
    assert say(0.5, 2) in view.value
    before, calls[:] = view.value, []
    slope.value = "1"
    assert calls == [(1.0, 2)]
    assert say(1.0, 2) in view.value
    assert view.value != before
    assert figure.frames[1, 1]["src"] in view.value
    assert plt.get_fignums() == []


def test_importing_it_is_quick():
    code = "import sys, moelib.pages.sliders, moelib.pages.style; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "ipywidgets", "torch", "PIL"} & set(run.stdout.split())
