"""How many samples are enough: the theorem's number beside one that simulation finds."""

import warnings
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from moelib.bounds.theorem import TwoLossBound, least_samples
from moelib.experts.assumed import as_theory_model
from moelib.experts.learn import learn_experts
from moelib.gates.learn import learn_gates
from moelib.metrics import expert_angles, matched
from moelib.validation import (
    ConvergenceWarning,
    as_choice,
    as_count,
    as_generator,
    as_positive,
    as_probability,
    warn,
)

MOST_ROUNDS = 8  # of simulation
SETTLED = 0.7, 1.4  # of the wanted n over the simulated one


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
    *,
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

    The theorem's number holds for the estimator of the theorem, which splits its data, with
    polynomial transforms. The measured one is for :func:`moelib.learn_experts` (and
    :func:`moelib.learn_gates`) on all of them: n is changed by the square of error over ``eps``
    until the (1 - delta)-quantile of the error over ``n_runs`` data sets is close to ``eps``.

    Parameters
    ----------
    model : GatedModel
        The truth, with one noise and no intercepts, as the theorem asks for.
    eps : float
        Error of the worst expert in radians, below 1; or length of the error of all gates.
    delta : float
        Probability of failure.
    target : {"experts", "gates"}
        What has to be accurate.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.
    n_runs : int
        Simulated data sets, at least 1 / delta.
    rng : numpy.random.Generator, optional
        Source of randomness; a fixed one if not given.
    most : int
        Simulate no more samples than this, at least 2 k d; beyond it, extrapolate.
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
        model or ``mu``.

    Warns
    -----
    ConvergenceWarning
        When ``MOST_ROUNDS`` of simulation did not find where the error is close to ``eps``.

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
    if target == "experts" and eps >= 1:
        raise ValueError(f"eps must be below 1 radian for experts, got {eps:g}")
    n_runs, least = as_count(n_runs, "n_runs"), 2 * model.n_experts * model.n_features
    if n_runs * delta < 1:
        raise ValueError(f"n_runs must be at least 1 / delta = {1 / delta:g}, got {n_runs}")
    if as_positive(most, "most") < least:
        raise ValueError(f"most must be at least 2 k d = {least}, got {most}")
    rng = np.random.default_rng(0) if rng is None else as_generator(rng)
    bound = TwoLossBound(model, mu=mu)
    parts, of, goal = {
        "experts": (2, bound.experts, np.sin(eps)),
        "gates": (3, bound.gates, eps),
    }[target]
    theorem = parts * least_samples(lambda n: of(n, delta), goal)

    def reached(n):
        tries = tqdm(range(n_runs), desc=f"n = {n:.0f}", disable=not verbose)
        errors = [one_error(model, int(n), rng, target=target, mu=mu, **options) for _ in tries]
        return float(np.quantile(errors, 1 - delta, method="higher"))

    measured, runs = _measured(reached, eps, first=100 * least, least=least, most=most)
    return RequiredSamples(eps, delta, theorem, measured, measured > most, runs)


def _measured(reached, eps, *, first, least, most):
    """The n at which ``reached(n)`` is eps, by the law of the root, and the runs on the way."""
    runs, n = [], float(min(most, first))
    for _ in range(MOST_ROUNDS):
        runs.append((int(n), reached(n)))
        wanted = n * (runs[-1][1] / eps) ** 2
        if SETTLED[0] < wanted / n < SETTLED[1] or (n == most and wanted > most):
            return wanted, runs
        n = min(float(np.clip(wanted, max(n / 10, least), 10 * n)), most)
    warn(
        f"the search for n did not settle in {MOST_ROUNDS} rounds: the last error was "
        f"{runs[-1][1]:.2g} at n = {runs[-1][0]}, and {wanted:.2g} samples are an extrapolation",
        ConvergenceWarning,
    )
    return wanted, runs


def one_error(model, n, rng, *, target="experts", mu=0.5, **options):
    """Learn from n fresh samples: the angle of the worst expert, or the length of the gates' error.

    Parameters
    ----------
    model : GatedModel
        The truth, with one noise and no intercepts: both losses know none.
    n : int
        Number of samples.
    rng : numpy.random.Generator
        For the samples and the starts.
    target : {"experts", "gates"}
        Whose error.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.
    **options : dict
        Passed on to :func:`moelib.learn_experts`.

    Returns
    -------
    float
        In radians for experts; the distance of all gates together, in their matched order.

    Examples
    --------
    >>> from moelib import standard_model
    >>> one_error(standard_model(d=5, n_experts=2), 20_000, np.random.default_rng(0)) < 0.1
    True
    """
    as_theory_model(model, "one noise for all experts", "no intercepts")
    X, y = model.sample(as_count(n, "n"), as_generator(rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what goes wrong shows in the error
        A = learn_experts(X, y, model.n_experts, rng, link=model.link, mu=mu, **options).experts
        if as_choice(target, "target", ["experts", "gates"]) == "experts":
            return float(expert_angles(A, model.experts).max())
        W = learn_gates(X, y, A, link=model.link).model.gates
    return float(np.linalg.norm(matched(A, W, model)[1] - model.gates))
