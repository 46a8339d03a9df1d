"""What an experiment is: a grid of cells and a function that computes the rows of one."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Experiment:
    """A declared experiment.

    Parameters
    ----------
    name : str            name of its file and on the command line
    description : str     one line for the header
    grid : list of dict   the cells, each a set of settings
    run : callable        (cell, numpy.random.SeedSequence) -> list of rows, each a dict with
                          ``method`` and ``seconds`` among its keys
    """

    name: str
    description: str
    grid: list
    run: Callable
