"""The sentences of a fit: each is a warning where it is found, once, and all of them are kept."""

from moelib.validation import AssumptionWarning, heard, warn

MOST_LISTED = 20  # values in one sentence


def say(sentence, category=AssumptionWarning):
    """Warn of something; only once in what :func:`moelib.validation.listening` surrounds."""
    if sentence not in heard():
        warn(sentence, category)


def listed(values):
    """Values in quotes with commas between them, the first of very many, for a sentence.

    Examples
    --------
    >>> listed(["age", "bmi"])
    "'age', 'bmi'"
    """
    return ", ".join(map(repr, values[:MOST_LISTED])) + ", ..." * (len(values) > MOST_LISTED)
