r"""Expectation-maximisation for a mixture of experts.

The E-step computes the posterior :math:`r_i(x, y)` over experts. The M-step then solves three
separate problems: weighted least squares for each expert (exact for the linear link, one guarded
Gauss-Newton step otherwise), the noise in closed form, and a guarded Newton step, started from
the gates at hand, on the gates' convex surrogate. None of them lowers the likelihood.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from moelib.gates.loss import penalty, surrogate_step
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.validation import ConvergenceWarning, as_matrix, as_positive, as_vector, as_weights

ANNEALING_STEPS = 50
NOISE_FLOOR = 1e-6  # of the labels' standard deviation: keeps the likelihood bounded


@dataclass(frozen=True, eq=False)
class EMFit:
    """What :func:`expectation_maximization` found.

    Attributes
    ----------
    model : GatedModel
        The fitted model.
    history : list of float
        Log-likelihood per sample before every iteration and at the end, less the ridge's penalty if
        there is one; never decreasing.
    converged : bool
        Whether it stopped before its iterations ran out.
    path : list of GatedModel
        The models that the history belongs to.
    """

    model: GatedModel
    history: list
    converged: bool
    path: list

    @property
    def log_likelihood(self):
        """Log-likelihood per sample at the end, in nats, less the penalty."""
        return self.history[-1]


def expectation_maximization(
    X,
    y,
    start,
    free=FreeParameters(),
    max_iter=1000,
    tol=1e-9,
    anneal_from=None,
    sample_weight=None,
):
    """Run EM from a starting model.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    start : GatedModel
        Where to start, see :func:`moelib.make_start`.
    free : FreeParameters
        What to learn; the rest stays as in ``start``.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration gains less, in nats per sample.
    anneal_from : float, optional
        For a noise that is not learned: begin with this larger one and come down to ``start.noise``
        geometrically over ``ANNEALING_STEPS`` iterations. The history then begins where the
        annealing ends.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    EMFit

    Raises
    ------
    ValueError
        When ``anneal_from`` is given for a noise that is learned.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(2000, rng)
    >>> fit = expectation_maximization(X, y, random_start(X, y, 2, rng))
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Dempster, Laird & Rubin (1977); Jordan & Jacobs (1994).   Taught in: :ref:`ch-whole-pipeline`.
    """
    X = as_matrix(X, "X", n_columns=start.n_features)
    y = as_vector(y, "y", len(X))
    weights = as_weights(sample_weight, len(y))
    designs = free.expert_design(X), free.gate_design(X)
    floor = NOISE_FLOOR * max(np.std(y), np.finfo(float).tiny)
    model, history, path, converged = start, [], [], False
    if anneal_from is not None:
        if free.noise:
            raise ValueError("anneal_from needs a noise that is not learned: free.noise=False")
        hot = as_positive(anneal_from, "anneal_from")
        for noise in np.geomspace(hot, start.noise, ANNEALING_STEPS):
            r = weighted_responsibilities(model.posterior(X, y), weights)
            model = m_step(replace(model, noise=noise), *designs, y, r, free)
        model = replace(model, noise=start.noise)
    for iteration in range(max_iter + 1):
        log_joint = model.log_joint(X, y)
        log_density = logsumexp(log_joint, axis=1, keepdims=True)
        history.append(penalised(log_density[:, 0], model, free, weights))
        path.append(model)
        converged = iteration > 0 and history[-1] - history[-2] < tol
        if converged or iteration == max_iter:
            break
        responsibilities = np.exp(log_joint - log_density)
        r = weighted_responsibilities(responsibilities, weights)
        model = m_step(model, *designs, y, r, free, floor)
    if not converged:
        warnings.warn(
            f"EM did not converge in {max_iter} iterations: raise max_iter",
            ConvergenceWarning,
            stacklevel=2,
        )
    return EMFit(model, history, converged, path)


def penalised(log_density, model, free, weights=None):
    """What EM climbs: the mean log-density (n,) of the samples, less the penalty on the gates."""
    _, gates = free.rows(model)
    mean = float(np.average(log_density, weights=weights))
    return mean - penalty(gates, free.ridge(model.n_features))


def weighted_responsibilities(r, weights):
    """Responsibilities (n, k) whose rows sum to the sample's weight."""
    return r if weights is None else r * weights[:, None]


def m_step(model, expert_design, gate_design, y, responsibilities, free, noise_floor=0.0):
    """One M-step: experts, noise and gates for given responsibilities (n, k).

    The responsibilities of a sample sum to its weight, one if there are no weights. The designs
    are those of ``free`` for the inputs. Returns a ``GatedModel``.
    """
    experts, gates = free.rows(model)
    experts = np.array(
        [
            _fit_expert(a, expert_design, y, weight, model.link)
            for a, weight in zip(experts, responsibilities.T, strict=True)
        ]
    )
    noise = model.noise
    if free.noise:
        squares = (y[:, None] - model.link.value(expert_design @ experts.T)) ** 2
        noise = max(np.sqrt(np.mean(np.sum(responsibilities * squares, axis=1))), noise_floor)
    gates, _ = surrogate_step(gates, gate_design, responsibilities, free.ridge(model.n_features))
    return free.model(experts, gates, noise, like=model)


def _fit_expert(a, design, y, weight, link):
    """Weighted least squares for one expert; one guarded Gauss-Newton step if not linear."""
    answers = link.value(design @ a)
    slope = link.derivative(design @ a)
    curvature = (design * (weight * slope**2)[:, None]).T @ design
    target = design.T @ (weight * slope * (y - answers))
    step = np.linalg.lstsq(curvature, target, rcond=1e-12)[0]
    if link.name == "identity":
        return a + step
    loss = np.sum(weight * (y - answers) ** 2)
    size = 1.0
    while size > 1e-6:
        candidate = a + size * step
        if np.sum(weight * (y - link.value(design @ candidate)) ** 2) <= loss:
            return candidate
        size /= 2
    return a
