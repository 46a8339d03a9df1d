"""Exact tests of paired differences, and what becomes of many tests at once."""

import numpy as np

MOST_SIGNS = 24  # differences, whose signs are enumerated


def sign_flip_test(differences):
    r"""Exact p-value of paired differences, two-sided.

    If the two methods were alike on every data set, each difference were as likely as its
    negative. The p-value is the share of the :math:`2^D` choices of signs whose sum is as far from
    zero as the sum that was seen, or further.

    Parameters
    ----------
    differences : (D,) array
        One for each data set.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        When too many differ from zero to enumerate their signs.

    Examples
    --------
    >>> sign_flip_test([1, 1, 1, 1, 1, 0, 0])  # 2 of the 32 choices
    0.0625
    """
    differences = np.asarray(differences, dtype=float)
    sizes = np.abs(differences[differences != 0])
    if len(sizes) > MOST_SIGNS:
        raise ValueError(f"at most {MOST_SIGNS} differences other than zero, got {len(sizes)}")
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return float(np.mean(np.abs(sums) >= np.abs(differences.sum()) - 1e-9))


def holm(p_values):
    """Holm's correction of several p-values: below 0.05, all errors together have that chance.

    Parameters
    ----------
    p_values : (m,) array
        One for each test.

    Returns
    -------
    (m,) array

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty_like(steps)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted
