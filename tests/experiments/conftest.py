"""What tests of stored experiments share: the tables, and their rows computed again."""

import re

import pytest

from moelib.experiments import EXPERIMENTS, cell_name, read_table, tables

# cells that were left out for their seconds; the page that reads the table names them
NOT_RUN = {
    "frontier": [
        "noise=0.5,shares=equal,k=24,",
        "link=relu,.*k=32,",
        "link=identity,.*k=32,n=(790000|1600000)$",
        "k=48,n=(660000|1300000|2700000)$",
    ]
}


@pytest.fixture(scope="session")
def stored_table():
    """A function that reads a stored table and finds all cells of its grid there."""

    def read(name):
        table = read_table(name)
        cells = [cell_name(cell) for cell in EXPERIMENTS[name].grid]
        due = [cell for cell in cells if not any(re.search(p, cell) for p in NOT_RUN.get(name, []))]
        assert list(table["cell"].unique()) == due
        return table

    return read


@pytest.fixture(scope="session")
def rows_again():
    """A function that computes rows of a cell again: ``new, old = rows_again("census", 1)``."""

    def compute(name, index, **sizes):
        experiment = EXPERIMENTS[name]
        return tables.rows_again(experiment, experiment.grid[index], **sizes)

    return compute
