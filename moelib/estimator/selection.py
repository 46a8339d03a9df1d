r"""How many experts? Fits for several k, compared by information criteria, and checked for nesting.

With intercepts in the gate a model of k experts lies inside the model of k + 1: give one expert a
twin and let each take half of its share, by lowering both gate intercepts by log 2. The larger
model must then fit no worse. If a climb from random starts ended below, it got stuck: it is started
again from the twins, which cannot end below. *Without* gate intercepts models are not nested (all
experts have the same share at x = 0, a half or a third as k says), and a larger one may well fit
worse.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.cluster import KMeans

from moelib.likelihood.em import m_step, weighted_responsibilities
from moelib.validation import ConvergenceWarning, as_choice, as_weights, warn

CRITERIA = ["bic", "icl", "aic"]
SLACK = 1e-6  # nats per sample; a larger model that is worse by more got stuck


def aic(log_likelihood, n_parameters):
    """Akaike's criterion, -2 L + 2 q; lower is better."""
    return -2 * log_likelihood + 2.0 * n_parameters


def bic(log_likelihood, n_parameters, n):
    """The Bayesian information criterion of n samples, -2 L + q log n; lower is better."""
    return -2 * log_likelihood + n_parameters * float(np.log(n))


def icl(bic, entropy):
    """The integrated completed likelihood: BIC plus twice the entropy of who answered."""
    return bic + 2 * entropy


@dataclass(frozen=True, eq=False)
class Selection:
    """What :func:`choose_n_experts` found.

    Attributes
    ----------
    best_k : int
        Number of experts with the lowest criterion.
    best : MixtureOfExperts
        The fit with that number of experts.
    fits : dict
        The fit of every k.
    table : pandas.DataFrame
        A row for each k: ``log_likelihood``, ``n_parameters``, ``aic``, ``bic``, ``icl``,
        ``converged``, ``restarted``.
    """

    best_k: int
    best: object
    fits: dict
    table: pd.DataFrame


def choose_n_experts(
    estimator, X, y, *, n_experts=(2, 3, 4, 5), criterion="bic", sample_weight=None
):
    """Fit a mixture for several numbers of experts and choose one.

    Parameters
    ----------
    estimator : MixtureOfExperts
        An unfitted estimator; its ``n_experts`` is ignored.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    n_experts : sequence of int
        Numbers to try, each at least 2.
    criterion : {"bic", "icl", "aic"}
        What to minimise. ICL is BIC plus twice the entropy of who answered: it prefers experts that
        can be told apart.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        When the criterion is unknown, ``n_experts`` is empty, or the fits are not at a maximum of
        the likelihood (``refine=False``, ``method="least-squares"``).

    Warns
    -----
    ConvergenceWarning
        When nested models are compared and a larger one ended below a smaller one: it is started
        again from the smaller one with an expert doubled.

    Notes
    -----
    The theory behind BIC asks for a regular model, and a mixture with an expert too many is none:
    read the criteria as guides. Taught in: :ref:`ch-whole-pipeline`.

    References
    ----------
    Akaike (1974); Schwarz (1978); Biernacki, Celeux & Govaert (2000).

    Examples
    --------
    >>> from moelib import MixtureOfExperts, standard_model
    >>> X, y = standard_model(d=5, n_experts=3).sample(2000, np.random.default_rng(0))
    >>> template = MixtureOfExperts(method="em", fit_intercept=True, n_init=3, random_state=0)
    >>> choose_n_experts(template, X, y, n_experts=(2, 3)).best_k
    3
    """
    as_choice(criterion, "criterion", CRITERIA)
    sizes = sorted(set(n_experts))
    if not sizes:
        raise ValueError("n_experts must name at least one number of experts to try")
    fits: dict = {}
    restarted = dict.fromkeys(sizes, False)
    for k in sizes:
        fit = clone(estimator).set_params(n_experts=k).fit(X, y, sample_weight)
        if fit.standard_errors_ is None:
            raise ValueError(
                "criteria compare maxima of the likelihood: use refine=True, or method='em'"
            )
        smaller = max(fits, default=None)
        if smaller is not None and _nested(fit):
            least = fits[smaller].log_likelihood_ - SLACK * fit.n_samples_
            if fit.log_likelihood_ < least:
                warn(
                    f"{k} experts fitted worse than {smaller}, which they contain: the climb got "
                    f"stuck (by {fits[smaller].log_likelihood_ - fit.log_likelihood_:.3g} nats). "
                    f"Started again from the {smaller} experts with one doubled; a larger n_init "
                    "would help",
                    ConvergenceWarning,
                )
                fit = _from_twins(fit, fits[smaller].model_, X, y, sample_weight)
                restarted[k] = True
        fits[k] = fit
    rows = [
        {
            "k": k,
            "log_likelihood": fit.log_likelihood_,
            "n_parameters": fit.n_parameters_,
            **{name: getattr(fit, name)(X, y, sample_weight) for name in sorted(CRITERIA)},
            "converged": fit.converged_,
            "restarted": restarted[k],
        }
        for k, fit in fits.items()
    ]
    table = pd.DataFrame(rows).set_index("k")
    best_k = int(table[criterion].idxmin())
    return Selection(best_k, fits[best_k], fits, table)


def with_twin(model, i):
    """The same law of the data with one expert more: expert ``i`` and its twin share its part.

    Needs gate intercepts in what follows. The twin stands first, so that the last expert stays the
    reference.

    Parameters
    ----------
    model : GatedModel
        The model to enlarge.
    i : int
        Number of the expert that gets a twin.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> model = GatedModel(np.eye(2), [[1.0, 0.0]], 0.1)
    >>> X, y = model.sample(5, np.random.default_rng(0))
    >>> np.allclose(with_twin(model, 1).log_density(X, y), model.log_density(X, y))
    True
    """
    k = model.n_experts
    experts = np.vstack([model.experts[i], model.experts])
    slopes = np.vstack([model.gates, np.zeros(model.n_features)])
    intercepts = np.append(model.gate_intercepts, 0.0)
    intercepts[i] -= np.log(2)
    slopes, intercepts = np.vstack([slopes[i], slopes]), np.append(intercepts[i], intercepts)
    return replace(
        model,
        experts=experts,
        expert_intercepts=np.append(model.expert_intercepts[i], model.expert_intercepts),
        gates=(slopes - slopes[-1])[:k],
        gate_intercepts=(intercepts - intercepts[-1])[:k],
    )


def _nested(fit):
    """Whether models of fewer experts lie inside those of more, at no cost.

    The gate needs intercepts, and no ridge: twins would pay it twice.
    """
    return fit.free_.gate_intercepts and not fit.free_.gate_ridge


def _from_twins(fit, smaller, X, y, sample_weight):
    """Climb from the smaller model with each expert doubled in turn, and keep the best.

    Exact twins come first: they stay twins and cannot end below the smaller model. Then the twins
    divide the samples of their expert, and may end above.
    """
    climbs = []  # pairs of a fit and its warnings
    for i in range(smaller.n_experts):
        twins = with_twin(smaller, i)
        while twins.n_experts < fit.n_experts:
            twins = with_twin(twins, 0)
        for start in (twins, _divided(twins, X, y, fit.free_, sample_weight)):
            climber = clone(fit).set_params(
                method="em", init=start, n_init=1, refine=True, anneal=False
            )
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                climbs.append((climber.fit(X, y, sample_weight), caught))
    best, caught = max(climbs, key=lambda climb: climb[0].log_likelihood_)
    for warning in caught:
        warn(warning.message, warning.category)
    return best


def _divided(twins, X, y, free, sample_weight):
    """Give the first expert half of what the twins answer, the other half to its twin.

    The halves are two clusters of inputs and residuals.
    """
    r = weighted_responsibilities(twins.posterior(X, y), as_weights(sample_weight, len(y)))
    residual = (y - twins.expert_means(X)[:, 0]) / twins.noise
    points = np.column_stack([X / np.maximum(X.std(axis=0), np.finfo(float).tiny), residual])
    halves = KMeans(2, n_init=1, random_state=0).fit_predict(points, sample_weight=r[:, 0] + 1e-12)
    same = np.all(np.isclose(twins.experts, twins.experts[0]), axis=1)
    place = np.flatnonzero(same)[:2]
    together = r[:, place].sum(axis=1)
    r[:, place[0]], r[:, place[1]] = together * (halves == 0), together * (halves == 1)
    return m_step(twins, free.expert_design(X), free.gate_design(X), y, r, free)
