"""Who takes part and who handed in what, read with patience for oddities."""

from pathlib import Path

from moelib.classroom.personal import PRACTICE, as_student
from moelib.classroom.tables import separator, text_of


def find_submissions(folder, assignments) -> tuple[list, list]:
    """Find the submissions in a folder.

    Parameters
    ----------
    folder : path
        ``STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb``, as nbgrader collects, or, for one assignment,
        ``STUDENT.ipynb``.
    assignments : dict or collection of str
        Names of the assignments that are graded.

    Returns
    -------
    submissions : list of (student, assignment, path)
        Sorted.
    odd : list of (name, reason)
        What is in neither form. ``ValueError`` where there is no submission at all, ``OSError``
        where the folder cannot be read.
    """
    folder, found, odd = Path(folder), [], []
    spelt: dict = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            handed_in = _handed_in(path, list(assignments))
            student = as_student(path.stem if path.is_file() else path.name)
            if student == PRACTICE:
                raise ValueError(f"no student can have the id {PRACTICE}: its data are public")
            other = spelt.setdefault(student.casefold(), path.name)
            if other != path.name:
                raise ValueError(f"{other} is there too, of the same student or one in other case")
        except (ValueError, OSError) as error:
            odd.append((path.name, str(error)))
        else:
            found += [(student, name, notebook) for name, notebook in handed_in]
    if not found:
        raise ValueError(
            f"no submissions in {folder}: STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, or STUDENT.ipynb "
            f"for one assignment, with ASSIGNMENT one of {sorted(assignments)}"
            + "".join(f"\n  {name}: {reason}" for name, reason in odd)
        )
    return found, odd


def beside_the_roster(submissions, roster) -> list:
    """Who handed in without being on the roster, and who is on it and handed in nothing.

    Parameters
    ----------
    submissions : list of (student, assignment, path)
        From :func:`find_submissions`.
    roster : list of str
        From :func:`read_roster`.

    Returns
    -------
    list of (name, reason)
        For the gradebook, like the odd ones of :func:`find_submissions`.
    """
    handed_in = {student for student, _, _ in submissions}
    strange = [(student, "not on the roster") for student in sorted(handed_in - set(roster))]
    return strange + [(s, "nothing handed in") for s in roster if s not in handed_in]


def _handed_in(path, names):
    """Pairs (assignment, notebook) of one student; ``ValueError`` for what is no submission."""
    if path.is_symlink():
        raise ValueError("it is a link")
    if path.is_file() and path.suffix == ".ipynb":
        if len(names) == 1:
            return [(names[0], path)]
        raise ValueError("of which assignment? name one with --assignment, or use folders")
    if not path.is_dir():
        raise ValueError("it is neither a folder nor a notebook")
    inside = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    chosen = [name for name in names if name in inside]
    if not chosen and inside:
        raise ValueError(f"no folder of {', '.join(names)} in it, but {', '.join(inside[:5])}")
    notebooks = [(name, path / name / f"{name}.ipynb") for name in chosen]
    for name, notebook in notebooks:
        if path.resolve() not in notebook.resolve().parents:
            raise ValueError(f"{name} in it is a link to somewhere else")
    return notebooks


def read_roster(path) -> list[str]:
    """Ids of the students of a course.

    Parameters
    ----------
    path : path
        A text or CSV file, one student a line, the id first; with commas, semicolons or tabs. A
        heading ``id`` or ``student`` is left out, and so are empty lines.

    Returns
    -------
    list of str
        ``ValueError`` for an id with other signs than letters, digits and ``. _ @ -``, and for one
        that is there twice, in whatever case.
    """
    text = text_of(path).lstrip()
    sign = separator(text.partition("\n")[0])
    lines = [line.split(sign)[0].strip(' "') for line in text.splitlines()]
    students = [
        as_student(line) for line in lines if line and line.lower() not in ("id", "student")
    ]
    if PRACTICE in students:
        raise ValueError(f"no student can have the id {PRACTICE}: its data are public")
    spelt = [student.casefold() for student in students]  # files may not know ada from Ada
    if twice := sorted({student for student in students if spelt.count(student.casefold()) > 1}):
        raise ValueError(f"students who are listed twice: {', '.join(twice)}")
    return students
