"""Do the data look as the two-loss method assumes? A refusal or a warning, never silence."""

import numpy as np

from moelib.estimator.remarks import say
from moelib.links import as_link
from moelib.quadrature import label_moment

STANDARD_ERRORS = 6  # how far a statistic may stray from its expected value before a warning


def check_two_loss_inputs(sample, n_experts, *, link="identity"):
    """Check what the two-loss method assumes of inputs and labels.

    Parameters
    ----------
    sample : Sample
        The data, see :func:`moelib.validation.as_sample`.
    n_experts : int
        Number of experts k.
    link : str, callable or Link
        The link :math:`g`.

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
    >>> from moelib.validation import as_sample
    >>> check_two_loss_inputs(as_sample(np.ones((5, 1)), np.arange(5.0)), n_experts=2)
    Traceback (most recent call last):
    ...
    ValueError: n_experts=2 experts in n_features=1 (1 feature(s)) cannot be ...
    """
    X, y, weights = sample.X, sample.y, sample.weights
    n, d = X.shape
    if n_experts > d:
        raise ValueError(
            f"n_experts={n_experts} experts in n_features={d} ({d} feature(s)) cannot be linearly "
            "independent, which the two-loss method needs (k <= d): use method='em'"
        )
    n_effective = n if weights is None else n / np.mean(weights**2)
    covariance = np.cov(X, rowvar=False, bias=True, aweights=weights).reshape(d, d)
    eigenvalues = np.linalg.eigvalsh(covariance)
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread) if np.all(spread > 0) else np.zeros((d, d))
    if np.linalg.eigvalsh(correlation)[0] <= 1e-10:
        raise ValueError(
            "columns of X repeat or combine each other (singular covariance): drop the redundant "
            "ones, or use method='em'"
        )
    problems = list(_input_problems(sample, eigenvalues, n_effective))
    if problems:
        say(
            f"X does not look standard normal, as the two-loss method assumes: "
            f"{'; '.join(problems)}. Whiten X first, or use method='em'"
        )
    least = label_moment(2, as_link(link))
    square = sample.mean(y**2)
    spread = np.sqrt(sample.mean((y**2 - square) ** 2))
    if square < least - STANDARD_ERRORS * spread / np.sqrt(n_effective):
        say(
            f"the labels' mean square {square:.3g} is below {least:.3g}, the least that "
            "unit experts give: rescale y, or trust only the refined estimate"
        )


def _input_problems(sample, eigenvalues, n):
    X, d = sample.X, sample.X.shape[1]
    centre = sample.mean(X)
    mean = np.abs(centre).max()
    if mean > STANDARD_ERRORS / np.sqrt(n) * np.sqrt(max(eigenvalues[-1], 1.0)):
        yield f"a column has mean {mean:.2g} in size, not 0"
    slack = STANDARD_ERRORS * (np.sqrt(d / n) + d / n)
    if eigenvalues[0] < 1 - slack or eigenvalues[-1] > 1 + slack:
        yield f"its covariance has eigenvalues {eigenvalues[0]:.2g} to {eigenvalues[-1]:.2g}, not 1"
    squares = (X - centre) ** 2
    kurtosis = sample.mean(squares * squares) / sample.mean(squares) ** 2
    worst = kurtosis[np.argmax(np.abs(kurtosis - 3))]
    if abs(worst - 3) > STANDARD_ERRORS * np.sqrt(24 / n):
        yield f"a column has kurtosis {worst:.2g}, not 3"
