"""Do the data look as the two-loss method assumes? A refusal or a warning, never silence."""

import warnings

import numpy as np

from moelib.labels import label_moment
from moelib.links import as_link
from moelib.validation import AssumptionWarning

STANDARD_ERRORS = 6  # how far a statistic may stray from its expected value before a warning


def check_two_loss_inputs(X, y, n_experts, link="identity"):
    """Check what the two-loss method assumes of inputs and labels.

    Parameters
    ----------
    X : (n, d) array,  y : (n,) array
    n_experts : int
    link : str, callable or Link

    Raises
    ------
    ValueError
        When ``n_experts > d``, or columns of X repeat or combine each other.

    Warns
    -----
    AssumptionWarning
        When X does not look standard normal, or the labels contradict unit experts.

    Examples
    --------
    >>> check_two_loss_inputs(np.ones((5, 1)), np.arange(5.0), n_experts=2)
    Traceback (most recent call last):
    ...
    ValueError: n_experts=2 experts in n_features=1 (1 feature(s)) cannot be ...
    """
    n, d = X.shape
    if n_experts > d:
        raise ValueError(
            f"n_experts={n_experts} experts in n_features={d} ({d} feature(s)) cannot be linearly "
            "independent, which the two-loss method needs (k <= d): use method='em', with "
            "fit_intercept=True for real data"
        )
    covariance = np.cov(X, rowvar=False, bias=True).reshape(d, d)
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] <= 1e-10 * eigenvalues[-1]:
        raise ValueError(
            "columns of X repeat or combine each other (singular covariance): drop the redundant "
            "ones, or use method='em'"
        )
    problems = list(_input_problems(X, eigenvalues))
    if problems:
        warnings.warn(
            f"X does not look standard normal, as the two-loss method assumes: "
            f"{'; '.join(problems)}. Whiten X first, or use method='em'",
            AssumptionWarning,
            stacklevel=4,
        )
    least = label_moment(2, as_link(link))
    square = y**2
    if square.mean() < least - STANDARD_ERRORS * square.std() / np.sqrt(n):
        warnings.warn(
            f"the labels' mean square {square.mean():.3g} is below {least:.3g}, the least that "
            "unit experts give: rescale y, or trust only the refined estimate",
            AssumptionWarning,
            stacklevel=4,
        )


def _input_problems(X, eigenvalues):
    n, d = X.shape
    mean = np.abs(X.mean(axis=0)).max()
    if mean > STANDARD_ERRORS / np.sqrt(n) * np.sqrt(max(eigenvalues[-1], 1.0)):
        yield f"a column has mean {mean:.2g} in size, not 0"
    slack = STANDARD_ERRORS * (np.sqrt(d / n) + d / n)
    if eigenvalues[0] < 1 - slack or eigenvalues[-1] > 1 + slack:
        yield f"its covariance has eigenvalues {eigenvalues[0]:.2g} to {eigenvalues[-1]:.2g}, not 1"
    standardised = (X - X.mean(axis=0)) / X.std(axis=0)
    kurtosis = np.mean(standardised**4, axis=0)
    worst = kurtosis[np.argmax(np.abs(kurtosis - 3))]
    if abs(worst - 3) > STANDARD_ERRORS * np.sqrt(24 / n):
        yield f"a column has kurtosis {worst:.2g}, not 3"
