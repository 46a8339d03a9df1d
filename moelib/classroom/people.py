"""The table in which people enter their points: read as spreadsheets write it, never lost."""

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

from moelib.classroom.grading import Earned, Graded
from moelib.classroom.tables import separator, text_of

KEYS = ["student", "assignment", "question"]
COLUMNS = [*KEYS, "most", "points", "comment"]


@dataclass(frozen=True)
class Sheet:
    """What people entered.

    Attributes
    ----------
    rows : dict
        A row, as a dict by column, for each (student, assignment, question).
    columns : tuple of str
        All columns, those that people added among them.
    """

    rows: dict
    columns: tuple = tuple(COLUMNS)


def read_sheet(path) -> Sheet:
    """Read ``manual.csv``.

    Parameters
    ----------
    path : path
        A table with commas, semicolons or tabs, in UTF-8, UTF-16 or the encoding of Windows. It
        may be missing.

    Returns
    -------
    Sheet
        ``ValueError``, with the number of the line, for a row that has more cells than there are
        columns, a row that is there twice, and a table that lacks a column.
    """
    path = Path(path)
    text = text_of(path).lstrip("\r\n") if path.exists() else ""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep="):  # a line of Excel's
        text, first = rest, rest.partition("\n")[0]
    if not text.strip():
        return Sheet({})
    sign = separator(first)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = columns
    if lacks := [name for name in (*KEYS, "points") if name not in columns]:
        raise ValueError(f"{path.name}: its first line lacks {', '.join(lacks)}")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path.name}: two columns have one name, or none")
    try:
        return Sheet(_rows(reader, path.name, sign), tuple(dict.fromkeys([*columns, *COLUMNS])))
    except csv.Error as error:
        raise ValueError(f"{path.name}, after line {reader.line_num}: {error}") from None


def _rows(reader, name, sign) -> dict:
    swallowed = re.compile(rf"\n[\w.@-]+{sign}[\w.-]+{sign}")
    rows: dict = {}
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        if None in row:
            raise ValueError(f"{where}: more cells than columns: put comments in quotes")
        row = {column: (value or "").strip() for column, value in row.items()}
        if swallowed.search("".join(row.values())):
            raise ValueError(f"{where}: a quote is not closed, and the rows after it are lost")
        if not any(row.values()):
            continue
        key = tuple(row[column] for column in KEYS)
        if key in rows:
            raise ValueError(f"{where}: {', '.join(key)} stands there twice; keep one row")
        rows[key] = row
    return rows


def with_people(graded: list[Graded], sheet: Sheet) -> list[Graded]:
    """Add the points that people gave.

    Parameters
    ----------
    graded : list of Graded
        Of a class.
    sheet : Sheet
        From :func:`read_sheet`. Its points replace what the grader gave.

    Returns
    -------
    list of Graded
        ``ValueError`` for points that are no number from 0 to the most, and for points to a
        question that an assignment lacks or a student whose id differs in case alone.
    """
    complete = [
        replace(g, earned=tuple(_with_row(e, sheet.rows.get(_key(g, e))) for e in g.earned))
        for g in graded
    ]
    known = {_key(g, e) for g in graded for e in g.earned}
    handed_in = {(g.student, g.assignment) for g in graded}
    ids = {g.student.casefold(): g.student for g in graded}
    for student, name, question in set(sheet.rows) - known:
        meant = ids.get(student.casefold(), student)
        if meant != student:
            raise ValueError(f"manual.csv: there is no student {student}; {meant} is meant?")
        if (student, name) in handed_in:
            asked = ", ".join(key[2] for key in sorted(known) if key[:2] == (student, name))
            raise ValueError(f"manual.csv: {name} has no question {question!r}, but {asked}")
    return complete


def strangers(graded: list[Graded], sheet: Sheet) -> list[str]:
    """Names in the table that no submission has: kept, and worth a look."""
    handed_in = {(g.student, g.assignment) for g in graded}
    return sorted({f"{s}, {a}" for s, a, _ in sheet.rows if (s, a) not in handed_in})


def write_sheet(graded: list[Graded], sheet: Sheet, path) -> None:
    """Write the table again: what people entered, and empty rows for what waits for them.

    Parameters
    ----------
    graded : list of Graded
        Of a class, without people's points.
    sheet : Sheet
        What was there.
    path : path
        Of ``manual.csv``. If its rows change, the table before is kept as ``manual.csv.bak``.
    """
    path, rows = Path(path), {}
    waits = {_key(g, e): e for g in graded for e in g.earned if e.points is None}
    for key, row in sheet.rows.items():
        entered = [value for name, value in row.items() if name not in (*KEYS, "most") and value]
        if entered or key in waits:
            rows[key] = row
    for key, e in waits.items():
        rows.setdefault(key, {**dict(zip(KEYS, key)), "most": f"{e.most:g}"})
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, sheet.columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    new, before = text.getvalue().encode(), path.read_bytes() if path.exists() else None
    if new == before:
        return
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(new)
    if before is not None:
        path.replace(path.with_name(f"{path.name}.bak"))
    fresh.replace(path)


def _with_row(earned: Earned, row) -> Earned:
    if row is None:
        return earned
    points = earned.points
    if entered := row.get("points"):
        number = re.fullmatch(r"\d+([.,]\d*)?", entered)
        points = float(entered.replace(",", ".")) if number else -1.0
        if not 0 <= points <= earned.most:
            where = ", ".join(row[key] for key in KEYS)
            raise ValueError(
                f"manual.csv, {where}: points must be 0 to {earned.most:g}, got {entered!r}"
            )
    return replace(earned, points=points, reason=row.get("comment") or earned.reason)


def _key(graded, earned):
    return graded.student, graded.assignment, earned.question
