"""Tables as pages show them: every entry is written the way the text writes it."""

import numpy as np

from moelib.pages.numbers import number


def show_table(rows, columns=None, *, form=".2f", name="", blank="–"):
    """Make a table to look at.

    Parameters
    ----------
    rows : DataFrame, or dict of array
        What to show; a dict has the entries of a row under the name of the row.
    columns : list of str, optional
        Heads of the columns. Default: those of the DataFrame, or none when rows is a dict.
    form : str or dict of str
        How numbers are written (see `moelib.pages.numbers.number`); a dict has a format for each
        column that is not written in ".2f". Integers keep all their digits; a truth is yes or no.
    name : str
        Written above the names of the rows.
    blank : str
        Stands for what is missing or infinite.

    Returns
    -------
    table : DataFrame
        Of text.

    Raises
    ------
    ValueError
        When `form` names a column that the table lacks.

    Examples
    --------
    >>> show_table({"EM": [12, 0.934], "Adam": [3, np.nan]}, ["runs", "off"], form={"off": ".2f"})
         runs   off
    EM     12  0.93
    Adam    3     –
    """
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    elif columns is not None:
        rows = rows.set_axis(columns, axis=1)
    forms = form if isinstance(form, dict) else dict.fromkeys(rows, form)
    unknown = [column for column in forms if column not in rows.columns]
    if unknown:
        raise ValueError(f"form names {unknown}, but the columns are {list(rows.columns)}")

    def write(value, form):
        if isinstance(value, str):
            return value
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if pd.isna(value) or np.isinf(value):
            return blank
        return number(value, "" if isinstance(value, int | np.integer) else form)

    texts = {c: [write(v, forms.get(c, ".2f")) for v in rows[c]] for c in rows.columns}
    made = pd.DataFrame(texts, index=rows.index)
    return made.rename_axis(index=name) if name else made
