"""What an experiment is: a grid of cells, and what computes the rows of one.

A new one is a module of its own, named in ``runner.py`` and in the face of this package.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Experiment:
    """A declared experiment.

    Parameters
    ----------
    name : str
        Name of its file and on the command line.
    description : str
        One line for the header.
    grid : list of dict
        The cells, each a set of settings.
    run : callable
        Takes a cell and a ``numpy.random.SeedSequence``, returns a list of rows, each a dict with
        ``method`` and ``seconds`` among its keys. Its keyword arguments are sizes: with a smaller
        one it returns some of the same rows.
    keys : tuple of str
        Columns that tell the rows of a cell apart.
    """

    name: str
    description: str
    grid: list
    run: Callable
    keys: tuple = ("data", "method")

    def find(self, settings):
        """Places in the grid of the cells that have these settings.

        Parameters
        ----------
        settings : dict or str
            Some settings of a cell, or their text: ``k=3,n=4000``.

        Returns
        -------
        list of int

        Raises
        ------
        ValueError
            When no cell has them.
        """
        text = settings if isinstance(settings, str) else cell_name(settings)
        wanted, names = set(text.split(",")), [cell_name(cell) for cell in self.grid]
        found = [i for i, name in enumerate(names) if wanted <= set(name.split(","))]
        if not found:
            raise ValueError(f"no cell of {self.name} has {text!r}; a cell reads {names[0]!r}")
        return found

    def rows(self, index, seed=0, **sizes):
        """The rows of one cell, which has a seed of its own.

        On one thread: sums are then taken in one order only.

        Parameters
        ----------
        index : int
            Place of the cell in the grid.
        seed : int
            Seed of the whole run.
        **sizes : dict
            Passed on to ``run``.

        Returns
        -------
        pandas.DataFrame
        """
        cell = self.grid[index]
        own_seed = np.random.SeedSequence(seed).spawn(len(self.grid))[index]
        with threadpool_limits(1):
            rows = self.run(cell, own_seed, **sizes)
        return pd.DataFrame([{"cell": cell_name(cell)} | row for row in rows])


def cell_name(cell):
    """The name of a cell: its settings.

    Examples
    --------
    >>> cell_name(dict(k=3, d=10, n=4000))
    'k=3,d=10,n=4000'
    """
    return ",".join(f"{key}={value}" for key, value in cell.items())
