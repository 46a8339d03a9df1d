"""Numbers in the text: read back what is written, and catch what is glued."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from moelib.pages import numbers
from moelib.pages.numbers import (
    listed,
    low_to_high,
    number,
    plus_minus,
    put,
    put_ends,
    with_interval,
)

RAISED = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))


def read(text):
    """The number that a reader takes from a text."""
    text = text.replace("−", "-").replace(",", "")
    if text.endswith("\N{NO-BREAK SPACE}%"):
        return float(text[:-2]) / 100
    digits, _, power = text.partition(" · 10")
    return float(digits) * 10.0 ** int("".join(RAISED[c] for c in power) or 0)


@pytest.fixture
def glued(monkeypatch):
    import myst_nb

    found = {}

    def glue(name, value, display=True):
        assert not display and name not in found
        found[name] = value

    monkeypatch.setattr(myst_nb, "glue", glue)
    return found


@pytest.mark.parametrize("form", [".3f", ",.2f", ".1%", ".2e", ".3g", ""])
@pytest.mark.parametrize("value", [0.0, 0.0123, -0.5, 1.0, 77.7, -9999.4, 1e5, 123456.7])
def test_a_number_reads_as_its_value(value, form):
    python = format(value, form or "g").replace(",", "")
    goal = float(python.rstrip("%")) / (100 if "%" in form else 1)
    assert read(number(value, form)) == pytest.approx(goal, rel=1e-12)


@pytest.mark.parametrize("power", range(-12, 25))
@pytest.mark.parametrize("digit", [1, -4, 9.7])
def test_powers_of_ten(power, digit):
    text = number(digit * 10.0**power, ".0e")
    assert read(text) == pytest.approx(round(digit) * 10.0**power)
    plain = 1 <= abs(round(digit)) * 10.0**power < 9999.5
    assert ("10" + "⁻" * (power < 0) in text and "·" in text) != plain


def test_no_ascii_sign_or_exponent_is_left():
    for value, form in ((-1e-9, ".1e"), (-0.25, ".0%"), (-3, ""), (-2.5, "g"), (1e300, "g")):
        assert not set("-e%") & set(number(value, form).replace("\N{NO-BREAK SPACE}%", ""))


def test_zero_has_no_sign():
    assert number(-1e-9, ".2f") == number(-0.0, ".2f") == "0.00"
    assert number(-0.001, ".0%") == "0\N{NO-BREAK SPACE}%"
    assert number(-0.006, ".2f") == "−0.01"


@pytest.mark.parametrize("kind", [int, np.int64, np.int8, np.array])
def test_integers_keep_their_digits(kind):
    assert number(kind(7)) == "7" and number(kind(100), ".1f") == "100.0"
    assert number(1234567) == "1,234,567" and number(np.int64(-12000)) == "−12,000"


def test_text_stays():
    assert number("9 of 10-ish", ".2f") == "9 of 10-ish"


@pytest.mark.parametrize("value", [np.nan, np.inf, float("-inf"), np.float32("nan")])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        number(value, ".2f")


def test_ranges():
    values = np.random.default_rng(0).standard_normal(50)
    for form in (".2f", ".3g"):
        low, high = low_to_high(values, form).split(" to ")
        assert (low, high) == (number(values.min(), form), number(values.max(), form))
    assert low_to_high((0.91, 0.08), ".1f") == "0.1 to 0.9"  # the order of the ends is free
    assert low_to_high(pd.Series([2.04, 1.96]), ".1f") == "2.0"
    assert low_to_high({"a": 3, "b": 1}.values()) == "1 to 3"


def test_estimates():
    assert with_interval(0.5, 0.4, 0.6123, ".1f") == "0.5 (0.4 to 0.6)"
    assert plus_minus(-2, 0.25, ".2f") == "−2.00 ± 0.25"


def test_lists():
    assert listed([1]) == "1" and listed([1, 2]) == "1 and 2"
    assert listed(np.array([-0.5, 0.25, 1e-3]), ".1e") == "−5.0 · 10⁻¹, 2.5 · 10⁻¹ and 1.0 · 10⁻³"


def test_put(glued):
    put(".1f", gain=2.04, gain_seen=np.float64(1.96))
    put(".0%", {"right-leaky_relu": 0.25}, at_once=0.5)
    put(n=12000, few=np.int64(3), who="EM and Adam")
    assert glued == {
        "gain": "2.0",
        "gain-seen": "2.0",
        "right-leaky_relu": "25\N{NO-BREAK SPACE}%",
        "at-once": "50\N{NO-BREAK SPACE}%",
        "n": "12,000",
        "few": "3",
        "who": "EM and Adam",
    }


def test_put_ends(glued):
    put_ends(".2f", {"all-em": [3, 1, 2]}, slope_d=pd.Series([-0.51, -0.49]))
    put_ends(steps={"a": 5, "b": 4000}.values())
    assert list(glued.items()) == [
        ("all-em-low", "1.00"),
        ("all-em-high", "3.00"),
        ("slope-d-low", "−0.51"),
        ("slope-d-high", "−0.49"),
        ("steps-low", "5"),
        ("steps-high", "4,000"),
    ]


def test_the_message_says_which_number_is_missing(glued):
    with pytest.raises(ValueError, match="^gain-seen: .*finite.*nan"):
        put(".1f", gain_seen=np.nan)
    with pytest.raises(ValueError, match="^times-high: .*inf"):
        put_ends(".1f", times=[1, np.inf])


def test_myst_nb_takes_what_is_put():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            put(".2f", gain_seen=0.5)
    finally:
        InteractiveShell.clear_instance()
    (output,) = captured.outputs
    assert output.metadata["scrapbook"]["name"] == "gain-seen"
    assert "0.50" in str(output.data)


def test_reading_the_module_does_not_load_myst_nb():
    code = f"import sys, {numbers.__name__}; assert 'myst_nb' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
