"""Each student's own data: drawn by generators that only the course secret opens.

A generator is keyed by the HMAC-SHA256 of assignment, student and purpose under the secret of the
course. Truth, data and hidden questions have generators of their own, so nothing that a student
holds leads back to the truth, and the grader finds all of it again from the secret.
"""

import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PRACTICE = "practice"  # the student whose data lie in the book, made with a secret of this name
STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Personal:
    """What one student gets, and what is kept.

    Attributes
    ----------
    data : dict of arrays
        The student's ``data.npz``.
    truth : dict
        What is behind it, for the grader alone.
    """

    data: dict
    truth: dict = field(default_factory=dict)


def generator(secret: bytes, assignment: str, student: str, purpose: str) -> np.random.Generator:
    """The generator of one student for one purpose.

    Parameters
    ----------
    secret : bytes
        The secret of the course.
    assignment, student, purpose : str
        What it is for.

    Returns
    -------
    Generator
        The same for the same four arguments; without the secret, nothing about it is known.

    Examples
    --------
    >>> one, other = (generator(b"secret", "1-em", "ada", use) for use in ("truth", "data"))
    >>> bool(one.integers(10**9) == other.integers(10**9))
    False
    """
    message = "\0".join(("moelib", assignment, as_student(student), purpose)).encode()
    digest = hmac.digest(secret, message, "sha256")
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4").tolist())


def as_student(name: str) -> str:
    """A student's id, checked: letters, digits and ``. _ @ -``; ``ValueError`` otherwise.

    Examples
    --------
    >>> as_student("ada.lovelace")
    'ada.lovelace'
    """
    if not isinstance(name, str) or not STUDENT.fullmatch(name):
        raise ValueError(
            f"a student's id is 1 to 64 letters, digits and . _ @ -, the first a letter or a "
            f"digit; got {name!r}"
        )
    return name


def read_secret(path, *, create: bool = False) -> bytes:
    """The secret of the course.

    Parameters
    ----------
    path : path
        A file that the owner alone can read. Keep it out of version control, and keep a copy:
        without it nobody can say which data a student had.
    create : bool
        Whether to write a new one where there is none.

    Returns
    -------
    bytes
        ``ValueError`` when the file is missing, short, or open to others.
    """
    path = Path(path)
    if not path.exists() and create:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    if not path.exists():
        raise ValueError(f"there is no course secret at {path}: `make assignments` makes one")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"others can read the course secret: chmod 600 {path}")
    secret = path.read_bytes().strip()
    if len(secret) < 32:
        raise ValueError(f"the course secret in {path} has fewer than 32 characters")
    return secret


def secret_of(student: str, secret: bytes | None) -> bytes:
    """The secret for a student: a public one for the practice student, else that of the course."""
    if student == PRACTICE:
        return PRACTICE.encode()
    if secret is None:
        raise ValueError(f"the data of {student} need the course secret")
    return secret
