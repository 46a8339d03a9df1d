"""The same on many data sets of one model: experts learned, errors of moments, signs found.

Data set s is drawn by ``default_rng(s)``, so that two methods meet the same ones.
"""

import numpy as np

from moelib.experts.assumed import as_theory_model
from moelib.experts.moments import Moments, population_moments
from moelib.experts.signs import first_moment_signs, likelihood_signs, third_moment_signs
from moelib.metrics import expert_angles, match_experts, unit_rows
from moelib.validation import as_count, as_matrix


def aligned(A, A_true):
    """Experts in the order of the true ones, each with the sign that fits.

    Parameters
    ----------
    A, A_true : (k, d) array
        Rows are experts, any non-zero length.

    Returns
    -------
    (k, d) array
        The rows of A, reordered and turned.

    Examples
    --------
    >>> aligned(np.array([[1.0, -2.0], [2.0, 0.0]]), np.eye(2))
    array([[ 2.,  0.],
           [-1.,  2.]])
    """
    order, signs = match_experts(A, A_true)
    return signs[:, None] * as_matrix(A, "A")[order]


def learn_sets(learn, model, n, n_sets):
    """Learn the experts of a model from several data sets.

    Parameters
    ----------
    learn : function of (X, y, rng)
        Returns experts (k, d); the generator has drawn the data already.
    model : GatedModel
        The true model.
    n : int
        Samples in a data set.
    n_sets : int
        How many data sets.

    Returns
    -------
    experts : (n_sets, k, d) array
        As learned, aligned with the true ones.
    angles : (n_sets, k) array
        From the true ones, in degrees.
    """
    found = []
    for seed in range(as_count(n_sets, "n_sets")):
        rng = np.random.default_rng(seed)
        found.append(aligned(learn(*model.sample(n, rng), rng), model.experts))
    return np.array(found), np.degrees([expert_angles(A, model.experts) for A in found])


def moment_errors(model, transforms, n, n_sets):
    """Errors of the estimated moments on several data sets.

    Parameters
    ----------
    model : GatedModel
        The true model, with one noise, its experts of unit length, without intercepts and
        orthogonal to the gates.
    transforms : LabelTransforms
        Those of the estimates.
    n : int
        Samples in a data set.
    n_sets : int
        How many data sets.

    Returns
    -------
    list of ((d, d) array, (d, d, d, d) array)
        Estimate less truth, of the second moment and of the fourth.
    """
    as_theory_model(model, "one noise for all experts", "experts without intercepts")
    M, T = population_moments(model.experts, model.shares())
    errors = []
    for seed in range(as_count(n_sets, "n_sets")):
        sample = model.sample(n, np.random.default_rng(seed))
        found = Moments(transforms).update(*sample)
        errors.append((found.second_moment - M, found.fourth_moment - T))
    return errors


def signs_found(model, n, n_sets, *, off=0.2, noise=0.25):
    """On which data sets each way of choosing signs finds all of them.

    Parameters
    ----------
    model : GatedModel
        The true model, with one noise and experts without intercepts; these are turned by random
        signs.
    n : int
        Samples in a data set.
    n_sets : int
        How many data sets.
    off : float
        Length of the random step, in any direction, from each true expert to the given one.
    noise : float
        Noise level that the likelihood assumes.

    Returns
    -------
    (n_sets, 3) bool array
        By the first moment, by the third, and by the likelihood.
    """
    as_theory_model(model, "one noise for all experts", "experts without intercepts")
    right = []
    for seed in range(as_count(n_sets, "n_sets")):
        rng = np.random.default_rng(seed)
        X, y = model.sample(n, rng)
        steps = off * unit_rows(rng.standard_normal(model.experts.shape))
        truth, link = rng.choice([-1.0, 1.0], len(steps)), model.link
        A = truth[:, None] * unit_rows(model.experts + steps)
        first = first_moment_signs(A, X.T @ (y - y.mean()) / n, link=link)
        third = third_moment_signs(A, X, y, link=link)
        likely = likelihood_signs(A, X, y, noise, link=link)
        right.append(np.all([first, third, likely] == truth, axis=1))
    return np.array(right)
