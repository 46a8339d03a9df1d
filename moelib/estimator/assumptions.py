"""Do the data look as the two-loss method assumes? A refusal or a warning, never silence."""

import warnings

import numpy as np

from moelib.links import as_link
from moelib.quadrature import label_moment
from moelib.validation import AssumptionWarning, as_weights

STANDARD_ERRORS = 6  # how far a statistic may stray from its expected value before a warning


def check_two_loss_inputs(X, y, n_experts, link="identity", sample_weight=None):
    """Check what the two-loss method assumes of inputs and labels.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    n_experts : int
        Number of experts k.
    link : str, callable or Link
        The link :math:`g`.
    sample_weight : (n,) array, optional
        How often each sample counts.

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
    weights = as_weights(sample_weight, n)
    n_effective = n if weights is None else n / np.mean(weights**2)
    covariance = np.cov(X, rowvar=False, bias=True, aweights=weights).reshape(d, d)
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] <= 1e-10 * eigenvalues[-1]:
        raise ValueError(
            "columns of X repeat or combine each other (singular covariance): drop the redundant "
            "ones, or use method='em'"
        )
    problems = list(_input_problems(X, eigenvalues, weights, n_effective))
    if problems:
        warnings.warn(
            f"X does not look standard normal, as the two-loss method assumes: "
            f"{'; '.join(problems)}. Whiten X first, or use method='em'",
            AssumptionWarning,
            stacklevel=4,
        )
    least = label_moment(2, as_link(link))
    square = np.average(y**2, weights=weights)
    spread = np.sqrt(np.average((y**2 - square) ** 2, weights=weights))
    if square < least - STANDARD_ERRORS * spread / np.sqrt(n_effective):
        warnings.warn(
            f"the labels' mean square {square:.3g} is below {least:.3g}, the least that "
            "unit experts give: rescale y, or trust only the refined estimate",
            AssumptionWarning,
            stacklevel=4,
        )


def _input_problems(X, eigenvalues, weights, n):
    d = X.shape[1]
    centre = np.average(X, axis=0, weights=weights)
    mean = np.abs(centre).max()
    if mean > STANDARD_ERRORS / np.sqrt(n) * np.sqrt(max(eigenvalues[-1], 1.0)):
        yield f"a column has mean {mean:.2g} in size, not 0"
    slack = STANDARD_ERRORS * (np.sqrt(d / n) + d / n)
    if eigenvalues[0] < 1 - slack or eigenvalues[-1] > 1 + slack:
        yield f"its covariance has eigenvalues {eigenvalues[0]:.2g} to {eigenvalues[-1]:.2g}, not 1"
    variance = np.average((X - centre) ** 2, axis=0, weights=weights)
    kurtosis = np.average((X - centre) ** 4, axis=0, weights=weights) / variance**2
    worst = kurtosis[np.argmax(np.abs(kurtosis - 3))]
    if abs(worst - 3) > STANDARD_ERRORS * np.sqrt(24 / n):
        yield f"a column has kurtosis {worst:.2g}, not 3"
