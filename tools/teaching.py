"""Write the computed tables of the teaching pages: minutes, problem sets, misconceptions."""

import re
import sys

import reading_time
from claims import ROOT

from moelib.classroom import Assignment, load
from moelib.classroom.submission import is_test

PAGES = [ROOT / "book" / f"{name}.md" for name in ("teaching", "teaching-grading")]
MASTERS = ROOT / "book" / "assignments"


def assignments() -> list[Assignment]:
    """The problem sets, in order."""
    return [load(path.parent) for path in sorted(MASTERS.glob("[0-9]*/marking.py"))]


def hours(assignment: Assignment) -> tuple[str, str]:
    """The hours that the first cell of a set names: without its extension, and with it."""
    line = re.search(r"\*\*Time\*\*.*", assignment.master.cells[0].source)[0]
    core = re.search(r"about ([0-9.]+) hours", line)[1]
    more = re.search(r"with the extension \(parts? [^)]+\) about ([0-9.]+)", line)
    return core, more[1] if more else ""


def sets() -> str:
    """Points and hours of the problem sets, in Markdown."""
    rows = ["| Set | Points | Machine | Hand | Hours | Extended |"]
    rows += ["|---|--:|--:|--:|--:|--:|"]
    for assignment in assignments():
        cells = [c for c in assignment.master.cells if "points" in c.metadata["nbgrader"]]
        machine = sum(c.metadata["nbgrader"]["points"] for c in cells if is_test(c))
        total = sum(c.metadata["nbgrader"]["points"] for c in cells)
        numbers = [f"{total:g}", f"{machine:g}", f"{total - machine:g}", *hours(assignment)]
        rows.append(f"| {assignment.name} | " + " | ".join(numbers) + " |")
    return "\n".join(rows)


def misconceptions() -> str:
    """The wrong answers that the grader knows, in Markdown, a fold for each set."""
    folds = []
    for assignment in assignments():
        rows = ["| Question | Keeps | What the student reads |", "|---|--:|---|"]
        for wrong in sorted(
            assignment.mistakes, key=lambda v: list(assignment.questions).index(v.question)
        ):
            sentence = wrong.sentence.replace("|", "\\|")
            rows.append(f"| `{wrong.question}` | {wrong.keeps:.0%} | {sentence} |")
        head = f"````{{admonition}} {assignment.name}: {len(rows) - 2} wrong answers"
        folds.append("\n".join([head, ":class: dropdown", "", *rows, "````"]))
    return "\n\n".join(folds)


TABLES = {"minutes": reading_time.table, "sets": sets, "misconceptions": misconceptions}


def written(page: str, tables: dict) -> str:
    """A page with each table between its markers, if it has them."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in page:
            continue
        head, rest = page.split(begin)
        page = f"{head}{begin}\n\n{table()}\n\n{end}{rest.split(end)[1]}"
    return page


def main() -> int:
    for page in PAGES:
        page.write_text(written(page.read_text(), TABLES))
        print(f"wrote {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
