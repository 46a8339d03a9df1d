r"""Does a fit ask for more parameters? Rao's score test of a wider model, at the fit itself.

With s the score of a sample in all parameters of the wider model, at the maximum of the narrower
one, and J the mean of :math:`s s^\top`, the statistic

.. math:: n\, \hat E[s]^\top J^{-1} \hat E[s]

is chi-squared, with as many degrees of freedom as there are parameters more, if the narrower model
is right. The wider one is never fitted.
"""

from dataclasses import replace

import numpy as np
from scipy.stats import chi2

from moelib.climb import solve_scaled
from moelib.gates.degeneracy import counted
from moelib.likelihood.score import score_moments_from_sample

FEW = 20  # samples; of the spread of so few residuals nothing is said
LEVEL = 1e-4  # of the test: a warning has to be worth reading
LEAST_SHARE = 0.02  # of its largest value, n, that the statistic has to reach


def score_test(model, sample, free, wider):
    """Rao's score test, on data that have been checked.

    Parameters
    ----------
    model : GatedModel
        At a maximum of the likelihood in what ``free`` has.
    sample : Sample
        The data.
    free : FreeParameters
        What was learned.
    wider : FreeParameters
        What else could be.

    Returns
    -------
    statistic : float
        From 0 to the number of samples.
    p_value : float
        How often a right model would exceed it, for many samples.

    References
    ----------
    Rao (1948).
    """
    score, J = score_moments_from_sample(model, sample, wider)
    statistic = counted(sample) * float(score @ solve_scaled(J, score))
    shape = model.experts.shape
    return statistic, float(chi2.sf(statistic, wider.count(*shape) - free.count(*shape)))


def asks_for_intercepts(model, sample, free):
    """A sentence if the labels ask for intercepts that were not learned."""
    if free.intercepts:
        return
    wider = replace(free, intercepts=True)
    if _clear(score_test(model, sample, free, wider), sample):
        yield (
            "experts and gate have no intercept, and the data ask for them: labels or columns are "
            "far from zero. Use fit_intercept=True, or centre labels and columns"
        )


def asks_for_noises(model, sample, free):
    """A sentence if experts have different noises and one was learned for all."""
    few = counted(sample) * sample.mean(model._posterior(sample.X, sample.y)).min() < FEW
    if free.noise is not True or model.n_experts == 1 or few:
        return
    wider = replace(free, noise="per-expert")
    each = replace(model, noise=np.array(model.noises))
    if _clear(score_test(each, sample, free, wider), sample):
        r = each._posterior(sample.X, sample.y)
        squares = (sample.y[:, None] - each._expert_means(sample.X)) ** 2
        spreads = np.sqrt(sample.mean(r * squares) / np.maximum(sample.mean(r), 1e-300))
        ratios = ", ".join(f"{ratio:.2g}" for ratio in spreads / model.noise)
        yield (
            "one noise for all experts does not fit: their residuals spread "
            f"{ratios} times as much as it says. Use noise='per-expert'"
        )


def _clear(test, sample):
    statistic, p_value = test
    return p_value < LEVEL and statistic > LEAST_SHARE * counted(sample)
