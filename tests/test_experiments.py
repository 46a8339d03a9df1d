"""Stored experiments: the same bytes whatever the route, and the stored map against fresh runs."""

import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from moelib.experiments import failure_map
from moelib.experiments.experiment import Experiment
from moelib.experiments.runner import (
    EXPERIMENTS,
    STORED,
    Job,
    cell_name,
    find_cells,
    main,
    read_table,
    run_experiment,
)

ROOT = STORED.resolve()


def toy_cell(cell, seed):
    rng = np.random.default_rng(seed)
    return [
        {"method": m, "value": cell["a"] + rng.standard_normal(), "seconds": time.perf_counter()}
        for m in ("one", "two")
    ]


def slow_cell(cell, seed):
    time.sleep(0.3)
    return toy_cell(cell, seed)


TOY = Experiment("toy", "A toy.", [dict(a=a, b="x") for a in range(6)], toy_cell)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "toy", TOY)


def run(folder, **options):
    path = run_experiment("toy", folder, today="2026-01-01", **({"jobs": 1} | options))
    return path.read_bytes()


def test_file_has_provenance_and_settings(toy, tmp_path):
    text = run(tmp_path).decode()
    assert text.startswith("# A toy.\n# Made by: python -m moelib.experiments toy --seed 0\n# Date")
    table = read_table("toy", tmp_path)
    assert list(table.columns) == ["cell", "a", "b", "method", "value"]
    np.testing.assert_array_equal(table["a"], np.repeat(range(6), 2))
    seconds = read_table("toy-seconds", tmp_path)
    assert list(seconds.columns) == ["cell", "a", "b", "method", "seconds"]
    assert not list(tmp_path.rglob("*.part"))


def test_seeds_differ_between_cells_and_runs(toy, tmp_path):
    one = run(tmp_path)
    assert read_table("toy", tmp_path)["value"].sub([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]).is_unique
    assert run(tmp_path, seed=1) != one


def test_resumed_run_gives_the_same_bytes(toy, tmp_path):
    whole = run(tmp_path / "whole")
    waiting = tmp_path / "cut" / "toy.cells" / "seed-0"
    waiting.mkdir(parents=True)
    for index in (4, 1):
        Job("toy", index, 0, waiting).run()
    (waiting / "0002.999.part").write_text("cut sho")
    assert run(tmp_path / "cut") == whole


@pytest.mark.slow
def test_killed_and_resumed_run_and_two_workers_give_the_same_bytes(tmp_path):
    """A real process, killed by a signal after a few cells; then one and two workers."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT.parents[1] / 'tests')!r})\n"
        "import test_experiments as t\n"
        "toy = t.Experiment('toy', 'A toy.', t.TOY.grid, t.slow_cell)\n"
        "t.EXPERIMENTS['toy'] = toy\n"
        "t.run_experiment('toy', sys.argv[1], jobs=1, today='2026-01-01')\n"
    )
    command = [sys.executable, str(script)]
    cut = subprocess.Popen([*command, str(tmp_path / "cut")], stderr=subprocess.DEVNULL)
    waiting = tmp_path / "cut" / "toy.cells" / "seed-0"
    for _ in range(600):
        if len(list(waiting.glob("*.csv"))) >= 2:
            break
        time.sleep(0.1)
    cut.send_signal(signal.SIGKILL)
    cut.wait()
    assert 2 <= len(list(waiting.glob("*.csv"))) < 6
    for name in ("cut", "whole"):
        subprocess.run([*command, str(tmp_path / name)], check=True, stderr=subprocess.DEVNULL)
    whole = (tmp_path / "whole" / "toy.csv").read_bytes()
    assert (tmp_path / "cut" / "toy.csv").read_bytes() == whole
    assert not waiting.exists()


@pytest.mark.slow
def test_two_workers_give_what_one_gives(tmp_path):
    """On real fits: processes import the library afresh, so the grid must be the declared one."""
    cells = find_cells(EXPERIMENTS["failure-map"], "k=2,n=60")
    assert len(cells) == 1
    cells = [*cells, *find_cells(EXPERIMENTS["failure-map"], "k=2,n=250")]
    paths = [
        run_experiment("failure-map", tmp_path / str(jobs), jobs=jobs, cells=cells, today="-")
        for jobs in (1, 2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_command_line(toy, tmp_path, capsys):
    main(["--list"])
    assert "failure-map" in capsys.readouterr().out
    main(["failure-map", "--dry-run"])
    assert len(capsys.readouterr().out.splitlines()) == len(failure_map.make_grid())
    main(["failure-map", "--dry-run", "--cell", "k=16"])
    assert "k=16,d=32" in capsys.readouterr().out
    main(["toy", "--cell", "a=3"])
    assert "a=3,b=x" in capsys.readouterr().out
    main(["toy", "--to", str(tmp_path), "--jobs", "1"])
    assert f"wrote {tmp_path / 'toy.csv'}" in capsys.readouterr().out
    for wrong, message in [
        (["toy", "--cell", "a=77"], "no cell of toy has 'a=77'; a cell reads 'a=0,b=x'"),
        ([], "name an experiment, or use --list"),
        (["nothing"], "invalid choice"),
    ]:
        with pytest.raises(SystemExit):
            main(wrong)
        assert message in capsys.readouterr().err


def test_a_dask_scheduler_runs_the_cells(toy, tmp_path):
    distributed = pytest.importorskip("dask.distributed", reason="pip install dask distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert run(tmp_path / "dask", dask=cluster.scheduler_address) == run(tmp_path / "plain")


def test_design_of_a_cell():
    cell = failure_map.BASE | dict(k=4, d=9, angle=30, gate_norm=2.0)
    model = failure_map.design(cell)
    gram = model.experts @ model.experts.T
    np.testing.assert_allclose(gram[np.triu_indices(4, 1)], np.cos(np.pi / 6))
    np.testing.assert_allclose(np.diag(gram), 1)
    np.testing.assert_allclose(model.gates @ model.experts.T, 0, atol=1e-12)
    np.testing.assert_allclose(model.gates @ model.gates.T, 4 * np.eye(3), atol=1e-12)


def test_fits_that_cannot_be_made_are_rows_without_numbers():
    cell = failure_map.BASE | dict(n=40)
    model = failure_map.design(cell)
    X, y = model.sample(40, np.random.default_rng(0))
    row = failure_map.run_fit(model, X, y, "em", np.random.default_rng(0))
    assert np.isnan(row["e_reg"]) and not row["converged"]


# --- the stored map ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored():
    return read_table("failure-map", ROOT)


def test_stored_map_is_whole(stored):
    grid = failure_map.make_grid()
    assert len(grid) >= 40 and max(cell["k"] for cell in grid) == 16
    names = [cell_name(cell) for cell in grid]
    assert list(stored["cell"].unique()) == names
    assert len(failure_map.METHODS) >= 6
    count = stored.groupby(["cell", "method"]).size()
    assert len(count) == len(grid) * len(failure_map.METHODS)
    assert (count == failure_map.DATA_SETS * failure_map.STARTS).all()
    assert failure_map.DATA_SETS >= 10 and failure_map.STARTS >= 5


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(4))
def test_stored_cells_are_what_a_fresh_run_gives(stored, draw, monkeypatch):
    """A random sample of the cheaper cells, two data sets each; last digits differ by machine."""
    experiment = EXPERIMENTS["failure-map"]
    seconds = read_table("failure-map-seconds", ROOT).groupby("cell")["seconds"].sum()
    cheap = sorted(seconds.index[seconds < seconds.median()])
    name = np.random.default_rng(20).permutation(cheap)[draw]
    (index,) = find_cells(experiment, name)
    seed = np.random.SeedSequence(0).spawn(len(experiment.grid))[index]
    monkeypatch.setattr(failure_map, "DATA_SETS", 2)
    fresh = pd.DataFrame(experiment.run(experiment.grid[index], seed))
    old = stored[(stored["cell"] == name) & (stored["data"] < 2)].reset_index(drop=True)
    keys = ["data", "method", "start"]
    pd.testing.assert_frame_equal(fresh[keys], old[keys], check_dtype=False)
    same = np.abs(fresh["objective"] - old["objective"]) < 1e-3 * (1 + np.abs(old["objective"]))
    assert same.mean() >= 0.95
    success = (fresh["e_reg"] < 0.05) == (old["e_reg"] < 0.05)
    assert success.mean() >= 0.95
