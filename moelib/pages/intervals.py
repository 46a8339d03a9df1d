"""How sure a page is of a share, a mean, an exponent or anything else that it measured.

SciPy says the rest: ``scipy.stats.binomtest(wins, trials).pvalue`` is the sign test.
"""

import numpy as np

from moelib.validation import as_probability

METHODS = ("wilson", "exact")


def share_interval(hits, trials, *, level=0.95, method="wilson"):
    """Interval for a share, from how often something happened.

    Parameters
    ----------
    hits : array
        How often it happened, from 0 to `trials`. Wilson's interval takes fractions of a hit too: a
        data set where 3 of 5 starts succeed counts 0.6.
    trials : array
        How often it could have happened.
    level : float
        Coverage asked for.
    method : {"wilson", "exact"}
        Wilson's score interval, or that of Clopper and Pearson, which covers at least `level`.

    Returns
    -------
    low, high : array
        Ends between 0 and 1.

    Raises
    ------
    ValueError
        When a number of hits is no number of hits, or the method is unknown.

    Examples
    --------
    >>> np.round(share_interval(9, 10), 2)
    array([0.6 , 0.98])
    """
    from scipy.stats import beta, norm

    hits, trials = np.asarray(hits, dtype=float), np.asarray(trials, dtype=float)
    if np.any(trials <= 0) or not np.all((0 <= hits) & (hits <= trials)):
        raise ValueError(f"hits must lie between 0 and trials={trials}, trials > 0, got {hits}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    tail = (1 - as_probability(level, "level")) / 2
    if method == "exact":
        low = beta.ppf(tail, np.where(hits > 0, hits, 1), trials - hits + 1)
        high = beta.isf(tail, hits + 1, np.where(hits < trials, trials - hits, 1))
        return np.where(hits > 0, low, 0.0), np.where(hits < trials, high, 1.0)
    z, share = norm.isf(tail), hits / trials
    middle = share + z**2 / (2 * trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return np.maximum((middle - half) / scale, 0), np.minimum((middle + half) / scale, 1)


def exponent(x, values):
    r"""Exponent b of the power law :math:`c\,x^b` closest to some values.

    Parameters
    ----------
    x : (m,) array
        Positive, at least two different.
    values : (..., m) array
        Positive.

    Returns
    -------
    b : (...) array
        Slope of least squares between the logarithms, one for each row of values.

    Raises
    ------
    ValueError
        When an entry is not positive.

    Examples
    --------
    >>> float(exponent([1, 10, 100], [[5.0, 0.5, 0.05]])[0])
    -1.0
    """
    x, values = np.asarray(x, dtype=float), np.asarray(values, dtype=float)
    for name, entries in (("x", x), ("values", values)):
        if not np.all(entries > 0):
            raise ValueError(f"{name} must be positive to have a logarithm, got {entries.min()}")
    away = np.log(x) - np.log(x).mean()
    return np.log(values) @ away / (away @ away)


def mean_interval(values, *, level=0.95):
    """Mean of independent values, and half the width of Student's interval for it.

    Parameters
    ----------
    values : (n,) array
        At least two: one for each data set, say.
    level : float
        Coverage asked for, when the values are close to normal.

    Returns
    -------
    mean, half : float
        The interval is mean - half to mean + half.

    Raises
    ------
    ValueError
        When there are fewer than two values.

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0])
    (2.0, 2.48)
    """
    from scipy.stats import t as student

    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must be a list of at least two, got shape {values.shape}")
    times = student.isf((1 - as_probability(level, "level")) / 2, len(values) - 1)
    return float(values.mean()), float(times * values.std(ddof=1) / np.sqrt(len(values)))


def bootstrap(statistic, *samples, rng, draws=2000, level=0.95):
    """Percentile interval of a statistic, from resampled data.

    Parameters
    ----------
    statistic : function
        Of as many arrays as there are samples; returns a number or an array.
    *samples : (n, ...) array
        Rows are data sets, drawn with replacement: the same rows of every sample.
    rng : numpy.random.Generator
        For the draws.
    draws : int
        How often to resample.
    level : float
        Coverage asked for.

    Returns
    -------
    value, low, high : float or array
        The statistic of the samples, and the ends of its interval.

    Raises
    ------
    ValueError
        When the samples differ in length.

    Examples
    --------
    >>> values = np.arange(100.0)
    >>> value, low, high = bootstrap(np.median, values, rng=np.random.default_rng(0))
    >>> bool(low < value < high)
    True
    """
    samples = tuple(map(np.asarray, samples))
    if len({len(sample) for sample in samples}) != 1:
        raise ValueError(f"samples must be equally long, got {[len(s) for s in samples]} rows")
    n, tail = len(samples[0]), (1 - as_probability(level, "level")) / 2
    picks = rng.integers(n, size=(draws, n))
    again = [statistic(*(sample[rows] for sample in samples)) for rows in picks]
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    return statistic(*samples), low, high
