"""Tables: every entry is text, written as in the sentences."""

import numpy as np
import pandas as pd
import pytest

from moelib.pages.numbers import number
from moelib.pages.tables import show_table


def test_rows_of_a_dict():
    rows = {"EM": [12000, 0.934, "yes"], "Adam": [3, -0.25, "no"]}
    made = show_table(rows, ["runs", "right", "holds"], form={"right": ".0%"}, name="method")
    assert made.to_dict("index") == {
        "EM": {"runs": "12,000", "right": number(0.934, ".0%"), "holds": "yes"},
        "Adam": {"runs": "3", "right": number(-0.25, ".0%"), "holds": "no"},
    }
    assert made.index.name == "method"


def test_a_frame_keeps_its_heads():
    index = pd.MultiIndex.from_product([["raw", "refined"], [500, 1000]], names=["fit", "n"])
    columns = pd.MultiIndex.from_tuples([("order 2", "a"), ("order 4", "a")])
    values = np.random.default_rng(0).standard_normal((4, 2))
    frame = pd.DataFrame(values, index, columns)
    made = show_table(frame, form=".3f")
    assert made.index.equals(index) and made.columns.equals(columns)
    assert made.index.names == index.names
    read = made.map(lambda text: float(text.replace("−", "-")))
    np.testing.assert_allclose(read, values, atol=5.1e-4)
    np.testing.assert_array_equal(frame, values)  # left as it was


def test_new_heads():
    made = show_table(pd.DataFrame({"a": [1.0]}), ["error"])
    assert made.loc[0, "error"] == "1.00"


def test_what_is_missing_is_blank():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.inf, None], "b": ["x", None, "", np.nan]})
    assert show_table(frame)["a"].tolist() == ["1.00", "–", "–", "–"]
    assert show_table(frame, blank="")["b"].tolist() == ["x", "", "", ""]


def test_integers_and_truths():
    frame = pd.DataFrame({"n": [1, 20000], "holds": [True, False]})
    made = show_table(frame)
    assert made["n"].tolist() == ["1", "20,000"] and made["holds"].tolist() == ["yes", "no"]


def test_a_format_for_no_column():
    with pytest.raises(ValueError, match=r"form names \['b'\], but the columns are \['a'\]"):
        show_table(pd.DataFrame({"a": [1.0]}), form={"b": ".1f"})
