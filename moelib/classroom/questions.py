"""What an assignment asks: questions, the cases they are asked with, and known wrong answers."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import nbformat

from moelib.classroom.distances import relative
from moelib.classroom.personal import Personal, generator, secret_of


@dataclass(frozen=True)
class Case:
    """One thing that is asked.

    Attributes
    ----------
    args : tuple or None
        Arguments that the student's function is called with; None asks for the value of a name.
    expected : object
        The right answer.
    label : str
        What is special about this case, for the feedback.
    """

    args: tuple | None
    expected: Any
    label: str = ""


@dataclass(frozen=True)
class Question:
    """A name that the student's notebook has to define, and how far off its answers may be.

    Attributes
    ----------
    name : str
        The name; the answer's cell has it as its id, the cell with the points ``test-`` before it.
    cases : callable
        ``cases(rng, personal) -> list of Case``: hidden, for each student others.
    full, none : float
        Errors up to which a case earns everything, and from which it earns nothing.
    distance : callable
        ``distance(answer, expected) -> error`` or ``(error, words)``.
    """

    name: str
    cases: Callable
    full: float
    none: float
    distance: Callable = relative

    def __post_init__(self):
        if not 0 <= self.full < self.none:
            raise ValueError(f"{self.name}: full={self.full} must be below none={self.none}")


@dataclass(frozen=True)
class Variant:
    """A known answer: a mistake, or a right answer in another form.

    Attributes
    ----------
    question : str
        The question it answers.
    keeps : float
        The share of the points that is left.
    wraps : bool
        Whether it spoils the right answer, its first argument, or answers on its own.
    function : callable
        The answer. Its docstring is what the student reads.
    """

    question: str
    keeps: float
    wraps: bool
    function: Callable

    @property
    def name(self) -> str:
        """The name of the function, with spaces."""
        return self.function.__name__.replace("_", " ")

    @property
    def sentence(self) -> str:
        """Its docstring on one line."""
        return " ".join((inspect.getdoc(self.function) or "").split())

    def source(self, *, value: bool) -> str:
        """Code that, put behind a right answer, makes it this one.

        Parameters
        ----------
        value : bool
            Whether the question asks for a value and not for a function.
        """
        lines = textwrap.dedent(inspect.getsource(self.function)).splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("def "))
        code = "\n".join(lines[first:])
        name, own = self.question, self.function.__name__
        if value:
            given = list(inspect.signature(self.function).parameters)
            given = [name if self.wraps and i == 0 else f"data[{g!r}]" for i, g in enumerate(given)]
            return f"{code}\n{name} = {own}({', '.join(given)})"
        if not self.wraps:
            return f"{code}\n{name} = {own}"
        return (
            f"{code}\n_right = {name}\n"
            f"def {name}(*given):\n    return {own}(_right(*given), *given)"
        )


def mistake(question: str, *, keeps: float, wraps: bool = False) -> Callable:
    """Name a wrong answer to a question; the docstring says what is wrong, to the student."""
    return lambda function: Variant(question, keeps, wraps, function)


def equivalent(question: str) -> Callable:
    """Name another form of a right answer, made from it: an order, a base. It keeps all points."""
    return lambda function: Variant(question, 1.0, True, function)


@dataclass(frozen=True)
class Assignment:
    """An assignment as the grader knows it; see :func:`load`.

    Attributes
    ----------
    name : str
        Name of its folder and of its notebook.
    folder : Path
        Where the master is.
    personal_data : callable
        ``personal_data(truth_rng, data_rng) -> Personal``.
    questions : dict
        By name.
    variants : tuple of Variant
        Mistakes, and equivalents of right answers.
    library : bool
        Whether submissions may import moelib.
    """

    name: str
    folder: Path
    personal_data: Callable
    questions: dict
    variants: tuple
    library: bool = False

    @property
    def master(self):
        """The master notebook."""
        return nbformat.read(self.folder / f"{self.name}.ipynb", as_version=4)

    @property
    def title(self) -> str:
        """The heading of the master."""
        return self.master.cells[0].source.splitlines()[0].lstrip("# ")

    @property
    def mistakes(self) -> tuple:
        """The variants that lose points."""
        return tuple(variant for variant in self.variants if variant.keeps < 1)

    def personal(self, student: str, secret: bytes | None = None) -> Personal:
        """Data and truth of a student, by the secret of the course."""
        key = secret_of(student, secret)
        truth, data = (generator(key, self.name, student, of) for of in ("truth", "data"))
        return self.personal_data(truth, data)

    def paper(self, student: str, secret: bytes | None = None) -> "Paper":
        """All that a student is asked, made once; cases in an order that no other student has."""
        personal = self.personal(student, secret)
        key = secret_of(student, secret)
        cases = {}
        for name, question in self.questions.items():
            rng = generator(key, self.name, student, f"question {name}")
            asked = list(question.cases(rng, personal))
            cases[name] = [asked[i] for i in rng.permutation(len(asked))]
        return Paper(self, student, personal, cases)


@dataclass(frozen=True)
class Paper:
    """What one student is asked, and what would be right.

    Attributes
    ----------
    assignment : Assignment
        The assignment.
    student : str
        Whose paper it is.
    personal : Personal
        The student's data, and the truth.
    cases : dict
        By question, a list of :class:`Case`.
    """

    assignment: Assignment
    student: str
    personal: Personal
    cases: dict


def load(folder) -> Assignment:
    """Read an assignment from its folder.

    Parameters
    ----------
    folder : path
        With the master notebook, ``marking.py`` and ``mistakes.py``.

    Returns
    -------
    Assignment
        ``ValueError`` when points, questions and cells do not fit together.
    """
    folder = Path(folder).resolve()
    marking = run_path(str(folder / "marking.py"))
    answers = run_path(str(folder / "mistakes.py"))
    questions = {question.name: question for question in marking["QUESTIONS"]}
    variants = tuple(thing for thing in answers.values() if isinstance(thing, Variant))
    if strange := {variant.question for variant in variants} - set(questions):
        raise ValueError(f"mistakes.py answers questions that marking.py lacks: {sorted(strange)}")
    library = marking.get("LIBRARY", False)
    return Assignment(folder.name, folder, marking["personal"], questions, variants, library)
