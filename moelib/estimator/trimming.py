r"""Trimming: leave out the samples that a fit explains worst, fit again, until they stay the same.

The *trimmed* log-likelihood of a model is the sum over the share :math:`1 - \alpha` of the samples
with the highest density. A round takes the samples in the order of their density under the model
at hand, keeps the first share of them, and climbs from there to a maximum of their likelihood. The
climb does not lower their sum, and no other choice of as many samples has a larger sum than the
first ones: the trimmed log-likelihood never falls, and since there are finitely many choices the
rounds end.
"""

from dataclasses import dataclass, replace

import numpy as np

from moelib.climb import Climb
from moelib.estimator.methods import to_rest
from moelib.likelihood.maximum import maximum_from_sample
from moelib.units import in_units
from moelib.validation import Sample

MAX_ROUNDS = 50
LEAST_GAIN = 1e-9  # nats per sample


@dataclass(frozen=True, eq=False)
class Trimmed:
    """What is left of the data.

    Attributes
    ----------
    kept : (n,) bool array
        Which samples were kept.
    sample : Sample
        Those samples.
    """

    kept: np.ndarray
    sample: Sample


def densest(model, sample, trim):
    """The samples with the highest density, all but a share of the total weight.

    Parameters
    ----------
    model : GatedModel
        The model at hand.
    sample : Sample
        All data.
    trim : float
        Share to leave out, between 0 and 1; of whole samples, where they all weigh the same.

    Returns
    -------
    Trimmed

    Examples
    --------
    >>> from moelib import GatedModel
    >>> from moelib.validation import as_sample
    >>> data = as_sample([[0.0]] * 4, [0.1, -9.0, 0.2, 0.3])
    >>> densest(GatedModel([[0.0]], [], 1.0), data, 0.25).kept
    array([ True, False,  True,  True])
    """
    order = np.argsort(model._log_density(sample.X, sample.y), kind="stable")
    if sample.weights is None:
        kept = np.ones(len(sample), dtype=bool)
        kept[order[: int(trim * len(sample))]] = False
        return Trimmed(kept, Sample(sample.X[kept], sample.y[kept], None, float(kept.sum())))
    left = np.zeros(len(sample))  # of each weight; that of the sample at the cut is shared
    sums = np.cumsum(sample.weights[order]) - trim * len(sample)
    left[order] = np.clip(sums, 0.0, sample.weights[order])
    kept = left > 1e-9 * sample.weights
    own, total = left[kept] / left[kept].mean(), sample.total * (1 - trim)
    return Trimmed(kept, Sample(sample.X[kept], sample.y[kept], own, total))


def trimmed(found, settings, sample, free):
    """Rounds of trimming after a fit of all samples.

    Parameters
    ----------
    found : Found
        What the stages of the fit found.
    settings : namespace
        Parameters of ``MixtureOfExperts``.
    sample : Sample
        All data.
    free : FreeParameters
        What is learned.

    Returns
    -------
    found : Found
        With a stage "trim", whose history is the log-likelihood per sample that was kept.
    part : Trimmed
        The samples of the last round.

    References
    ----------
    Neykov, Filzmoser, Dimova & Neytchev (2007) on trimmed likelihoods of mixtures.
    """
    climb, part = found.climb, densest(found.climb.model, sample, settings.trim)
    history, path, converged = [_mean(climb.model, part)], [climb.model], False
    for _ in range(MAX_ROUNDS):
        climb = in_units(
            maximum_from_sample, part.sample, path[-1], free, **_limits(settings, free)
        )
        part = densest(climb.model, sample, settings.trim)
        history.append(_mean(climb.model, part))
        path.append(climb.model)
        converged = history[-1] - history[-2] < LEAST_GAIN
        if converged:
            break
    end = Climb(path[-1], history, bool(converged and climb.converged), path)
    return replace(found, climb=end, stages=found.stages | {"trim": end}, at_maximum=True), part


def _limits(settings, free):
    options = to_rest(settings, free)
    return {name: value for name, value in options.items() if name != "free"}


def _mean(model, part):
    return float(part.sample.mean(model._log_density(part.sample.X, part.sample.y)))
