r"""The first loss at work: experts from L4, after a reduction to k dimensions and a whitening.

In the whitened coordinates of :mod:`moelib.experts.reduction` the fourth moment is, in the limit,
:math:`\sum_m \lambda_m u_m^{\otimes 4}` with orthonormal :math:`u_m` and
:math:`\lambda_m = 1/\pi_m`. On the product of unit spheres L4 then has no stray minima for
:math:`0 < \mu < 1`. Here it is minimised on the moments of a fixed sample;
:mod:`moelib.experts.sgd` does it by stochastic gradients, and :mod:`moelib.experts.spectral` is the
third-order method to compare with.
"""

from dataclasses import dataclass

import numpy as np

from moelib.experts.l4 import minimize_l4_gradient, minimize_l4_lbfgs, random_unit_rows
from moelib.experts.moments import Moments
from moelib.experts.reduction import Reduction, reduce_batches, top_eigenpairs, whiten
from moelib.experts.signs import first_moment_signs
from moelib.validation import as_choice, as_generator, as_matrix, as_vector, as_weights

__all__ = [
    "ExpertFit",
    "expert_fit",
    "first_moment_signs",
    "learn_experts",
    "learn_experts_from_batches",
    "top_eigenpairs",
    "whiten",
]


@dataclass(frozen=True, eq=False)
class ExpertFit:
    r"""What was found, stage by stage.

    Attributes
    ----------
    experts : (k, d) array
        Unit rows, signs chosen by the first moment.
    reduction : Reduction
        The span, and what it was found from.
    tensor : array or None
        Whitened moment of shape (k, k, k, k); of order 3 for the spectral method, None for
        stochastic gradients, which form none.
    directions : (k, k) array
        Unit rows v_i, what the method found in whitened coordinates.
    loss : float
        The objective in ``directions``.
    losses : (n_init,) array
        The objective at the end of every start.
    starts : (n_init, k, k) array
        The end point of every start.
    history : list of float
        The objective along the best start.
    second_moment, eigenvalues, basis : array
        Those of the reduction.
    """

    experts: np.ndarray
    reduction: Reduction
    tensor: np.ndarray | None
    directions: np.ndarray
    loss: float
    losses: np.ndarray
    starts: np.ndarray
    history: list

    @property
    def second_moment(self):
        return self.reduction.second_moment

    @property
    def eigenvalues(self):
        return self.reduction.eigenvalues

    @property
    def basis(self):
        return self.reduction.basis


def learn_experts(
    X,
    y,
    n_experts,
    rng,
    link="identity",
    noise=None,
    mu=0.5,
    n_init=5,
    solver="lbfgs",
    kind="polynomial",
    truncate=None,
    sample_weight=None,
    n_blocks=1,
    control=False,
):
    """Recover the experts' directions with the loss L4.

    Parameters
    ----------
    X : (n, d) array
        Inputs, standard normal.
    y : (n,) array
        Labels.
    n_experts : int
        Number of experts k, at most d.
    rng : numpy.random.Generator
        For the starting directions.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation; read off the labels if not given.
    mu : float
        Weight of the diagonal term, between 0 and 1.
    n_init : int
        Random starts; the lowest loss wins, the first of equals.
    solver : {"lbfgs", "gradient"}
        How to descend: L-BFGS or gradient steps.
    kind : {"polynomial", "optimal", "in-span"}
        Which label transforms to use, see :func:`moelib.label_transform`.
    truncate : float, optional
        Shorten the tails, see :class:`moelib.Moments`.
    sample_weight : (n,) array, optional
        How often each sample counts; the weighted inputs have to be standard normal.
    n_blocks : int
        Median of the moments of so many blocks, see :class:`moelib.Moments`.
    control : bool
        Whether to use control variates for the fourth moment, see :class:`moelib.Moments`.

    Returns
    -------
    ExpertFit

    Raises
    ------
    ValueError
        When ``n_experts > d`` (experts must be linearly independent) or the link is not valid.

    Notes
    -----
    Assumes (G) standard normal inputs, (U) unit experts and (O) gates orthogonal to experts.
    Taught in: :ref:`ch-learning-experts`.

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> fit = learn_experts(X, y, 3, np.random.default_rng(1))
    >>> regressor_error(fit.experts, model.experts) < 0.1
    True
    """
    X = as_matrix(X, "X")
    y = as_vector(y, "y", len(X))
    weights = as_weights(sample_weight, len(y))
    batch = (X, y) if weights is None else (X, y, weights)
    return learn_experts_from_batches(
        lambda: [batch],
        n_experts,
        rng,
        link,
        noise,
        mu,
        n_init,
        solver,
        kind,
        truncate,
        n_blocks,
        control,
    )


def learn_experts_from_batches(
    batches,
    n_experts,
    rng,
    link="identity",
    noise=None,
    mu=0.5,
    n_init=5,
    solver="lbfgs",
    kind="polynomial",
    truncate=None,
    n_blocks=1,
    control=False,
):
    """Recover the experts from data that need not fit in memory.

    Parameters
    ----------
    batches : callable
        Each call returns an iterable over the same batches (X, y) or (X, y, sample_weight); it is
        called three times, once per pass.
    n_experts : int
        Number of experts k, at most d.
    rng : numpy.random.Generator
        For the starting directions.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        As in :func:`learn_experts`.
    mu : float
        As in :func:`learn_experts`.
    n_init : int
        As in :func:`learn_experts`.
    solver : {"lbfgs", "gradient"}
        As in :func:`learn_experts`.
    kind : {"polynomial", "optimal", "in-span"}
        As in :func:`learn_experts`.
    truncate : float, optional
        As in :func:`learn_experts`.
    n_blocks : int
        As in :func:`learn_experts`.
    control : bool
        As in :func:`learn_experts`.

    Returns
    -------
    ExpertFit
    """
    rng, mu = as_generator(rng), check_mu(mu)
    as_choice(solver, "solver", ["lbfgs", "gradient"])
    reduction = reduce_batches(batches, n_experts, link, noise, kind, truncate, n_blocks)
    fourth = Moments(
        reduction.transforms,
        reduction.basis,
        truncate=truncate,
        n_blocks=n_blocks,
        control=control,
    )
    for X, y, *weights in batches():
        fourth.update(X, y / reduction.scale, *weights)
    tensor = whiten(fourth.fourth_moment, reduction.eigenvalues)
    run = minimize_l4_lbfgs if solver == "lbfgs" else minimize_l4_gradient
    runs = [run(tensor, random_unit_rows(n_experts, rng), mu) for _ in range(n_init)]
    return expert_fit(reduction, tensor, runs)


def expert_fit(reduction, tensor, runs):
    """The best of several runs, each a pair (directions, history of losses), as an ExpertFit.

    Parameters
    ----------
    reduction : Reduction
        The span, and what it was found from.
    tensor : array or None
        The whitened moment, if one was formed.
    runs : list of tuple
        Directions and history of the losses of every run.
    """
    losses = np.array([history[-1] for _, history in runs])
    best = np.argmax(losses <= losses.min() + 1e-6 * abs(losses.min()))  # first of equals
    directions, history = runs[best]
    experts = reduction.experts(directions)
    signs = first_moment_signs(experts, reduction.mean_yx, reduction.transforms.link)
    return ExpertFit(
        experts=experts * signs[:, None],
        reduction=reduction,
        tensor=tensor,
        directions=directions,
        loss=float(losses[best]),
        losses=losses,
        starts=np.array([V for V, _ in runs]),
        history=history,
    )


def check_mu(mu):
    """Return ``mu`` if it lies strictly between 0 and 1; raise ``ValueError`` otherwise."""
    if not 0 < mu < 1:
        raise ValueError(f"mu must lie strictly between 0 and 1, got {mu!r}")
    return mu
