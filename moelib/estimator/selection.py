r"""How many experts? Fits for several k, compared by information criteria, and checked for nesting.

With intercepts in the gate a model of k experts lies inside the model of k + 1: give one expert a
twin and let each take half of its share, by lowering both gate intercepts by log 2. The larger
model must then fit no worse. If a climb from random starts ended below, it got stuck: it is started
again from the twins, which cannot end below. *Without* gate intercepts models are not nested (all
experts have the same share at x = 0, a half or a third as k says), and a larger one may well fit
worse.
"""

import numbers
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from moelib.estimator.criteria import aic, bic, icl
from moelib.estimator.methods import METHODS
from moelib.estimator.mixture import MixtureOfExperts
from moelib.estimator.twins import from_twins, is_nested
from moelib.threads import one_blas_thread
from moelib.validation import (
    AssumptionWarning,
    ConvergenceWarning,
    as_choice,
    as_count,
    as_labels,
    warn,
)

CRITERIA = ["bic", "icl", "aic"]
SLACK = 1e-6  # nats per sample; a larger model that is worse by more got stuck


@dataclass(frozen=True, eq=False)
class Selection:
    """What :func:`choose_n_experts` found; prints as its table.

    Attributes
    ----------
    best_k : int
        Number of experts with the lowest criterion, of the fits that are sound.
    best : MixtureOfExperts or Pipeline
        The fit with that number of experts.
    fits : dict
        The ``MixtureOfExperts`` of every k. One that was restarted has the twins that it began from
        as its ``init``.
    table : pandas.DataFrame
        A row for each k: ``log_likelihood``, ``n_parameters``, ``aic``, ``bic``, ``icl``,
        ``converged``, ``restarted``, ``degenerate``: its noise has collapsed, its likelihood has no
        maximum, and its criteria mean nothing.
    criterion : str
        What was minimised.
    """

    best_k: int
    best: object
    fits: dict
    table: pd.DataFrame
    criterion: str = "bic"

    def __repr__(self):
        return f"{self.table.round(1).to_string()}\n\nbest by {self.criterion}: {self.best_k}"

    def _repr_html_(self):
        return f"{self.table.round(1).to_html()}<p>best by {self.criterion}: {self.best_k}</p>"


@one_blas_thread
def choose_n_experts(
    estimator,
    X,
    y,
    *,
    n_experts=(1, 2, 3, 4),
    criterion="bic",
    sample_weight=None,
    n_jobs=None,
    verbose=False,
):
    """Fit a mixture for several numbers of experts and choose one.

    Parameters
    ----------
    estimator : MixtureOfExperts or Pipeline
        An unfitted estimator, or a pipeline that ends in one; its ``n_experts`` is ignored.
    X : (n, d) array or DataFrame
        Inputs.
    y : (n,) array
        Labels.
    n_experts : sequence of int, or int
        Numbers to try, or the largest: all from one to it. One expert is a plain regression: is
        there a mixture at all?
    criterion : {"bic", "icl", "aic"}
        What to minimise. ICL is BIC plus twice the entropy of who answered: it prefers experts that
        can be told apart.
    sample_weight : (n,) array, optional
        How often each sample counts.
    n_jobs : int, optional
        How many numbers to fit at the same time, by joblib's rules; one if not given.
    verbose : bool
        Whether to show progress.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        When the criterion is unknown, ``n_experts`` names no number from one up, no fit succeeds,
        or the fits are not at a maximum of the likelihood (``refine=False``).

    Warns
    -----
    ConvergenceWarning
        When nested models are compared and a larger one ended below a smaller one: it is started
        again from the smaller one with an expert doubled.
    AssumptionWarning
        When a number was left out because it could not be fitted, or no fit is sound. Warnings of a
        fit begin with its number of experts.

    Notes
    -----
    The theory behind BIC asks for a regular model, and a mixture with an expert too many is none:
    read the criteria as guides. Steps of a pipeline are fitted once, on all data.
    Taught in: :ref:`ch-whole-pipeline`.

    References
    ----------
    Akaike (1974); Schwarz (1978); Biernacki, Celeux & Govaert (2000).

    Examples
    --------
    >>> import numpy as np
    >>> from moelib import MixtureOfExperts, standard_model
    >>> X, y = standard_model(d=5, n_experts=3).sample(2000, np.random.default_rng(0))
    >>> choose_n_experts(MixtureOfExperts(random_state=0), X, y, n_experts=(1, 2, 3)).best_k
    3
    """
    as_choice(criterion, "criterion", CRITERIA)
    if np.ndim(y) == 0:
        raise ValueError(f"y must hold a label for each sample, got {y!r}")
    sizes, y = _sizes(n_experts), as_labels(y, len(y))
    before, template, X = _steps(estimator, X, y)
    _check_template(template)
    data = X, y, sample_weight
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit)(clone(template).set_params(n_experts=k), data) for k in sizes
    )
    results = tqdm(jobs, total=len(sizes), desc="numbers of experts", disable=not verbose)
    fits, restarted = _nested_fits(dict(zip(sizes, results)), data)
    table = _table(fits, restarted)
    sound = table[~table["degenerate"]]
    if not len(sound):
        warn(
            "no fit is sound: the noise has collapsed for every number of experts tried. Try fewer "
            "experts, noise='shared', or a model made for such labels",
            AssumptionWarning,
        )
    best_k = int((sound if len(sound) else table)[criterion].idxmin())
    best = fits[best_k]
    if before is not None:
        best = Pipeline([*before.steps, (estimator.steps[-1][0], best)])
    return Selection(best_k, best, fits, table, criterion)


def _sizes(n_experts):
    one = isinstance(n_experts, numbers.Integral)
    if not one and not np.iterable(n_experts):
        raise ValueError(f"n_experts must be an integer or name some to try, got {n_experts!r}")
    sizes = list(range(1, int(n_experts) + 1)) if one else sorted(set(n_experts))
    if not sizes:
        raise ValueError(f"n_experts must name integers of at least 1 to try, got {n_experts!r}")
    return [as_count(k, "n_experts") for k in sizes]


def _check_template(template):
    if not isinstance(template, MixtureOfExperts):
        raise ValueError(
            "estimator must be a MixtureOfExperts or a Pipeline that ends in one, got "
            f"{type(template).__name__}"
        )
    climbs = [name for name, method in METHODS.items() if method.at_maximum]
    if not template.refine and template.method not in climbs:
        raise ValueError(
            "criteria compare maxima of the likelihood: use refine=True, or method='em'"
        )


def _steps(estimator, X, y):
    """The fitted steps before the mixture, the mixture, and the inputs that it gets."""
    if not isinstance(estimator, Pipeline):
        return None, estimator, X
    before, template = clone(estimator[:-1]), estimator.steps[-1][1]
    if not before.steps:
        return before, template, X
    steps = [step for _, step in before.steps if step not in (None, "passthrough")]
    needed = ("get_feature_names_out", "set_output")
    named = all(hasattr(step, name) for step in steps for name in needed)
    if isinstance(X, pd.DataFrame) and named:
        before.set_output(transform="pandas")  # so that names reach the mixture
    return before, template, before.fit_transform(X, y)


def _fit(fit, data):
    """The fit, or the error that it raised; and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = fit.fit(*data)
        except ValueError as error:
            result = error
    return result, [(str(one.message), one.category) for one in caught]


def _nested_fits(results, data):
    """Fits by k, each no worse than the smaller ones that it contains, and which were restarted."""
    errors = [fit for fit, _ in results.values() if isinstance(fit, ValueError)]
    if len(errors) == len(results):
        raise errors[0]
    fits: dict = {}
    restarted = {}
    for k, (fit, caught) in results.items():
        if isinstance(fit, ValueError):
            warn(f"k = {k}: left out: {fit}", AssumptionWarning)
            continue
        smaller = max((j for j in fits if fits[j].sound_), default=None)
        restarted[k] = smaller is not None and _is_stuck(fit, fits[smaller])
        if restarted[k]:
            by = fits[smaller].log_likelihood_ - fit.log_likelihood_
            caught = [(_restart_sentence(k, smaller, by), ConvergenceWarning)]
            fit, more = from_twins(fit, fits[smaller].model_, data)
            caught += [(str(one.message), one.category) for one in more]
        fits[k] = fit
        for sentence, category in caught:
            warn(f"k = {k}: {sentence}", category)
    return fits, restarted


def _is_stuck(fit, smaller):
    least = smaller.log_likelihood_ - SLACK * fit.n_samples_
    return is_nested(fit) and fit.sound_ and fit.log_likelihood_ < least


def _restart_sentence(k, smaller, by):
    return (
        f"{k} experts fitted worse than {smaller}, which they contain: the climb got stuck (by "
        f"{by:.3g} nats). Started again from the {smaller} with one doubled; a larger n_init would "
        "help"
    )


def _table(fits, restarted):
    rows = []
    for k, fit in fits.items():
        reached = fit.log_likelihood_, fit.n_parameters_
        by_bic = bic(*reached, fit.n_samples_)
        rows.append(
            {
                "k": k,
                "log_likelihood": fit.log_likelihood_,
                "n_parameters": fit.n_parameters_,
                "aic": aic(*reached),
                "bic": by_bic,
                "icl": icl(by_bic, fit.entropy_),
                "converged": fit.converged_,
                "restarted": bool(restarted[k]),
                "degenerate": not fit.sound_,
            }
        )
    return pd.DataFrame(rows).set_index("k")
