"""Experiments too long for a page: declared grids, resumable runs, small CSV files.

``python -m moelib.experiments --list`` says what there is, ``python -m moelib.experiments NAME``
runs one.
"""

from moelib.experiments.runner import EXPERIMENTS, cell_name, main, read_table, run_experiment

__all__ = ["EXPERIMENTS", "cell_name", "main", "read_table", "run_experiment"]
