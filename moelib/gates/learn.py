r"""The second loss at work: gates by maximum likelihood, with the experts frozen.

:mod:`moelib.gates.loss` has the loss, its derivatives and the steps; here they are iterated, with
the noise learned along the way: by Newton's method together with the gates
(:mod:`moelib.gates.newton`), by the others in turn.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from moelib.climb import Climb, noise_floor
from moelib.gates.degeneracy import degeneracies_from_sample
from moelib.gates.loss import (
    em_step,
    gradient_step,
    log_normal_density,
    negative_log_likelihood,
    posterior,
)
from moelib.gates.newton import Frozen, climb_in_stages, place
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.threads import one_blas_thread
from moelib.validation import (
    AssumptionWarning,
    ConvergenceWarning,
    as_choice,
    as_matrix,
    as_not_negative,
    as_positive,
    as_sample,
    warn,
)

IN_TURN = {"gradient": gradient_step, "em": em_step}  # solvers that move the noise apart


@one_blas_thread
def learn_gates(
    X,
    y,
    experts,
    *,
    link="identity",
    noise=None,
    solver="newton",
    max_iter=100,
    tol=1e-8,
    gate_ridge=0.0,
    sample_weight=None,
    init=None,
):
    """Recover the gates once the experts are known.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    experts : (k, d) array
        The experts, in rows; they stay as they are.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation. If not given it is learned along with the gates, which is the safe
        choice when the experts are estimates: their error adds to the noise, and a noise level that
        is too small makes the gates over-confident.
    solver : {"newton", "gradient", "em"}
        Newton steps on the loss, in gates and noise together, which on 100,000 samples and more
        begin on every m-th; gradient descent on it; or EM (Newton steps on its convex surrogate,
        the posterior held fixed).
    max_iter : int
        Most steps.
    tol : float
        Stop when a step lowers the loss by less than this (nats per sample); gradient descent,
        which creeps, stops at a gradient norm of sqrt(tol).
    gate_ridge : float
        Weight of the penalty, half of it times |W|^2; 1/n is a standard normal prior on the gates.
        Gates that separate the samples need one: see :func:`moelib.gate_curvature`.
    sample_weight : (n,) array, optional
        How often each sample counts.
    init : (k-1, d) array, optional
        First gates; zero, an indifferent gate, if not given.

    Returns
    -------
    Climb
        Models with these experts. Their objective is minus the gates' loss, the log-likelihood per
        sample less the ridge's penalty; the noise is inflated by what the experts get wrong.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.
    AssumptionWarning
        When the gates separate their experts perfectly, or an expert hardly ever fires: see
        :func:`moelib.find_degeneracies`.

    Examples
    --------
    >>> from moelib import gate_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(8000, np.random.default_rng(0))
    >>> fit = learn_gates(X, y, model.experts)
    >>> gate_error(fit.model.gates, model.gates) < 0.01, round(fit.model.noise, 2)
    (True, 0.05)

    References
    ----------
    Jordan & Jacobs (1994).   Taught in: :ref:`ch-learning-gates`.
    """
    sample = as_sample(X, y, sample_weight)
    settings = dict(link=link, noise=noise, solver=solver, max_iter=max_iter, tol=tol, init=init)
    climb = gates_from_sample(sample, experts, gate_ridge=gate_ridge, **settings)
    if not climb.converged:
        warn(
            f"the gates did not converge in {max_iter} steps of solver {solver!r}: raise max_iter "
            "or use solver='newton'",
            ConvergenceWarning,
        )
    for sentence in degeneracies_from_sample(climb.model, sample):
        warn(sentence, AssumptionWarning)
    return climb


def gates_from_sample(
    sample,
    experts,
    *,
    link="identity",
    noise=None,
    solver="newton",
    max_iter=100,
    tol=1e-8,
    gate_ridge=0.0,
    init=None,
):
    """What :func:`learn_gates` does, on data that have been checked, without its warnings."""
    X, weights, link = sample.X, sample.weights, as_link(link)
    experts = as_matrix(experts, "experts", n_columns=X.shape[1])
    ridge = as_not_negative(gate_ridge, "gate_ridge")
    squares = (sample.y - link.value(experts @ X.T)) ** 2
    known = None if noise is None else as_positive(noise, "noise")
    variance = float(sample.mean(squares.mean(axis=0))) if known is None else known**2
    settings = dict(learn_noise=known is None, floor=noise_floor(sample) ** 2)
    settings |= dict(max_iter=max_iter, tol=tol)
    climb: Callable = climb_in_stages
    if as_choice(solver, "solver", ["newton", *IN_TURN]) != "newton":
        climb = partial(_climb_in_turn, IN_TURN[solver])
    if len(experts) == 1:
        climb = _nothing_to_climb
    W, frozen = _first_gates(init, len(experts), X.shape[1]), Frozen(X, squares, weights, ridge)
    found, converged = climb(frozen, W, variance, **settings)
    noises = [float(np.sqrt(variance)) if known is None else known for _, variance, _ in found]
    path = [GatedModel(experts, W, noise, link) for (W, *_), noise in zip(found, noises)]
    return Climb(path[-1], [-loss for *_, loss in found], converged, path)


def _climb_in_turn(step, frozen, W, variance, *, learn_noise, floor, max_iter, tol):
    """A step of the gates, then one of EM for the noise; as :func:`climb_in_stages` otherwise."""
    squares, (X, *held) = frozen.squares.T, (frozen.X, frozen.weights, frozen.ridge)
    log_normals = log_normal_density(squares, variance)
    found = [(W, variance, negative_log_likelihood(W, X, log_normals, *held))]
    for _ in range(max_iter):
        W, gradient_norm = step(W, X, log_normals, *held)
        if learn_noise:
            r = posterior(W, X, log_normals)
            variance = max(float(frozen.mean(np.sum(r * squares, axis=1))), floor)
            log_normals = log_normal_density(squares, variance)
        found.append((W, variance, negative_log_likelihood(W, X, log_normals, *held)))
        small_step = found[-2][-1] - found[-1][-1] < tol
        if small_step and (step is not gradient_step or gradient_norm < np.sqrt(tol)):
            return found, True
    return found, False


def _nothing_to_climb(frozen, W, variance, *, learn_noise, floor, **_):
    """One expert has no gate, and its noise is the variance given: where all climbs would end."""
    variance = max(variance, floor) if learn_noise else variance
    return [(W, variance, place(frozen, W, variance).loss)], True


def _first_gates(init, k, d):
    """The gates to start from, zero if none are given."""
    if init is None:
        return np.zeros((k - 1, d))
    W = as_matrix(init, "init", n_columns=d)
    if len(W) != k - 1:
        raise ValueError(f"init must have one row fewer than experts ({k - 1}), got {len(W)}")
    return W
