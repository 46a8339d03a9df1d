"""How fast a method comes to its goal: the errors on its way, and the factor that one step takes
off them in the end."""

import numpy as np


def errors_along(step, start, goal, *args, floor=1e-12, max_iter=1000):
    """Distances to the goal of what a step makes of a start, again and again.

    Parameters
    ----------
    step : callable
        Maps an array to the next one.
    start : array
        Where to begin.
    goal : array
        Where the steps lead; of the same shape.
    *args : object
        Further arguments of the step.
    floor : float
        Distance at which to stop.
    max_iter : int
        Most distances.

    Returns
    -------
    errors : (t,) array
        At the start and after every step.

    Examples
    --------
    >>> errors_along(lambda W: W / 2, start=np.array([4.0]), goal=np.zeros(1), floor=1)
    array([4., 2., 1.])

    Taught in: :ref:`ch-learning-gates`.
    """
    start, goal = np.asarray(start, dtype=float), np.asarray(goal, dtype=float)
    W, errors = start, [np.linalg.norm(start - goal)]
    while len(errors) < max_iter and errors[-1] > floor:
        W = step(W, *args)
        errors.append(np.linalg.norm(W - goal))
    return np.array(errors)


def measured_rate(errors, *, low=1e-12, high=1e-8):
    """Factor that one step takes off the error, from a line through the errors' logarithms.

    Parameters
    ----------
    errors : (t,) array
        Errors, from every step of a method that converges linearly.
    low, high : float
        Only errors between the two count: late enough for the slowest part to have won, and
        above rounding.

    Returns
    -------
    rate : float
        Between 0 and 1 for a method that converges.

    Raises
    ------
    ValueError
        When fewer than two errors lie between the two.

    Examples
    --------
    >>> round(measured_rate(0.3 ** np.arange(25)), 6)
    0.3

    Taught in: :ref:`ch-learning-gates`.
    """
    errors = np.asarray(errors, dtype=float)
    tail = np.flatnonzero((errors > low) & (errors < high))
    if len(tail) < 2:
        raise ValueError(
            f"errors must have two or more between {low:g} and {high:g}, got {len(tail)}: take "
            "more steps, or widen low and high"
        )
    return float(np.exp(np.polyfit(tail, np.log(errors[tail]), 1)[0]))
