"""Run declared experiments and store their tables.

Every cell of a grid has its own seed, so cells can run in any order and in any number of
processes; each is written as soon as it is finished, so a run that was cut short goes on where it
stopped; and the file comes out the same, byte for byte, either way. Finished cells bear the hash of
the code that made them, so a run never goes on with those of another program. Seconds and memory,
which no run repeats, go to a file of their own.
"""

import argparse
import inspect
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed, parallel_config
from tqdm import tqdm

from moelib.experiments.census import CENSUS
from moelib.experiments.certificate import CERTIFICATE
from moelib.experiments.cooling import COOLING
from moelib.experiments.coverage import COVERAGE
from moelib.experiments.efficiency import EFFICIENCY
from moelib.experiments.experiment import Experiment, cell_name
from moelib.experiments.experts import EXPERTS
from moelib.experiments.failure_map import FAILURE_MAP
from moelib.experiments.frontier import FRONTIER
from moelib.experiments.many_experts import MANY_EXPERTS
from moelib.experiments.own_data import OWN_DATA
from moelib.experiments.provenance import NOT_RECORDED, code_hash, recorded_code
from moelib.experiments.regimes import REGIMES
from moelib.experiments.samples import SAMPLES
from moelib.experiments.tables import BOOK, DIGITS, UNREPEATABLE, find_table
from moelib.experiments.tails import TAILS
from moelib.validation import warn

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in [
        FAILURE_MAP,
        CENSUS,
        EXPERTS,
        COVERAGE,
        OWN_DATA,
        REGIMES,
        MANY_EXPERTS,
        COOLING,
        TAILS,
        SAMPLES,
        EFFICIENCY,
        CERTIFICATE,
        FRONTIER,
    ]
}
PACKAGES = ["numpy", "scipy", "scikit-learn", "torch"]


def code_of(experiment):
    """Hash of the module of an experiment and of all that it imports from the library."""
    return code_hash(Path(inspect.getfile(experiment.run)).read_text())


@dataclass(frozen=True)
class Job:
    """One cell of an experiment, to be computed by the code with one hash, and its file."""

    experiment: Experiment
    index: int
    seed: int
    code: str
    path: Path

    def run(self):
        """Compute the cell unless its file is there; write it under its final name at once.

        Raises
        ------
        RuntimeError
            When the code here is not the code of the run.
        """
        if self.path.exists():
            return
        table = self.experiment.rows(self.index, self.seed)
        if code_of(self.experiment) != self.code:
            raise RuntimeError(
                f"the code of {self.experiment.name} is not what it was when the run began: start "
                "it again; cells that are finished wait for their own code"
            )
        unfinished = self.path.with_suffix(f".{os.getpid()}.part")
        table.to_csv(unfinished, index=False, float_format=DIGITS)
        os.replace(unfinished, self.path)


def run_experiment(experiment, folder, seed=0, *, jobs=2, cells=None, dask=None, today=None):
    """Run an experiment, or go on with it, and write its files.

    Parameters
    ----------
    experiment : Experiment
        Which experiment, for example ``EXPERIMENTS["census"]``.
    folder : path
        Where ``NAME.csv`` and ``NAME-seconds.csv`` go; finished cells wait in ``NAME.cells`` until
        all are there.
    seed : int
        Seed of the run.
    jobs : int
        Number of processes.
    cells : list of int, optional
        Places in the grid. Default: all.
    dask : str, optional
        Address of a Dask scheduler; its workers, which must see the same folder, then run the
        cells.
    today : str, optional
        Date for the header. Default: today's.

    Returns
    -------
    Path
        Where the table is.

    Raises
    ------
    RuntimeError
        When the code changes while it runs, or differs between the workers.

    Warns
    -----
    UserWarning
        When cells wait that other code has made; they are left as they are.
    """
    folder, name, code = Path(folder), experiment.name, code_of(experiment)
    waiting = folder / f"{name}.cells" / f"seed-{seed}-{code}"
    waiting.mkdir(parents=True, exist_ok=True)
    if others := sorted(p.name for p in waiting.parent.iterdir() if not p.name.endswith(code)):
        warn(
            f"{waiting.parent} has cells of other code, which are not used: {', '.join(others)}. "
            "Delete them unless you go back to that code",
            UserWarning,
        )
    chosen = range(len(experiment.grid)) if cells is None else cells
    work = [Job(experiment, i, seed, code, waiting / f"{i:04d}.csv") for i in chosen]
    with _workers(jobs, dask):
        results = Parallel(return_as="generator_unordered")(delayed(job.run)() for job in work)
        for _ in tqdm(results, total=len(work), desc=name, unit="cell"):
            pass
    table = pd.concat([pd.read_csv(job.path) for job in work], ignore_index=True)
    path, header = folder / f"{name}.csv", _header(experiment, seed, code, today)
    costs = [column for column in UNREPEATABLE if column in table]
    _write(table.drop(columns=costs), path, header)
    by = ["cell", "method"]
    seconds = table.groupby(by, sort=False)[costs].mean().reset_index()
    _write(seconds, folder / f"{name}-seconds.csv", header)
    for job in work:
        job.path.unlink()
    if not any(waiting.iterdir()):
        waiting.rmdir()
    return path


def provenance_of(experiment):
    """One line on whether the stored table of an experiment was made by the present code."""
    try:
        recorded = recorded_code(find_table(experiment.name))
    except FileNotFoundError:
        return "not stored"
    now = code_of(experiment)
    if recorded == NOT_RECORDED:
        return f"made before its code was recorded; the code is now {now}"
    if recorded == now:
        return f"made by the present code, {now}"
    return f"made by other code, {recorded}; the code is now {now}"


def main(arguments=None, experiments=EXPERIMENTS):
    """The command line.

    Parameters
    ----------
    arguments : list of str, optional
        Default: those that Python was called with.
    experiments : dict
        The experiments to choose from, by name.
    """
    parser = argparse.ArgumentParser(prog="python -m moelib.experiments", description=__doc__)
    parser.add_argument("name", nargs="?", choices=list(experiments), help="experiment to run")
    parser.add_argument("--list", action="store_true", help="list the experiments and stop")
    parser.add_argument(
        "--check", action="store_true", help="say which tables the present code has made and stop"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the cells and stop")
    parser.add_argument("--cell", help="run and print one cell, given by its settings: k=3,n=4000")
    home = BOOK if BOOK.is_dir() else Path("data")
    parser.add_argument("--to", type=Path, default=home, help=f"folder of the files ({home})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this Dask scheduler")
    options = parser.parse_args(arguments)
    if options.list or options.check:
        for name, experiment in experiments.items():
            about = f"{len(experiment.grid)} cells. {experiment.description}"
            print(f"{name:<16}{provenance_of(experiment) if options.check else about}")
    elif options.name is None:
        parser.error("name an experiment, or use --list")
    else:
        experiment = experiments[options.name]
        try:
            chosen = experiment.find(options.cell) if options.cell else None
        except ValueError as error:
            parser.error(str(error))
        _obey(options, experiment, chosen)


def _obey(options, experiment, chosen):
    """List, print or run the cells of an experiment."""
    if options.dry_run:
        for index in range(len(experiment.grid)) if chosen is None else chosen:
            print(f"{index:4d}  {cell_name(experiment.grid[index])}")
    elif chosen is not None:
        for index in chosen:
            table = experiment.rows(index, options.seed)
            print(cell_name(experiment.grid[index]))
            print(table.drop(columns="cell").to_string(index=False, float_format="%.4g"))
    else:
        path = run_experiment(
            experiment, options.to, options.seed, jobs=options.jobs, dask=options.dask
        )
        print(f"wrote {path}")


@contextmanager
def _workers(jobs, dask):
    """Processes on this machine, or all workers of a Dask cluster that shares its files."""
    if dask is None:
        with parallel_config(backend="loky", n_jobs=jobs):
            yield
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError("dask= needs the package: pip install 'dask[distributed]'") from error
    with Client(dask), parallel_config(backend="dask", n_jobs=-1):
        yield


def _header(experiment, seed, code, today):
    """Where a table comes from, in lines."""
    today = today or datetime.now(UTC).date().isoformat()
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        experiment.description,
        f"Made by: python -m moelib.experiments {experiment.name} --seed {seed}",
        f"Date {today}; moelib {version('moelib')}, Python {sys.version.split()[0]}, {packages}",
        f"Code: {code}",
    ]


def _write(table, path, header):
    """Write a table with its header above it."""
    unfinished = path.with_suffix(".part")
    with open(unfinished, "w") as file:
        file.writelines(f"# {line}\n" for line in header)
        table.to_csv(file, index=False, float_format=DIGITS)
    os.replace(unfinished, path)
