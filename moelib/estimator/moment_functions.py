r"""Functions of a label whose mean a fit foretells exactly, whatever the inputs are.

Each is :math:`\psi(x, y) = f(x, y)\, u(x)` less its conditional mean under the fit,
:math:`h = \psi - E[\psi \mid x]`. With the posterior r, the standardised residuals
:math:`e_i = (y - g_i) / \sigma_i` and :math:`He_2, He_4` of them, the parts are

- *second moment*: :math:`v^2`, with v the standardised label, times :math:`He_2` of the experts'
  directions and the length of x off all of them;
- *fourth moment*: :math:`He_4(v)` times :math:`He_4` of the experts' directions;
- *gates*: :math:`r_i - p_i` times :math:`He_2` of the direction of expert i, of that of gate i, and
  the length of x;
- *experts*: :math:`r_i He_2(e_i)` times one and the length of x, and :math:`r_i He_4(e_i)`.

What multiplies the posterior needs no integral: r_i times the density is p_i times the density of
expert i, so :math:`E[r_i f(e_i) \mid x] = p_i\, E f(N)`. Functions of the label alone are averaged
by the trapezoidal rule, expert by expert. To keep tails short, v, directions and, in
:math:`He_4(e_i)`, residuals are cut at three: any function will do that is centred under the fit.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import ndtr

from moelib.data.batches import row_blocks

CUT = 3.0  # standard deviations at which labels, directions and residuals are cut
CONSTANT = 1e-12  # spread of a column, in units of its largest entry, that is rounding
STEP, WIDTH = 0.1, 6.0  # of the trapezoidal rule, in units of each expert's noise


@dataclass(frozen=True, eq=False)
class MomentFunctions:
    """The functions of a fit at some inputs, and what they are called.

    Attributes
    ----------
    names : DataFrame
        A row for each function: its ``part``, ``expert``, numbered from 1 and 0 for none, and
        ``function``.
    label_weights : tuple of (n, m) arrays
        What multiplies the second and fourth moment of the label.
    gate_weights, spread_weights : list of (n, c) arrays
        What multiplies r_i - p_i and r_i He_2(e_i), for each expert.
    answers, probabilities : (n, k) arrays
        What experts answer, and the gate's probabilities.
    noises : (k,) array
        Noise of each expert.
    centre, scale : float
        Of the labels.
    expected : tuple of (n,) arrays
        Conditional means of the label's two functions.
    """

    names: pd.DataFrame
    label_weights: tuple
    gate_weights: list
    spread_weights: list
    answers: np.ndarray
    probabilities: np.ndarray
    noises: np.ndarray
    centre: float
    scale: float
    expected: tuple

    def __len__(self):
        return len(self.names)

    def values(self, y, posterior, rows=slice(None)):
        """The functions at labels of some rows, less their conditional means: (m, P).

        Parameters
        ----------
        y : (m,) array
            Labels, those of the sample or drawn from the fit.
        posterior : (m, k) array
            The fit's posterior of these labels.
        rows : slice or (m,) int array
            The rows of the inputs that they belong to.

        Returns
        -------
        (m, P) array
        """
        columns = [
            weight[rows] * (f - mean[rows])[:, None]
            for weight, f, mean in zip(
                self.label_weights, self.of_labels(y), self.expected, strict=True
            )
        ]
        p, k = self.probabilities[rows], len(self.noises)
        e = (y[:, None] - self.answers[rows]) / self.noises
        shift = posterior - p
        columns += [shift[:, [i]] * weight[rows] for i, weight in enumerate(self.gate_weights)]
        spread = posterior * he2(e)
        tails = posterior * he4(np.clip(e, -CUT, CUT)) - p * mean_of_cut_he4()
        for i in range(k):
            columns += [spread[:, [i]] * self.spread_weights[i][rows], tails[:, [i]]]
        return np.hstack(columns)

    def of_labels(self, y):
        """The label's second and fourth function, for labels of any shape."""
        v = np.clip((y - self.centre) / self.scale, -CUT, CUT)
        return v**2, he4(v)


def he2(t):
    """He_2, for arrays of many entries."""
    return t * t - 1


def he4(t):
    """He_4, for arrays of many entries."""
    square = t * t
    return (square - 6) * square + 3


@cache
def mean_of_cut_he4():
    """Mean of He_4 of a standard normal number that is cut at three."""
    t = np.linspace(-CUT, CUT, 6001)
    inside = np.trapezoid(he4(t) * np.exp(-(t**2) / 2), t) / np.sqrt(2 * np.pi)
    return float(inside + he4(CUT) * 2 * ndtr(-CUT))


def moment_functions(model, sample):
    """The functions of a fit at the inputs of a sample.

    Parameters
    ----------
    model : GatedModel
        The fit.
    sample : Sample
        The data; of the labels only mean and spread count.

    Returns
    -------
    MomentFunctions

    Examples
    --------
    >>> from moelib import standard_model
    >>> from moelib.validation import as_sample
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> functions = moment_functions(model, as_sample(X, y))
    >>> functions.names["part"].value_counts(sort=False).tolist()
    [3, 2, 6, 6]
    >>> functions.values(y, model.posterior(X, y)).shape
    (1000, 17)
    """
    white = whitening(sample)
    Z, k = (sample.X - sample.mean(sample.X)) @ white, model.n_experts
    along = directions(model.experts, white)
    tilts = np.vstack([directions(model.gates, white), np.zeros((1, Z.shape[1]))])
    second = [_along(he2, Z, u) for u in along]
    off, length = _length(Z, remaining(along)), _length(Z, np.eye(Z.shape[1]))
    gates = [
        np.column_stack([second[i], _along(he2, Z, tilts[i]), length])
        for i in range(k if k > 1 else 0)
    ]
    fourth = np.column_stack([_along(he4, Z, u) for u in along])
    centre = float(sample.mean(sample.y))
    functions = MomentFunctions(
        names=_names(k),
        label_weights=(np.column_stack([*second, off]), fourth),
        gate_weights=gates,
        spread_weights=[np.column_stack([np.ones(len(Z)), length])] * k,
        answers=model._expert_means(sample.X),
        probabilities=np.exp(model._log_gate_probabilities(sample.X)),
        noises=np.array(model.noises),
        centre=centre,
        scale=float(np.sqrt(sample.mean((sample.y - centre) ** 2))),
        expected=(),
    )
    object.__setattr__(functions, "expected", _expected(functions))
    return functions


def whitening(sample):
    """A matrix (d, m) that takes centred inputs to uncorrelated ones of unit spread, m <= d."""
    Z = sample.X - sample.mean(sample.X)
    if sample.weights is not None:
        Z = Z * np.sqrt(sample.weights)[:, None]
    size = np.sqrt(np.mean(Z**2, axis=0))
    varies = size > CONSTANT * np.abs(sample.X).max(axis=0)
    Z, size = Z * varies, np.where(varies, size, 1.0)
    values, vectors = np.linalg.eigh(Z.T @ Z / len(Z) / np.outer(size, size))
    kept = values > 1e-10
    return vectors[:, kept] / np.sqrt(values[kept]) / size[:, None]


def directions(rows, white):
    """Unit directions, in whitened inputs, of linear functions of the inputs; zero stays zero."""
    along = rows @ np.linalg.pinv(white).T
    size = np.linalg.norm(along, axis=1, keepdims=True)
    return np.divide(along, size, out=np.zeros_like(along), where=size > 1e-8)


def remaining(along):
    """An orthonormal basis, in columns, of what is orthogonal to all rows (k, m)."""
    _, values, rows = np.linalg.svd(along)
    return rows[int(np.sum(values > 1e-8)) :].T


def _along(polynomial, Z, direction):
    if not direction.any():
        return np.zeros(len(Z))
    return polynomial(np.clip(Z @ direction, -CUT, CUT))


def _length(Z, basis):
    """The squared length of whitened inputs in a subspace, standardised as if they were normal."""
    m = basis.shape[1]
    if m == 0:
        return np.zeros(len(Z))
    squares = np.sum((Z @ basis) ** 2, axis=1)
    return np.clip((squares - m) / np.sqrt(2 * m), -CUT, 2 * CUT)


def _expected(functions):
    """Conditional means of the label's functions, by the trapezoidal rule for each expert."""
    nodes = np.arange(-WIDTH, WIDTH + STEP / 2, STEP)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    expected = np.zeros((2, len(functions.answers)))
    for block in row_blocks(expected.shape[1]):
        answers, p = functions.answers[block], functions.probabilities[block]
        for i, noise in enumerate(functions.noises):
            found = functions.of_labels(answers[:, [i]] + noise * nodes)
            expected[:, block] += [p[:, i] * (f @ weights) for f in found]
    return tuple(expected)


def _names(k):
    experts = range(1, k + 1)
    rows = [("second moment", i, "squares along") for i in experts]
    rows += [("second moment", 0, "squares off all")]
    rows += [("fourth moment", i, "fourth powers along") for i in experts]
    if k > 1:
        kinds = ("along the expert", "along the gate", "length")
        rows += [("gates", i, kind) for i in experts for kind in kinds]
    rows += [("experts", i, kind) for i in experts for kind in ("spread", "fan", "tails")]
    return pd.DataFrame(rows, columns=["part", "expert", "function"])
