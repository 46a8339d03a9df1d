"""How far an answer is from the right one, and in words why."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

FAR = float("inf")


def relative(answer: Any, expected: Any) -> tuple[float, str]:
    r"""Largest difference of two answers, :math:`\max|a - e| / \max|e|`, part by part.

    Parameters
    ----------
    answer, expected : number, array, string, or tuples, lists, dicts of these
        Numbers and arrays are compared as arrays of one shape; anything else has to be equal.

    Returns
    -------
    error : float
        Of the worst part; infinite where the shape is wrong, a number is missing or not finite.
    words : str
        What is wrong, if it is more than a difference.

    Examples
    --------
    >>> round(relative([1.0, 2.2], np.array([1.0, 2.0]))[0], 3)
    0.1
    >>> relative(np.eye(2), np.eye(3))
    (inf, 'shape (2, 2) where (3, 3) was expected')
    """
    if isinstance(expected, dict):
        if not isinstance(answer, dict) or set(answer) != set(expected):
            return FAR, f"a dict with the keys {sorted(expected)} was expected"
        return max((relative(answer[key], expected[key]) for key in expected), key=_error)
    if isinstance(expected, tuple | list) and any(np.ndim(part) for part in expected):
        answer = _as_parts(answer)
        if not isinstance(answer, tuple | list) or len(answer) != len(expected):
            return FAR, f"{len(expected)} things were expected"
        return max((relative(a, e) for a, e in zip(answer, expected)), key=_error)
    if expected is None or isinstance(expected, str):
        return (0.0, "") if type(answer) is type(expected) and answer == expected else (FAR, "")
    try:
        found, right = np.asarray(answer), np.asarray(expected)
    except ValueError:
        return FAR, "rows of unequal length"
    if found.dtype.kind not in "biufc":
        return FAR, "numbers were expected"
    if found.shape != right.shape:
        return FAR, f"shape {found.shape} where {right.shape} was expected"
    if right.dtype.kind == "b":
        return float(np.any(found != right)), ""
    if not np.isfinite(found).all():
        return FAR, "not all numbers are finite"
    scale = max(float(np.abs(right).max(initial=0)), np.finfo(float).tiny)
    return float(np.abs(found - right).max(initial=0)) / scale, ""


def same_integer(answer: Any, expected: int) -> tuple[float, str]:
    """0 for the right number, 1 for a wrong one, infinite for what is no single number.

    Parameters
    ----------
    answer, expected : int
        An answer may be a float without a fraction.

    Examples
    --------
    >>> same_integer(3.0, 3), same_integer(4, 3)
    ((0.0, ''), (1.0, '4 is not the right number'))
    """
    if np.ndim(answer) or isinstance(answer, bool | str):
        return FAR, "one integer was expected"
    return (0.0, "") if float(answer) == expected else (1.0, f"{answer} is not the right number")


def up_to_order(answer: Any, expected: Any) -> tuple[float, str]:
    r"""Distance of two mixtures, up to what leaves the law of the labels as it is.

    Experts may come in any order, gates with any base: rows (k, d), or (k-1, d) with the last one
    zero; for two experts also the one row (d,). Signs and lengths count, since an expert with the
    opposite sign is another expert.

    Parameters
    ----------
    answer, expected : (k, d) array, or a tuple (experts, gates, ...)
        Experts; gates; whatever else, compared by :func:`relative` as it is.

    Returns
    -------
    error : float
        :math:`\max_i |a_i - a^*_i| / |a^*_i|`, or the same for gates,
        :math:`\max_i |w_i - w^*_i| / \max_i |w^*_i|`, if that is larger; in the order in which the
        sum of the relative distances, experts and gates together, is smallest.
    words : str
        Which expert is wrong and how, if it is a sign or a length.

    Examples
    --------
    >>> A, W = np.array([[1.0, 0], [0, 2]]), np.array([[3.0, 1]])
    >>> up_to_order((A[::-1], -W), (A, W))[0]
    0.0
    >>> up_to_order(A * [[1.0], [-1.0]], A)
    (2.0, 'expert 2 points the opposite way')
    """
    many = isinstance(expected, tuple | list)
    pair: tuple = _as_tuple(_as_parts(answer)) if many else (answer,)
    right: tuple = tuple(expected) if many else (expected,)
    if len(pair) != len(right):
        return FAR, f"{len(right)} arrays were expected, in a tuple"
    experts, truth = _matrix(pair[0]), np.asarray(right[0], dtype=float)
    if experts is None or experts.shape != truth.shape:
        return FAR, f"experts of shape {truth.shape} were expected"
    lengths = np.linalg.norm(truth, axis=1)
    gaps = np.linalg.norm(experts[None] - truth[:, None], axis=2) / lengths[:, None]
    costs, (k, d) = gaps, truth.shape
    gates: Any = None
    true_gates: Any = None
    if len(right) > 1:
        gates, true_gates = gate_rows(pair[1], k, d), gate_rows(right[1], k, d)
        if gates is None or true_gates is None:
            return FAR, f"gates of shape {(k - 1, d)} or {(k, d)} were expected"
        costs = gaps + _gate_gaps(gates, true_gates)
    if not np.isfinite(costs).all():
        return FAR, "numbers too large to compare"
    order = linear_sum_assignment(costs)[1]
    off = gaps[range(len(truth)), order]
    parts = [(float(off.max()), _what_is_wrong(experts[order], truth, int(off.argmax())))]
    if len(right) > 1:
        parts.append(_gate_distance(gates[order], true_gates))
    parts += [relative(a, e) for a, e in zip(pair[2:], right[2:])]
    return max(parts, key=_error)


def gate_rows(gates: Any, k: int, d: int) -> np.ndarray | None:
    """Gates as k rows, whatever form they come in.

    Parameters
    ----------
    gates : array
        (k, d); (k-1, d), the last one zero; for two experts (d,).
    k, d : int
        Numbers of experts and of inputs.

    Returns
    -------
    (k, d) array or None
        None for what is in none of these forms, or not finite.
    """
    found = _numbers(gates)
    if found is None:
        return None
    one_row = k <= 2 and found.shape == ((k - 1) * d,)
    if not one_row and found.shape not in ((k, d), (k - 1, d)):
        return None
    rows = found.reshape(-1, d).astype(float)
    return np.vstack([rows, np.zeros((k - len(rows), d))])


def _gate_gaps(found, right):
    """Relative distances of all pairs of gates, each set seen from its mean: no base is needed."""
    found, right = found - found.mean(axis=0), right - right.mean(axis=0)
    gaps = np.linalg.norm(found[None] - right[:, None], axis=2)
    return gaps / max(np.linalg.norm(right, axis=1).max(), np.finfo(float).tiny)


def _gate_distance(found, right):
    """Of gates in the same order, each seen from its last."""
    found, right = found - found[-1], right - right[-1]
    scale = max(np.linalg.norm(right, axis=1).max(), np.finfo(float).tiny)
    error = float(np.linalg.norm(found - right, axis=1).max() / scale)
    return error, "the gates do not fit" if error > 0.5 else ""


def _what_is_wrong(found, truth, worst):
    """In words, if the worst expert has the wrong sign or length."""
    a, right = found[worst], truth[worst]
    length, expected = np.linalg.norm(a), np.linalg.norm(right)
    if not length:
        return f"expert {worst + 1} is zero"
    cosine = a @ right / (length * expected)
    if cosine < -0.95:
        return f"expert {worst + 1} points the opposite way"
    if cosine > 0.99 and abs(length / expected - 1) > 0.1:
        times = f"{length / expected:.2g} times the length"
        return f"expert {worst + 1} has the right direction and {times}"
    return ""


def _numbers(value):
    """An array of finite real numbers, or None: text is no number, nor is a complex one."""
    try:
        found = np.asarray(value)
    except ValueError:
        return None
    if found.dtype.kind == "c" and not found.imag.any():
        found = found.real
    return found if found.dtype.kind in "biuf" and np.isfinite(found).all() else None


def _matrix(value):
    found = _numbers(value)
    return found.astype(float) if found is not None and found.ndim == 2 else None


def _as_parts(answer):
    """A stack of matrices or of rows as the tuple that it stands for."""
    return tuple(answer) if isinstance(answer, np.ndarray) and answer.ndim > 1 else answer


def _as_tuple(answer):
    return tuple(answer) if isinstance(answer, tuple | list) else (answer,)


def _error(pair):
    return pair[0] if pair[0] == pair[0] else FAR
