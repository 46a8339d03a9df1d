"""How many samples are enough: the theorem's number beside one that simulation finds."""

import warnings
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from moelib.bounds.theorem import TwoLossBound, least_samples
from moelib.experts.learn import learn_experts
from moelib.gates.learn import learn_gates
from moelib.metrics import match_experts
from moelib.validation import as_choice, as_generator, as_positive, as_probability


@dataclass(frozen=True)
class RequiredSamples:
    """Two answers to the same question.

    Attributes
    ----------
    eps, delta : float
        The error and the probability of failure asked for.
    theorem : float
        Samples, in all parts together, for which the theorem gives a guarantee.
    measured : float
        Samples at which simulated data sets reach it.
    extrapolated : bool
        Whether the last simulation had fewer samples than ``measured``.
    runs : list of tuple
        Pairs of n and the quantile of the error there, in radians for experts.

    Examples
    --------
    >>> print(RequiredSamples(0.1, 0.05, 1.5e11, 8e4, extrapolated=False, runs=[]))
    error at most 0.1 with probability 0.95: 1.5e+11 samples by the theorem, 8e+04 measured
    """

    eps: float
    delta: float
    theorem: float
    measured: float
    extrapolated: bool
    runs: list

    def __str__(self):
        return (
            f"error at most {self.eps:g} with probability {1 - self.delta:g}: "
            f"{self.theorem:.2g} samples by the theorem, {self.measured:.2g} "
            + ("extrapolated" if self.extrapolated else "measured")
        )


def required_samples(
    model,
    eps,
    delta=0.1,
    target="experts",
    mu=0.5,
    n_runs=20,
    rng=None,
    most=200_000,
    verbose=False,
    **options,
):
    r"""How many samples bring the error below ``eps`` with probability ``1 - delta``?

    The theorem's number holds for the estimator of the theorem, which splits its data. The measured
    one is for :func:`moelib.learn_experts` (and :func:`moelib.learn_gates`) on all of them: n is
    changed by the square of error over ``eps`` until the (1 - delta)-quantile of the error over
    ``n_runs`` data sets is close to ``eps``.

    Parameters
    ----------
    model : GatedModel
        The truth.
    eps : float
        Error of the worst expert in radians, below 1; or length of the error of all gates.
    delta : float
        Probability of failure.
    target : {"experts", "gates"}
        What has to be accurate.
    mu : float
        Weight of the diagonal term of L4.
    n_runs : int
        Simulated data sets, at least 1 / delta.
    rng : numpy.random.Generator, optional
        Source of randomness; a fixed one if not given.
    most : int
        Simulate no more samples than this; beyond it, extrapolate.
    verbose : bool
        Whether to show progress over the data sets.
    **options : dict
        Passed on to :func:`moelib.learn_experts`.

    Returns
    -------
    RequiredSamples

    Raises
    ------
    ValueError
        When ``n_runs`` is too small for a quantile of that level, or the theorem does not cover the
        model.

    Examples
    --------
    >>> from moelib import standard_model
    >>> found = required_samples(standard_model(d=5, n_experts=2), eps=0.1)
    >>> found.measured < found.theorem
    True

    References
    ----------
    Taught in: :ref:`ch-sample-complexity`.
    """
    eps, delta = as_positive(eps, "eps"), as_probability(delta, "delta")
    as_choice(target, "target", ["experts", "gates"])
    if n_runs * delta < 1:
        raise ValueError(f"n_runs must be at least 1 / delta = {1 / delta:g}, got {n_runs}")
    rng = np.random.default_rng(0) if rng is None else as_generator(rng)
    bound = TwoLossBound(model, mu)
    if target == "experts":
        theorem = 2 * least_samples(
            lambda n: bound.experts(n, delta), min(np.sin(min(eps, 1)), eps)
        )
    else:
        theorem = 3 * least_samples(lambda n: bound.gates(n, delta), eps)
    runs, n = [], float(min(most, 200 * model.n_experts * model.n_features))
    while True:
        tries = tqdm(range(n_runs), desc=f"n = {n:.0f}", disable=not verbose)
        errors = [_error(model, int(n), target, mu, rng, options) for _ in tries]
        reached = float(np.quantile(errors, 1 - delta, method="higher"))
        runs.append((int(n), reached))
        wanted = n * (reached / eps) ** 2
        if 0.7 < wanted / n < 1.4 or len(runs) == 8 or (n == most and wanted > most):
            return RequiredSamples(eps, delta, theorem, wanted, wanted > most, runs)
        n = float(np.clip(wanted, max(n / 10, 2 * model.n_experts * model.n_features), 10 * n))
        n = min(n, most)


def _error(model, n, target, mu, rng, options):
    X, y = model.sample(n, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what goes wrong shows in the error
        A = learn_experts(X, y, model.n_experts, rng, model.link, mu=mu, **options).experts
        order, signs = match_experts(A, model.experts)
        if target == "experts":
            cosines = np.sum(signs[:, None] * A[order] * model.experts, axis=1)
            return float(np.arccos(np.clip(cosines, 0, 1)).max())
        W = np.vstack([learn_gates(X, y, A, model.link).gates, np.zeros(model.n_features)])[order]
        return float(np.linalg.norm((W - W[-1])[:-1] - model.gates))
