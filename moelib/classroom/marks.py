"""From answers to points: a function of the error, with a reason in words."""

import inspect
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from moelib.classroom.distances import FAR, relative
from moelib.classroom.inside import pack, unpack
from moelib.classroom.personal import Personal
from moelib.classroom.questions import Case, Paper, Question

SAME = 1e-6  # relative: an answer this close to a mistake's is that mistake


@dataclass(frozen=True)
class Mark:
    """What a question earns.

    Attributes
    ----------
    share : float
        From 0 to 1.
    reason : str
        Why, for the student.
    """

    share: float
    reason: str


def share(error: float, full: float, none: float) -> float:
    """The share of the points that an error leaves.

    Parameters
    ----------
    error : float
        Negative, infinite or NaN earns nothing.
    full, none : float
        All up to ``full``, nothing from ``none``; between them it falls linearly in the logarithm
        of the error, or in the error itself when ``full`` is 0.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> [share(error, full=1e-4, none=1.0) for error in (0.0, 1e-4, 1e-2, 1.0, float("nan"))]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    if not 0 <= error < none:
        return 0.0
    if error <= full:
        return 1.0
    return math.log(none / error) / math.log(none / full) if full else 1 - error / none


def mark(paper: Paper, name: str, answers: list) -> Mark:
    """Compare the answers to one question with the right ones.

    Parameters
    ----------
    paper : Paper
        What the student was asked.
    name : str
        The question.
    answers : list
        For each case the packed answer, or a ``RuntimeError`` that says why there is none.

    Returns
    -------
    Mark
        The mean over the cases, and a reason for what was lost.
    """
    question, cases = paper.assignment.questions[name], paper.cases[name]
    variants = [variant for variant in paper.assignment.mistakes if variant.question == name]
    parts = [
        _part(question, case, reply, variants, paper.personal)
        for case, reply in zip(cases, answers, strict=True)
    ]
    return Mark(float(np.mean([part.share for part in parts])), _reason(question, cases, parts))


@dataclass(frozen=True)
class _Part:
    """What one case earns: its share, its error, and what is known about it."""

    share: float
    error: float = FAR
    words: str = ""


def _part(question: Question, case: Case, reply: Any, variants, personal: Personal) -> _Part:
    if isinstance(reply, RuntimeError):
        return _Part(0.0, words=str(reply))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            answer = _plain(unpack(reply), _kinds(case.expected))
            measured = question.distance(answer, case.expected)
        except Strange as strange:
            return _Part(0.0, words=str(strange))
        except Exception:  # an answer of a strange kind: the student's loss, not the grader's
            words = "the answer could not be compared: it is of another kind than asked"
            return _Part(0.0, words=words)
        error, words = measured if isinstance(measured, tuple) else (measured, "")
        earned = share(error, question.full, question.none)
        if earned == 1:
            return _Part(1.0, error)
        known = [v.sentence.rstrip(".") for v in variants if _is_that(v, case, answer, personal)]
    return _Part(earned, error, ". ".join(filter(None, [*known[:1], words])))


class Strange(ValueError):
    """An answer in which something stands that was not asked for; the message says what."""


def _kinds(value) -> set:
    """What there is in a value besides finite real numbers."""
    if isinstance(value, dict | tuple | list):
        parts = value.values() if isinstance(value, dict) else value
        return set().union(*map(_kinds, parts))
    if value is None or isinstance(value, str):
        return {"nothing" if value is None else "text"}
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        return set()
    found = {"complex numbers"} if array.dtype.kind == "c" else set()
    return found if np.isfinite(array).all() else found | {"numbers that are not finite"}


def _plain(answer, allowed):
    """An answer with complex numbers made real where nothing is lost; Strange for other kinds."""
    if isinstance(answer, dict):
        return {key: _plain(part, allowed) for key, part in answer.items()}
    if isinstance(answer, tuple | list):
        return type(answer)(_plain(part, allowed) for part in answer)
    if isinstance(answer, complex | np.ndarray) and "complex numbers" not in allowed:
        array = np.asarray(answer)
        if array.dtype.kind == "c" and not array.imag.any():
            answer = array.real if array.ndim else float(array.real)
    more = _kinds(answer) - allowed
    if "nothing" in more:
        raise Strange("no answer yet")
    if more:
        raise Strange(f"finite real numbers were expected, not {', '.join(sorted(more))}")
    return answer


def _is_that(variant, case, answer, personal):
    """Whether an answer is what a known mistake answers."""
    try:
        if case.args is None:
            given = list(inspect.signature(variant.function).parameters)[variant.wraps :]
            args = [personal.data[key] for key in given]
        else:
            args = [unpack(pack(value)) for value in case.args]
        wrong = variant.function(*([case.expected] if variant.wraps else []), *args)
        return relative(answer, wrong)[0] < SAME < relative(wrong, case.expected)[0]
    except Exception:  # a mistake need not be able to answer every case
        return False


def _reason(question, cases, parts):
    """Words for the cases that lost something, equal words once, and the largest error."""
    lost: dict[str, list] = {}
    for case, part in zip(cases, parts):
        if part.share < 1:
            lost.setdefault(part.words, []).append(case.label)
    if not lost:
        return "right"
    sentences = []
    for words, labels in lost.items():
        named = ", ".join(dict.fromkeys(filter(None, labels)))
        head = f"{len(labels)} of {len(cases)} cases" + (f" ({named})" if named else "")
        sentences.append(": ".join(filter(None, [head if len(cases) > 1 else "", words])))
    errors = [part.error for part in parts if part.share < 1 and math.isfinite(part.error)]
    if errors:
        scale = f"full points up to {question.full:.2g}, none from {question.none:.2g}"
        sentences.append(f"largest error {max(errors):.2g}, {scale}")
    return "; ".join(filter(None, sentences))
