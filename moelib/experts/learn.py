r"""The first loss at work: experts from L4, after a reduction to k dimensions and a whitening.

In the whitened coordinates of :mod:`moelib.experts.reduction` the fourth moment is, in the limit,
:math:`\sum_m \lambda_m u_m^{\otimes 4}` with orthonormal :math:`u_m` and
:math:`\lambda_m = 1/\pi_m`. On the product of unit spheres L4 then has no stray minima for
:math:`0 < \mu < 1`. Here it is minimised on the moments of a fixed sample, over unit rows or
orthonormal ones (:mod:`moelib.experts.orthonormal`);
:mod:`moelib.experts.sgd` does it by stochastic gradients, and :mod:`moelib.experts.spectral` is the
power method to compare with, on the same moment or on that of order 3.
"""

from dataclasses import dataclass

import numpy as np

from moelib.data.batches import checked, one_batch
from moelib.experts.l4 import random_unit_rows
from moelib.experts.moments import Moments
from moelib.experts.orthonormal import SOLVERS, best_run
from moelib.experts.reduction import Reduction, reduce_checked, whiten
from moelib.experts.signs import first_moment_signs
from moelib.threads import one_blas_thread
from moelib.validation import as_choice, as_count, as_generator, as_probability, as_sample


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
        Whitened moment of shape (k, k, k, k), or (k, k, k) for the spectral method of order 3;
        None for stochastic gradients, which form none.
    directions : (k, k) array
        Unit rows v_i, what the method found in whitened coordinates.
    loss : float
        The loss in ``directions``.
    losses : (n_init,) array
        The loss at the end of every start.
    starts : (n_init, k, k) array
        The end point of every start.
    history : list of float
        Minus the loss along the best start; larger is better.
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


@one_blas_thread
def learn_experts(
    X,
    y,
    n_experts,
    rng,
    *,
    link="identity",
    noise=None,
    mu=0.5,
    n_init=5,
    solver="lbfgs",
    transforms="polynomial",
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
        Random starts; the lowest loss wins, see :func:`~moelib.experts.orthonormal.best_run`.
    solver : {"lbfgs", "gradient", "orthonormal"}
        How to descend: L-BFGS or gradient steps over unit rows, or
        :func:`~moelib.experts.orthonormal.minimize_l4_orthonormal`, whose rows cannot coincide
        and for which mu has no say.
    transforms : {"polynomial", "optimal", "in-span"}
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

    Warns
    -----
    ConvergenceWarning
        When rows coincide at the end of every start.

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
    return experts_from_sample(
        as_sample(X, y, sample_weight),
        n_experts,
        rng,
        link=link,
        noise=noise,
        mu=mu,
        n_init=n_init,
        solver=solver,
        transforms=transforms,
        truncate=truncate,
        n_blocks=n_blocks,
        control=control,
    )


@one_blas_thread
def learn_experts_from_batches(batches, n_experts, rng, **options):
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
    **options : dict
        Those of :func:`learn_experts`, all but ``sample_weight``.

    Returns
    -------
    ExpertFit

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> from moelib.data import drawn_batches
    >>> model = standard_model(d=6)
    >>> batches = drawn_batches(model, 20_000, np.random.SeedSequence(0))
    >>> fit = learn_experts_from_batches(batches, 3, np.random.default_rng(1), n_init=2)
    >>> regressor_error(fit.experts, model.experts) < 0.1
    True
    """
    return _learn(checked(batches), n_experts, rng, **options)


def experts_from_sample(sample, n_experts, rng, **options):
    """What :func:`learn_experts` does, for a :class:`~moelib.validation.Sample`."""
    return _learn(one_batch(sample), n_experts, rng, **options)


def _learn(batches, n_experts, rng, *, mu=0.5, n_init=5, solver="lbfgs", **options):
    """Experts from batches that have been checked; the other options go to the tensor."""
    rng, mu, n_init = as_generator(rng), as_probability(mu, "mu"), as_count(n_init, "n_init")
    run = SOLVERS[as_choice(solver, "solver", list(SOLVERS))]
    reduction, tensor = whitened_fourth(batches, n_experts, **options)
    runs = [run(tensor, random_unit_rows(n_experts, rng), mu) for _ in range(n_init)]
    return expert_fit(reduction, tensor, runs)


def whitened_fourth(batches, n_experts, *, truncate=None, n_blocks=1, control=False, **options):
    """The reduction and the whitened fourth moment, from batches that have been checked.

    Parameters
    ----------
    batches : callable
        Each call returns an iterable over the same batches.
    n_experts : int
        Number of experts k, at most d.
    truncate, n_blocks, control : float or None, int, bool
        As in :func:`learn_experts`.
    **options : dict
        Link, noise and transforms, for :func:`~moelib.experts.reduction.reduce_batches`.

    Returns
    -------
    reduction : Reduction
        The span, and what it was found from.
    tensor : (k, k, k, k) array
        What L4, or the power method of order 4, takes apart.
    """
    shape = dict(truncate=truncate, n_blocks=n_blocks)
    reduction = reduce_checked(batches, n_experts, **shape, **options)
    fourth = Moments(reduction.transforms, reduction.basis, control=control, **shape)
    for X, y, *weights in batches():
        fourth.add(X, y / reduction.scale, *weights)
    return reduction, whiten(fourth.fourth_moment, reduction.eigenvalues)


def expert_fit(reduction, tensor, runs):
    """The best of several runs, by :func:`~moelib.experts.orthonormal.best_run`.

    Parameters
    ----------
    reduction : Reduction
        The span, and what it was found from.
    tensor : array or None
        The whitened moment, if one was formed.
    runs : list of tuple
        Directions and losses of every run, as :func:`~moelib.experts.l4.minimize_l4_lbfgs` returns
        them.

    Returns
    -------
    ExpertFit
    """
    best = best_run(runs)
    ends = np.array([losses[-1] for _, losses in runs])
    directions, losses = runs[best]
    experts = reduction.experts(directions)
    signs = first_moment_signs(experts, reduction.mean_yx, link=reduction.transforms.link)
    return ExpertFit(
        experts=experts * signs[:, None],
        reduction=reduction,
        tensor=tensor,
        directions=directions,
        loss=float(ends[best]),
        losses=ends,
        starts=np.array([V for V, _ in runs]),
        history=[-loss for loss in losses],
    )
