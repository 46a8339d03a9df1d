"""Runs of experiments: the same bytes whatever the route, and no file made by two programs."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from moelib.experiments import EXPERIMENTS, Experiment, code_hash, read_table, run_experiment
from moelib.experiments.runner import Job, code_of, main, provenance_of


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


def run(folder, seed=0, experiment=TOY, **options):
    options = {"jobs": 1, "today": "2026-01-01"} | options
    return run_experiment(experiment, folder, seed, **options).read_bytes()


def waiting_cells(folder, experiment=TOY):
    return folder / "toy.cells" / f"seed-0-{code_of(experiment)}"


def job(folder, index, experiment=TOY):
    """The job of one cell, as a run into this folder would make it."""
    waiting = waiting_cells(folder, experiment)
    waiting.mkdir(parents=True, exist_ok=True)
    return Job(experiment, index, 0, code_of(experiment), waiting / f"{index:04d}.csv")


def test_file_has_provenance_and_settings(tmp_path):
    text = run(tmp_path).decode()
    assert text.startswith("# A toy.\n# Made by: python -m moelib.experiments toy --seed 0\n# Date")
    assert f"\n# Code: {code_hash(Path(__file__).read_text())}\ncell,method,value\n" in text
    table = read_table("toy", tmp_path)
    assert list(table.columns) == ["cell", "a", "b", "method", "value"]
    np.testing.assert_array_equal(table["a"], np.repeat(range(6), 2))
    seconds = read_table("toy-seconds", tmp_path)
    assert list(seconds.columns) == ["cell", "a", "b", "method", "seconds"]
    assert not list(tmp_path.rglob("*.part"))


def test_seeds_differ_between_cells_and_runs(tmp_path):
    one = run(tmp_path)
    assert read_table("toy", tmp_path)["value"].sub([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]).is_unique
    assert run(tmp_path, seed=1) != one


def test_resumed_run_gives_the_same_bytes(tmp_path):
    whole = run(tmp_path / "whole")
    for index in (4, 1):
        job(tmp_path / "cut", index).run()
    (waiting_cells(tmp_path / "cut") / "0002.999.part").write_text("cut sho")
    assert run(tmp_path / "cut") == whole


@pytest.mark.slow
def test_killed_and_resumed_run_gives_the_same_bytes(tmp_path):
    """A real process, killed by a signal after a few cells."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_runner as t\n"
        "toy = t.Experiment('toy', 'A toy.', t.TOY.grid, t.slow_cell)\n"
        "t.run(t.Path(sys.argv[1]), experiment=toy)\n"
    )
    command = [sys.executable, str(script)]
    cut = subprocess.Popen([*command, str(tmp_path / "cut")], stderr=subprocess.DEVNULL)
    waiting = waiting_cells(tmp_path / "cut")
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
    """On a declared grid: processes import the library afresh and find the experiment by name."""
    experiment = EXPERIMENTS["census"]
    cells = experiment.find("k=2")[:2]
    one, two = (run(tmp_path / str(j), 0, experiment, jobs=j, cells=cells) for j in (1, 2))
    assert one == two


def test_a_dask_scheduler_runs_the_cells(tmp_path):
    distributed = pytest.importorskip("dask.distributed", reason="pip install dask distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert run(tmp_path / "dask", dask=cluster.scheduler_address) == run(tmp_path / "plain")


# --- one program for one file --------------------------------------------------------------------

PROGRAM = """
from moelib.experiments.experiment import Experiment

def run_cell(cell, seed):
    return [{"method": "m", "value": VALUE, "seconds": 0.0}]

TOY = Experiment("toy", "A toy.", [dict(a=a) for a in range(3)], run_cell)
"""


@pytest.fixture
def program(tmp_path):
    """A function that writes a program, loads it and returns its experiment."""
    path = tmp_path / "program.py"

    def load(source):
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("program", path)
        module = importlib.util.module_from_spec(spec)
        exec(compile(source, path, "exec"), vars(module))
        return module.TOY

    return load


def test_a_run_does_not_go_on_with_cells_of_other_code(program, tmp_path):
    old = program(PROGRAM.replace("VALUE", "1"))
    job(tmp_path, 1, old).run()
    left = waiting_cells(tmp_path, old)
    new = program(PROGRAM.replace("VALUE", "2"))
    with pytest.warns(UserWarning, match=f"cells of other code, which are not used: {left.name}"):
        run(tmp_path, experiment=new)
    table = read_table("toy", tmp_path)
    assert (table["value"] == 2).all() and len(table) == 3
    assert f"# Code: {code_of(new)}\n" in (tmp_path / "toy.csv").read_text()
    assert [path.name for path in left.iterdir()] == ["0001.csv"]


def test_a_run_goes_on_after_a_change_of_prose(program, tmp_path):
    old = program(PROGRAM.replace("VALUE", "1"))
    job(tmp_path, 1, old).run()
    waiting = waiting_cells(tmp_path, old) / "0001.csv"
    waiting.write_text(waiting.read_text().replace(",1,", ",7,"))  # to see that it is used
    new = program('"""What it is for."""\n# and why\n' + PROGRAM.replace("VALUE", "1"))
    run(tmp_path, experiment=new)
    assert read_table("toy", tmp_path)["value"].tolist() == [1, 7, 1]


def test_a_cell_of_code_that_changed_meanwhile_is_not_written(program, tmp_path):
    work = job(tmp_path, 0, program(PROGRAM.replace("VALUE", "1")))
    program(PROGRAM.replace("VALUE", "2"))
    with pytest.raises(RuntimeError, match="code of toy is not what it was when the run began"):
        work.run()
    assert not list(tmp_path.rglob("0000*"))


# --- the command line ----------------------------------------------------------------------------


def test_command_line(tmp_path, capsys):
    toy = {"toy": TOY}
    main(["--list"])
    assert "failure-map" in capsys.readouterr().out
    main(["failure-map", "--dry-run"])
    assert len(capsys.readouterr().out.splitlines()) == len(EXPERIMENTS["failure-map"].grid)
    main(["failure-map", "--dry-run", "--cell", "k=16"])
    assert "k=16,d=32" in capsys.readouterr().out
    main(["toy", "--cell", "a=3"], toy)
    assert "a=3,b=x" in capsys.readouterr().out
    main(["toy", "--to", str(tmp_path), "--jobs", "1"], toy)
    assert f"wrote {tmp_path / 'toy.csv'}" in capsys.readouterr().out
    for wrong, message in [
        (["toy", "--cell", "a=77"], "no cell of toy has 'a=77'; a cell reads 'a=0,b=x'"),
        ([], "name an experiment, or use --list"),
        (["nothing"], "invalid choice"),
    ]:
        with pytest.raises(SystemExit):
            main(wrong, toy)
        assert message in capsys.readouterr().err


def test_whether_a_table_was_made_by_the_present_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MOELIB_DATA", str(tmp_path))
    assert provenance_of(TOY) == "not stored"
    run(tmp_path)
    now, path = code_of(TOY), tmp_path / "toy.csv"
    main(["--check"], {"toy": TOY})
    assert capsys.readouterr().out == f"{'toy':<16}made by the present code, {now}\n"
    text = path.read_text()
    path.write_text(text.replace(now, "0123456789abcdef"))
    assert provenance_of(TOY) == f"made by other code, 0123456789abcdef; the code is now {now}"
    path.write_text(text.replace(now, "not recorded"))
    assert provenance_of(TOY).startswith("made before its code was recorded; ")
    path.write_text(text.replace(f"# Code: {now}\n", ""))
    assert provenance_of(TOY).startswith("made before its code was recorded; ")
