"""The sentences of a fit: each is a warning where it is found, and all of them are kept."""

from contextlib import contextmanager
from contextvars import ContextVar

from moelib.validation import AssumptionWarning, warn

MOST_LISTED = 20  # values in one sentence
_kept: ContextVar[list | None] = ContextVar("kept", default=None)


@contextmanager
def kept():
    """A list of the sentences that are said inside, each once, whatever warnings are shown."""
    sentences: list[str] = []
    token = _kept.set(sentences)
    try:
        yield sentences
    finally:
        _kept.reset(token)


def say(sentence, category=AssumptionWarning):
    """Warn of something, and keep the sentence where a fit asks for it; once in one fit."""
    sentences = _kept.get()
    if sentences is not None:
        if sentence in sentences:
            return
        sentences.append(sentence)
    warn(sentence, category)


def listed(values):
    """Values in quotes with commas between them, the first of very many, for a sentence.

    Examples
    --------
    >>> listed(["age", "bmi"])
    "'age', 'bmi'"
    """
    return ", ".join(map(repr, values[:MOST_LISTED])) + ", ..." * (len(values) > MOST_LISTED)
