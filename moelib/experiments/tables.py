"""Stored tables: where they are, how to read one, and how to compute rows of one again."""

import os
from io import StringIO
from pathlib import Path

import pandas as pd

BOOK = Path(__file__).resolve().parents[2] / "book" / "data"  # in a checkout of the book
DIGITS = "%.6g"
UNREPEATABLE = ["seconds", "peak_gb"]  # columns that differ from run to run


def read_table(name, folder=None):
    """Read a stored experiment, with a column for each setting of its cells.

    Parameters
    ----------
    name : str
        Name of the experiment; ``NAME-seconds`` for what it cost.
    folder : path, optional
        Where its table is. Default: the folder that the environment variable ``MOELIB_DATA`` names;
        else the book's folder ``book/data`` if moelib runs from a checkout of the book; else a
        folder ``data`` in the current folder or in one above it.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    FileNotFoundError
        When the table is in none of these places.

    Examples
    --------
    >>> read_table("failure-map").columns[:4].tolist()
    ['cell', 'k', 'd', 'n']
    """
    table = pd.read_csv(find_table(name, folder), comment="#")
    cells = table["cell"].unique()
    settings = [dict(part.split("=") for part in cell.split(",")) for cell in cells]
    columns = pd.DataFrame(settings, index=pd.Index(cells, name="cell"))
    for column in columns:
        try:
            columns[column] = pd.to_numeric(columns[column])
        except ValueError:
            continue
    return columns.reset_index().merge(table, on="cell", how="right", validate="one_to_many")


def find_table(name, folder=None):
    """Where a stored table is, as a path; :func:`read_table` says where it is looked for."""
    named, here = os.environ.get("MOELIB_DATA"), Path.cwd()
    if folder is not None:
        places = [Path(folder)]
    else:
        above = [place / "data" for place in (here, *here.parents)]
        places = [*([Path(named)] if named else []), BOOK, *above]
    for place in places:
        if (place / f"{name}.csv").is_file():
            return place / f"{name}.csv"
    if folder is not None:
        raise FileNotFoundError(f"no table {name}.csv in {folder}")
    raise FileNotFoundError(
        f"no table {name}.csv: it is not in the folder that MOELIB_DATA names "
        f"({named or 'which is not set'}), not in {BOOK}, and no folder 'data' in {here} or above "
        "has it. Get book/data of the book, and set MOELIB_DATA to where it is"
    )


def rows_again(experiment, settings, **sizes):
    """Compute rows of a stored experiment again, to compare them with the stored ones.

    Parameters
    ----------
    experiment : Experiment
        Which experiment.
    settings : dict or str
        Settings that only one cell of its grid has.
    **sizes : dict
        Smaller sizes for its ``run``, so that fewer rows are computed.

    Returns
    -------
    fresh : pandas.DataFrame
        The rows as they come now, to as many digits as a table keeps.
    stored : pandas.DataFrame
        The stored rows of the same data sets, in the same order.

    Raises
    ------
    ValueError
        When several cells have these settings, or none, or a row is not in the table.

    Examples
    --------
    >>> from moelib.experiments import CENSUS
    >>> fresh, stored = rows_again(CENSUS, "k=2,mu=1.5", tensors=1)
    >>> fresh["minima"].tolist() == stored["minima"].tolist()
    True
    """
    places = experiment.find(settings)
    if len(places) > 1:
        raise ValueError(f"{len(places)} cells of {experiment.name} have {settings!r}: name one")
    rows = experiment.rows(places[0], **sizes).drop(columns=UNREPEATABLE, errors="ignore")
    fresh = pd.read_csv(StringIO(rows.to_csv(index=False, float_format=DIGITS)))
    stored = pd.read_csv(find_table(experiment.name), comment="#")
    keys = ["cell", *experiment.keys]
    same = fresh[keys].merge(stored, on=keys, how="left", validate="one_to_one", indicator=True)
    found = same.pop("_merge") == "both"
    if not found.all():
        raise ValueError(
            f"{(~found).sum()} of {len(found)} rows are not in the table of {experiment.name}: a "
            "size may be smaller than the stored one, not larger"
        )
    return fresh.reindex(columns=same.columns), same
