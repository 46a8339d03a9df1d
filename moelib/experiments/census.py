"""The census: where random starts end on L4, below and above mu = 1, and with a disturbed tensor.

A cell is a number of experts, a weight mu and a size of the disturbance. From many random starts on
each of its random tensors, the library's minimiser looks for minima, and a descent on the length of
the gradient for critical points of any kind.
"""

import time
import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment

from moelib.experiments.experiment import Experiment
from moelib.experts.critical_points import (
    POINT_KINDS,
    classify,
    find_critical_points,
    merge,
    stable_occupancies,
)
from moelib.experts.l4 import derivatives, minimize_l4_lbfgs, random_unit_rows
from moelib.experts.tensors import orthogonal_tensor, random_symmetric
from moelib.validation import ConvergenceWarning

TENSORS, STARTS = 10, 100
NEAR = 1.0  # a minimum is right if it is nearer to the truth; the next vertex is at sqrt(2)
MUS = (0.05, 0.5, 0.8, 0.95, 0.99, 1.01, 1.05, 1.2, 1.5, 2.0, 2.5, 3.0)
K_DISTURBED, MUS_DISTURBED, SIZES = 4, (0.05, 0.25, 0.5, 0.75, 0.95), (0.25, 0.5, 1.0, 2.0, 4.0)


def make_grid():
    """All cells: k against mu without a disturbance, then mu against its size for one k."""
    cells: list[dict] = [dict(k=k, mu=mu, noise=0.0) for k in range(2, 7) for mu in MUS]
    return cells + [
        dict(k=K_DISTURBED, mu=mu, noise=size) for mu in MUS_DISTURBED for size in SIZES
    ]


def random_tensor(k, noise, rng):
    r"""A tensor :math:`\sum_m \lambda_m u_m^{\otimes 4} + E` with random parts.

    The shares 1 / lambda_m are half equal and half uniform on the simplex, so none is below
    1 / (2k). E is symmetric and Gaussian, and its Frobenius norm is ``noise`` times the smallest
    weight.

    Parameters
    ----------
    k : int
        Number of components.
    noise : float
        Norm of E in units of the smallest weight.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    T : (k, k, k, k) array
        The tensor.
    U : (k, k) array
        Its components, in orthonormal rows.
    lam : (k,) array
        Their weights.
    """
    lam = 2 / (1 / k + rng.dirichlet(np.ones(k)))
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    E = random_symmetric(k, 4, rng)
    E *= noise * lam.min() / np.linalg.norm(E)
    return orthogonal_tensor(lam, U) + E, U, lam


def run_cell(cell, seed, *, tensors=TENSORS, starts=STARTS):
    """Two rows for each tensor of a cell: ``descent`` and ``newton``.

    Columns: ``right`` and ``stray`` count starts that end at a strict minimum within ``NEAR`` of
    the truth, and at any other strict minimum; ``minima``, ``saddles`` and ``degenerate`` count
    distinct points, up to the order and signs of rows, and ``promised`` the minima of theory;
    ``flattest`` is the largest of the saddles' smallest eigenvalues, as a share of the smallest
    weight; ``moved`` is the distance from the truth to the end of a descent that starts there:
    beyond ``NEAR``, the minimum near the truth is lost.
    """
    rows = []
    for tensor, tensor_seed in enumerate(seed.spawn(tensors)):
        rng = np.random.default_rng(tensor_seed)
        T, U, lam = random_tensor(cell["k"], cell["noise"], rng)
        moved = distance(_minimize(T, U, cell["mu"]), U)
        promised = len(stable_occupancies(lam, cell["k"], cell["mu"]))
        for method in ("descent", "newton"):
            begin = time.perf_counter()
            points = np.array([random_unit_rows(cell["k"], rng) for _ in range(starts)])
            if method == "descent":
                points = np.array([_minimize(T, V, cell["mu"]) for V in points])
            ends = find_critical_points(T, points, cell["mu"])
            seconds = time.perf_counter() - begin
            rows.append(
                {"tensor": tensor, "method": method, "starts": starts}
                | summary(T, ends, U, cell["mu"], lam.min())
                | {
                    "promised": promised if cell["noise"] == 0 else np.nan,
                    "moved": moved,
                    "seconds": seconds,
                }
            )
    return rows


def distance(V, U):
    """Frobenius distance between V and U, the least over orders and signs of rows.

    Examples
    --------
    >>> float(distance(-np.eye(3)[[2, 0, 1]], np.eye(3)))
    0.0
    """
    cosines = V @ U.T
    rows, columns = linear_sum_assignment(np.abs(cosines), maximize=True)
    signs = np.where(cosines[rows, columns] < 0, -1.0, 1.0)
    return np.linalg.norm(signs[:, None] * V[rows] - U[columns])


def summary(T, ends, U, mu, unit):
    """What is at the ends: starts at each kind of point, and distinct points."""
    spectra = np.linalg.eigvalsh(derivatives(T, ends, mu)[2])
    kinds = classify(spectra)
    labels, minimum = merge(ends), kinds == POINT_KINDS[0]
    near = np.array([distance(V, U) < NEAR for V in ends], dtype=bool)
    saddle = kinds == POINT_KINDS[1]
    distinct = [len(np.unique(labels[kinds == kind])) for kind in POINT_KINDS]
    return {
        "right": np.sum(near & minimum),
        "stray": np.sum(~near & minimum),
        "at_saddle": np.sum(saddle),
        "minima": distinct[0],
        "saddles": distinct[1],
        "degenerate": distinct[2],
        "flattest": spectra[saddle, 0].max() / unit if saddle.any() else np.nan,
    }


def _minimize(T, V, mu):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an end off a minimum is counted
        return minimize_l4_lbfgs(T, V, mu)[0]


CENSUS = Experiment(
    name="census",
    description=(
        f"Where starts end on L4: {TENSORS} random tensors a cell, {STARTS} starts a tensor for "
        "descents, and as many for critical points of any kind."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("tensor", "method"),
)
