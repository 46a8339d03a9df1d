r"""Do the labels follow a fit? Moments that it foretells, measured, within their errors.

With h the centred functions of :mod:`moelib.estimator.moment_functions` and s the score,

.. math:: \tilde m = \hat E\,[h - C J^{-1} s], \qquad C = E[h s^\top],\ J = E[s s^\top],

does not depend, to first order, on the estimate that it is taken at (Neyman's orthogonality). If
the labels follow the fit, :math:`n\, \tilde m^\top \Sigma^{+} \tilde m` with
:math:`\Sigma = E[h h^\top] - C J^{-1} C^\top` is about chi-squared. The three matrices are those of
labels drawn anew from the fit at the inputs as they are.

With few samples for each parameter, statistics are too large, in the mean by a factor that is one
plus a term in one over n. It is measured where the fit is the truth, on labels drawn from it and
fitted again, and divided out (Bartlett).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import chi2

from moelib.estimator.conditional_tests import (
    SINGULAR,
    drawn_moments,
    judged,
    moments,
    orthogonal,
)
from moelib.estimator.moment_functions import moment_functions
from moelib.gates.degeneracy import collapsed_experts, counted
from moelib.likelihood.maximum import maximum_from_sample
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import Units
from moelib.validation import (
    AssumptionWarning,
    Sample,
    as_count,
    as_generator,
    as_probability,
    as_sample,
    warn,
)

PER_FUNCTION, LEAST = 200, 20_000  # draws for each function and parameter, and in all, at least
FAR = 1e-6  # level at which a fit counts as away from the maximum
CALM, REFITS = 100, 10  # samples a parameter up to which statistics are scaled; fits for that
FEW = 2  # samples for each parameter; with fewer the level has not been measured
WORDS = {
    "squares along": "the squares of the labels go with expert {i} otherwise than it says",
    "squares off all": "the squares of the labels go with inputs that no expert uses",
    "fourth powers along": "the fourth powers of the labels go with expert {i} otherwise than it "
    "says",
    "along the expert": "gate {i} bends along its expert",
    "along the gate": "gate {i} bends along itself",
    "length": "gate {i} opens and closes with the length of the inputs",
    "spread": "the squares of expert {i} spread {more} than its noise allows",
    "fan": "the residuals of expert {i} fan {out} with the length of the inputs",
    "tails": "the residuals of expert {i} have {more} of their weight in the tails than normal "
    "ones",
}
TWO = ("spread", "fan", "tails")  # what shows, if positive, where one expert answers for two


@dataclass(frozen=True, eq=False)
class Certificate:
    """Whether labels follow a fit, as :meth:`moelib.MixtureOfExperts.certify` finds.

    Attributes
    ----------
    table : DataFrame
        A row for each part: ``statistic``, ``df``, ``p_value`` and ``adjusted``, the p-value after
        Holm.
    functions : DataFrame
        A row for each function: ``part``, ``expert`` (numbered from 1, 0 for none), ``function``
        and ``z``, standard normal if the labels follow the fit.
    n_samples : float
        Number of samples.
    n_draws : int
        Labels drawn for each sample.
    level : float
        Below which p-value the labels do not follow.
    factor : float
        What the statistics have been divided by, one if there are many samples.
    """

    table: pd.DataFrame
    functions: pd.DataFrame
    n_samples: float
    n_draws: int
    level: float
    factor: float = 1.0

    @property
    def p_value(self):
        """The least of the parts' p-values, after Holm."""
        return float(self.table["adjusted"].min())

    @property
    def agrees(self):
        """Whether nothing speaks against the fit at the level."""
        return self.p_value >= self.level

    def __str__(self):
        if self.agrees:
            return (
                f"Nothing speaks against this fit (p = {self.p_value:.2g}, {self.n_samples:g} "
                "samples). It may still have an expert to spare: a copy changes no law; see "
                "choose_n_experts"
            )
        own = self.functions[self.functions["part"] == self.table["p_value"].idxmin()]
        worst = own.loc[own["z"].abs().idxmax()]
        words, positive = WORDS[worst["function"]], worst["z"] > 0
        more, out = ("more", "out") if positive else ("less", "in")
        said = words.format(i=worst["expert"], more=more, out=out)
        two = "it may answer for two regimes; " if positive and worst["function"] in TWO else ""
        return (
            f"The labels do not follow this fit (p = {self.p_value:.2g}): {said}: {two}start "
            f"again or use another n_experts, see choose_n_experts"
        )


@one_blas_thread
def certificate_of(
    model,
    X,
    y,
    rng,
    *,
    free=FreeParameters(),
    sample_weight=None,
    n_draws=None,
    level=0.05,
):
    """Whether labels follow a model, given its inputs.

    Nothing is assumed of the inputs. Any estimate will do whose error falls as one over the root of
    n. What has the right law cannot be told from the truth: a fit with a copy of an expert. With
    fewer than 100 samples for each parameter ten fits to drawn labels set the scale.

    Parameters
    ----------
    model : GatedModel
        The fit, or any model.
    X : (n, d) array
        Inputs that the fit was made with.
    y : (n,) array
        Their labels.
    rng : numpy.random.Generator
        For the labels that are drawn from the fit.
    free : FreeParameters
        What was learned from these data.
    sample_weight : (n,) array, optional
        How often each sample counts.
    n_draws : int, optional
        Labels to draw for each sample; if not given, so many that there are 200 in all for each
        function and parameter, and at least 20,000.
    level : float
        Below which p-value the labels do not follow.

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        When there are no more samples than functions and parameters, or a noise has collapsed.

    Warns
    -----
    AssumptionWarning
        When the fit is further from a maximum of the likelihood than its errors allow, there are
        fewer than two samples for each parameter, or weights are no counts.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2, noise=0.3)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> found = certificate_of(model, X, y, np.random.default_rng(1))
    >>> found.agrees, found.table["df"].tolist()
    (True, [3, 2, 4, 5])

    References
    ----------
    Newey (1985) and Tauchen (1985) on moments that a likelihood foretells; White (1982); Neyman
    (1959); Bartlett (1937).
    Taught in: :ref:`ch-certificate`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    level = as_probability(level, "level")
    if n_draws is not None:
        n_draws = as_count(n_draws, "n_draws")
    found, remarks = certificate_from_sample(
        model, sample, free, as_generator(rng), n_draws=n_draws, level=level
    )
    for sentence in remarks:
        warn(sentence, AssumptionWarning)
    return found


def certificate_from_sample(model, sample, free, rng, *, n_draws=None, level=0.05):
    """What :func:`certificate_of` does, on data that have been checked; warns of nothing.

    Returns
    -------
    found : Certificate
        Whether the labels follow.
    remarks : list of str
        What to warn of.

    Raises
    ------
    ValueError
        As there.
    """
    units = Units.of(sample, free, model.link)
    model, data = units.inward(model), units.sample(sample)
    ridged = units.inward_free(free)
    free = replace(ridged, gate_ridge=0.0)
    functions, shifted, covariance, distance, n_draws = _tested(model, data, free, rng, n_draws)
    q, n = free.count(*model.experts.shape), counted(data)
    few = n < CALM * q
    factor = _factor(model, data, ridged, rng, n_draws) if few else 1.0
    shifted = shifted / np.sqrt(factor)
    table = judged(shifted, covariance, functions.names["part"], n)
    share = np.diag(covariance)
    error = np.sqrt(np.maximum(share, 0.0) / n)
    z = np.divide(shifted, error, out=np.zeros_like(shifted), where=share > SINGULAR)
    named = functions.names.assign(z=z)
    found = Certificate(table, named, sample.total, n_draws, level, factor)
    return found, list(_remarks(n * distance, q, sample))


def _tested(model, sample, free, rng, n_draws=None):
    """Functions, their means and covariance without the estimate's error, and the draws made."""
    functions = moment_functions(model, sample)
    size = len(functions) + free.count(*model.experts.shape)
    _check(model, sample, free, size)
    if n_draws is None:
        n_draws = int(np.ceil(max(PER_FUNCTION * size, LEAST) / len(sample)))
    rows = np.arange(len(sample))
    means = moments(model, functions, sample, free, rows, sample.y)[0]
    gram = drawn_moments(model, functions, sample, free, rng, n_draws)
    return functions, *orthogonal(means, gram, len(functions)), n_draws


def _factor(model, sample, ridged, rng, n_draws):
    """Mean of the statistics over their degrees of freedom, on labels drawn from the fit."""
    rows, free = np.arange(len(sample)), replace(ridged, gate_ridge=0.0)
    if sample.weights is not None:
        counts = sample.weights * sample.total / len(sample)
        rows = np.repeat(rows, np.round(counts).astype(int))
    statistic = df = 0.0
    for _ in range(REFITS):
        y = model.sample_labels(sample.X[rows], rng)[0]
        drawn = Sample(sample.X[rows], y, None, float(len(y)))
        fit = maximum_from_sample(drawn, model, free=ridged, max_iter=1000, tol=1e-6).model
        try:
            found = _tested(fit, drawn, free, rng, int(np.ceil(n_draws / 4)))
        except ValueError:
            continue
        table = judged(found[1], found[2], found[0].names["part"], len(y))
        statistic, df = statistic + table["statistic"].sum(), df + table["df"].sum()
    return max(1.0, float(statistic / df)) if df else 1.0


def _check(model, sample, free, size):
    if counted(sample) <= size:
        raise ValueError(
            f"{counted(sample):.3g} samples are too few for a certificate: this fit has {size} "
            "functions and parameters. Use fewer experts or columns, or more samples"
        )
    collapsed = collapsed_experts(model, sample, free)
    if len(collapsed):
        raise ValueError(
            f"the noise of expert {collapsed[0] + 1} has collapsed: such a fit foretells no "
            "moments. Start again, or model labels that are answered exactly apart"
        )


def _remarks(distance, q, sample):
    if counted(sample) < FEW * q:
        yield (
            f"{counted(sample):.3g} samples for {q} parameters, fewer than {FEW} for each: how "
            "often right fits are then rejected has not been measured: heed small p-values only"
        )
    if distance > chi2.isf(FAR, q):
        yield (
            f"the fit is far from a maximum of the likelihood (score statistic {distance:.3g} for "
            f"{q} parameters): a certificate is for fits that are near one. Use refine=True, raise "
            "max_iter, or lower gate_ridge"
        )
    if sample.weights is not None and not np.allclose(sample.total, np.round(sample.total)):
        yield (
            "weights do not sum to a whole number: they have to say how often each sample was "
            "seen, or p-values are not to be trusted"
        )
