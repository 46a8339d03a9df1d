"""Run declared experiments and store their tables.

Every cell of a grid has its own seed, so cells can run in any order and in any number of
processes; each is written as soon as it is finished, so a run that was cut short goes on where it
stopped; and the file comes out the same, byte for byte, either way. Seconds and memory, which no
run repeats, go to a file of their own.
"""

import argparse
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from moelib.experiments.census import CENSUS
from moelib.experiments.coverage import COVERAGE
from moelib.experiments.efficiency import EFFICIENCY
from moelib.experiments.experts import EXPERTS
from moelib.experiments.failure_map import FAILURE_MAP
from moelib.experiments.many_experts import MANY_EXPERTS
from moelib.experiments.race import RACE
from moelib.experiments.samples import SAMPLES
from moelib.experiments.tails import TAILS

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in [
        FAILURE_MAP,
        CENSUS,
        EXPERTS,
        COVERAGE,
        RACE,
        MANY_EXPERTS,
        TAILS,
        SAMPLES,
        EFFICIENCY,
    ]
}
STORED = Path("book/data")
PACKAGES = ["numpy", "scipy", "scikit-learn", "torch"]
UNREPEATABLE = ["seconds", "peak_gb"]  # columns that differ from run to run


@dataclass(frozen=True)
class Job:
    """One cell of an experiment, with its place in the grid, from which its seed comes."""

    experiment: str
    index: int
    seed: int
    folder: Path

    def run(self):
        """Compute the cell unless its file is there; write it under its final name at once."""
        path = self.folder / f"{self.index:04d}.csv"
        if not path.exists():
            table = self.compute()
            unfinished = path.with_suffix(f".{os.getpid()}.part")
            table.to_csv(unfinished, index=False, float_format="%.6g")
            os.replace(unfinished, path)
        return path

    def compute(self):
        """The rows of the cell. One thread: sums are then taken in one order only."""
        experiment = EXPERIMENTS[self.experiment]
        cell = experiment.grid[self.index]
        seed = np.random.SeedSequence(self.seed).spawn(len(experiment.grid))[self.index]
        with threadpool_limits(1):
            rows = experiment.run(cell, seed)
        return pd.DataFrame([{"cell": cell_name(cell)} | row for row in rows])


def cell_name(cell):
    """The name of a cell: its settings, for example ``k=3,d=10,n=4000``."""
    return ",".join(f"{key}={value}" for key, value in cell.items())


def find_cells(experiment, text):
    """Places in the grid of the cells that have all the settings in ``text``.

    Raises
    ------
    ValueError
        When no cell matches.
    """
    wanted = set(text.split(","))
    found = [
        i for i, cell in enumerate(experiment.grid) if wanted <= set(cell_name(cell).split(","))
    ]
    if not found:
        example = cell_name(experiment.grid[0])
        raise ValueError(f"no cell of {experiment.name} has {text!r}; a cell reads {example!r}")
    return found


def run_experiment(name, folder, seed=0, jobs=2, cells=None, dask=None, today=None):
    """Run an experiment, or go on with it, and write its files.

    Parameters
    ----------
    name : str
        One of ``EXPERIMENTS``.
    folder : path
        Where ``NAME.csv`` and ``NAME-seconds.csv`` go; finished cells wait in ``NAME.cells`` until
        all are there.
    seed : int
        Seed of the run.
    jobs : int
        Number of processes.
    cells : list of int
        Places in the grid; all if not given.
    dask : str, optional
        Address of a Dask scheduler; its workers, which must see the same folder, then run the
        cells.
    today : str, optional
        Date for the header; today's if not given.

    Returns
    -------
    Path
        Where the table is.
    """
    experiment = EXPERIMENTS[name]
    folder = Path(folder)
    waiting = folder / f"{name}.cells" / f"seed-{seed}"
    waiting.mkdir(parents=True, exist_ok=True)
    chosen = range(len(experiment.grid)) if cells is None else cells
    work = [Job(name, i, seed, waiting) for i in chosen]
    with _workers(jobs, dask):
        results = Parallel(return_as="generator_unordered")(delayed(job.run)() for job in work)
        for _ in tqdm(results, total=len(work), desc=name, unit="cell"):
            pass
    table = pd.concat([pd.read_csv(job.run()) for job in work], ignore_index=True)
    path = folder / f"{name}.csv"
    costs = [column for column in UNREPEATABLE if column in table]
    _write(table.drop(columns=costs), path, experiment, seed, today)
    by = ["cell", "method"]
    seconds = table.groupby(by, sort=False)[costs].mean().reset_index()
    _write(seconds, folder / f"{name}-seconds.csv", experiment, seed, today)
    for job in work:
        job.run().unlink()
    if not any(waiting.iterdir()):
        waiting.rmdir()
    return path


def read_table(name, folder=STORED):
    """Read a stored experiment, with a column for each setting of its cells.

    Parameters
    ----------
    name : str
        Name of the experiment.
    folder : path
        Where its table is.

    Returns
    -------
    pandas.DataFrame
    """
    table = pd.read_csv(Path(folder) / f"{name}.csv", comment="#")
    cells = table["cell"].unique()
    settings = [dict(part.split("=") for part in cell.split(",")) for cell in cells]
    columns = pd.DataFrame(settings, index=pd.Index(cells, name="cell"))
    for column in columns:
        try:
            columns[column] = pd.to_numeric(columns[column])
        except ValueError:
            continue
    return columns.reset_index().merge(table, on="cell", how="right", validate="one_to_many")


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m moelib.experiments", description=__doc__)
    parser.add_argument("name", nargs="?", choices=list(EXPERIMENTS), help="experiment to run")
    parser.add_argument("--list", action="store_true", help="list the experiments and stop")
    parser.add_argument("--dry-run", action="store_true", help="list the cells and stop")
    parser.add_argument("--cell", help="run and print one cell, given by its settings: k=3,n=4000")
    parser.add_argument("--to", type=Path, default=STORED, help="folder of the files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this Dask scheduler")
    options = parser.parse_args(arguments)
    if options.list:
        for experiment in EXPERIMENTS.values():
            print(f"{experiment.name:<16}{len(experiment.grid)} cells. {experiment.description}")
        return
    if options.name is None:
        parser.error("name an experiment, or use --list")
    experiment = EXPERIMENTS[options.name]
    try:
        chosen = find_cells(experiment, options.cell) if options.cell else None
    except ValueError as error:
        parser.error(str(error))
    if options.dry_run:
        for index in range(len(experiment.grid)) if chosen is None else chosen:
            print(f"{index:4d}  {cell_name(experiment.grid[index])}")
    elif chosen is not None:
        for index in chosen:
            table = Job(options.name, index, options.seed, Path()).compute()
            print(cell_name(experiment.grid[index]))
            print(table.drop(columns="cell").to_string(index=False, float_format="%.4g"))
    else:
        path = run_experiment(
            options.name, options.to, options.seed, options.jobs, dask=options.dask
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


def _write(table, path, experiment, seed, today):
    """Write a table with its provenance above it."""
    today = today or datetime.now(UTC).date().isoformat()
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    header = [
        f"{experiment.description}",
        f"Made by: python -m moelib.experiments {experiment.name} --seed {seed}",
        f"Date {today}; moelib {version('moelib')}, Python {sys.version.split()[0]}, {packages}",
    ]
    unfinished = path.with_suffix(".part")
    with open(unfinished, "w") as file:
        file.writelines(f"# {line}\n" for line in header)
        table.to_csv(file, index=False, float_format="%.6g")
    os.replace(unfinished, path)
