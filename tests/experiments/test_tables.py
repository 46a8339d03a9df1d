"""Stored tables: found from anywhere, whole, and read without what made them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import moelib
from moelib.experiments import EXPERIMENTS, Experiment, read_table
from moelib.experiments.tables import BOOK, find_table, rows_again


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_table_has_its_cells_its_keys_and_its_code(name, stored_table):
    table, experiment = stored_table(name), EXPERIMENTS[name]
    assert not table.duplicated(["cell", *experiment.keys]).any()
    costs = read_table(f"{name}-seconds")
    assert set(costs["cell"]) == set(table["cell"]) and (costs["seconds"].dropna() >= 0).all()
    for file in (name, f"{name}-seconds"):
        header = [line for line in find_table(file).read_text().splitlines() if line[0] == "#"]
        assert header[0] == f"# {experiment.description}"
        assert sum(line.startswith("# Code: ") for line in header) == 1


def test_reading_a_table_loads_nothing_that_made_it():
    script = (
        "import sys\n"
        "from moelib.experiments import read_table\n"
        "read_table('samples')\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert 'pandas' in loaded and not loaded & {'sklearn', 'torch', 'matplotlib'}\n"
        "print(*sorted(name for name in sys.modules if name.startswith('moelib')))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.split() == [
        "moelib",
        "moelib._face",
        "moelib.experiments",
        "moelib.experiments.tables",
    ]


@pytest.fixture
def installed(tmp_path):
    """A function that runs Python in a folder with a copy of moelib that is in no checkout."""
    site = tmp_path / "site"
    shutil.copytree(
        Path(moelib.__file__).parent,
        site / "moelib",
        ignore=shutil.ignore_patterns("__pycache__"),
    )

    def python(script, here, **environment):
        here.mkdir(parents=True, exist_ok=True)
        plain = {k: v for k, v in os.environ.items() if k != "MOELIB_DATA"}
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=here,
            env=plain | {"PYTHONPATH": str(site)} | environment,
            capture_output=True,
            text=True,
        )

    return python


FIND = "from moelib.experiments.tables import find_table; print(find_table('samples'))"


def test_a_folder_set_on_purpose_comes_first(tmp_path, monkeypatch):
    shutil.copy(BOOK / "samples.csv", tmp_path)
    monkeypatch.setenv("MOELIB_DATA", str(tmp_path))
    assert find_table("samples") == tmp_path / "samples.csv"
    assert find_table("census") == BOOK / "census.csv"


def test_a_checkout_has_its_tables_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.delenv("MOELIB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert find_table("samples") == BOOK / "samples.csv"
    assert len(read_table("samples")) > 600


def test_without_a_checkout_tables_are_where_one_says_or_nearby(installed, tmp_path):
    kept, near = tmp_path / "kept", tmp_path / "download" / "data"
    for folder in (kept, near):
        folder.mkdir(parents=True)
        shutil.copy(find_table("samples"), folder)
    for here in ("download", "download/part4"):
        assert installed(FIND, tmp_path / here).stdout.strip() == str(near / "samples.csv")
    told = installed(FIND, tmp_path / "download", MOELIB_DATA=str(kept))
    assert told.stdout.strip() == str(kept / "samples.csv")


def test_a_table_that_is_nowhere_is_asked_for(installed, tmp_path):
    here = tmp_path / "elsewhere"
    failed = installed(FIND, here)
    assert failed.returncode == 1
    for part in (
        "FileNotFoundError: no table samples.csv",
        str(tmp_path / "site" / "book" / "data"),
        "MOELIB_DATA names (which is not set)",
        f"no folder 'data' in {here} or above",
        "set MOELIB_DATA to where it is",
    ):
        assert part in failed.stderr.splitlines()[-1]
    told = installed(FIND, here, MOELIB_DATA="/nowhere")
    assert "MOELIB_DATA names (/nowhere)" in told.stderr
    with pytest.raises(FileNotFoundError, match=r"no table samples\.csv in /nowhere"):
        read_table("samples", "/nowhere")


def test_rows_again_come_with_the_stored_rows_of_the_same_data_sets(stored_table):
    """Rows made up to match a stored table in part, one with a missing key, in another order."""
    table = stored_table("experts")
    cell = table["cell"].iloc[-1]
    some = table[table["cell"] == cell].sort_values("data", ascending=False)[3:7]
    own = ["data", "method", "mu", "angle"]
    rows = some[own].assign(seconds=1.0).to_dict("records")
    settings = dict(part.split("=") for part in cell.split(","))
    keys = EXPERIMENTS["experts"].keys
    toy = Experiment("experts", "", [settings, settings | {"n": 0}], lambda cell, seed: rows, keys)
    fresh, stored = rows_again(toy, settings)
    assert list(fresh.columns) == list(stored.columns)
    assert fresh["loss"].isna().all()  # these rows have none
    pd.testing.assert_frame_equal(fresh[["cell", *own]], stored[["cell", *own]])
    assert stored["e_reg"].tolist() == some["e_reg"].tolist()
    part = f"part={settings['part']}"
    with pytest.raises(ValueError, match=f"2 cells of experts have '{part}': name one"):
        rows_again(toy, part)
    rows[0]["data"] = 77
    with pytest.raises(ValueError, match="1 of 4 rows are not in the table of experts"):
        rows_again(toy, settings)


def test_a_cell_is_found_by_some_of_its_settings():
    toy = Experiment("toy", "A toy.", [dict(a=a, b=b) for a in (1, 11) for b in "xy"], None)
    assert toy.find("a=1") == toy.find(dict(a=1)) == [0, 1]
    assert toy.find("b=y,a=11") == toy.find(dict(b="y", a=11)) == [3]
    with pytest.raises(ValueError, match="no cell of toy has 'a=2'; a cell reads 'a=1,b=x'"):
        toy.find(dict(a=2))
