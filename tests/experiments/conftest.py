"""What tests of stored experiments share: the tables, and their rows computed again."""

import pytest

from moelib.experiments import EXPERIMENTS, cell_name, read_table, tables


@pytest.fixture(scope="session")
def stored_table():
    """A function that reads a stored table and finds all cells of its grid there."""

    def read(name):
        table = read_table(name)
        assert list(table["cell"].unique()) == [cell_name(c) for c in EXPERIMENTS[name].grid]
        return table

    return read


@pytest.fixture(scope="session")
def rows_again():
    """A function that computes rows of a cell again: ``new, old = rows_again("census", 1)``."""

    def compute(name, index, **sizes):
        experiment = EXPERIMENTS[name]
        return tables.rows_again(experiment, experiment.grid[index], **sizes)

    return compute
