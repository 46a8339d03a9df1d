r"""Moments of transformed labels with score tensors, kept as sums so that batches add up.

For inputs in coordinates :math:`z = V^\top x` (V orthonormal, the identity by default) the two
moments of the key lemma are

.. math:: \hat M = \hat E[(Q_2 - \bar Q_2)\, S_2(z)] / c_2, \qquad
          \hat T = \hat E[(Q_4 - \bar Q_4)\, S_4(z)] / c_4 .

Centring with the sample means leaves the expectations as they are, since :math:`E[S_m] = 0`,
and lowers the variance.
"""

from math import comb

import numpy as np
from scipy.special import poch

from moelib.data.batches import row_blocks
from moelib.experts.control_variates import hermite_features, regression_moment
from moelib.experts.l4 import tensor_l4
from moelib.hermite import score_norm
from moelib.validation import as_matrix, as_positive, as_vector


class Moments:
    r"""Second and fourth moments for the loss L4, from any number of batches.

    Parameters
    ----------
    transforms : LabelTransforms
        The label transforms.
    basis : (d, r) array, optional
        Orthonormal columns; moments are kept for ``X @ basis``.
    fourth : bool
        Whether to keep the fourth moment too: r^4 numbers.
    truncate : float, optional
        Shorten every term :math:`Q_m(y)\, S_m(z)` to at most this many times its root mean square
        length. A few terms far out in the tails then no longer rule the mean, which pays with a
        bias: 10 is cautious, 3 is strong.
    n_blocks : int
        Deal the samples out to so many blocks in turn, and take entry by entry the median of the
        blocks' moments (median of means); 8 log(1/delta) blocks keep an entry's error small with
        probability 1 - delta.
    control : bool
        Control variates: whether to read a moment of order m off a regression of :math:`Q_m` on all
        Hermite polynomials of degree at most m, of which there are p = (r + m)! / (r! m!).

    Raises
    ------
    ValueError
        When ``control`` is asked for together with ``truncate``.

    Notes
    -----
    Cost per sample O(d r + r^4 / 4); memory O(r^4), whatever the number of samples; ``n_blocks``
    times that memory for blocks, and O(p^2) of both for control variates.
    Taught in: :ref:`ch-deriving-l4` and :ref:`ch-heavy-tails`.

    Examples
    --------
    >>> from moelib import label_transforms, standard_model
    >>> X, y = standard_model(d=5).sample(2000, np.random.default_rng(0))
    >>> transforms = label_transforms("identity", noise=0.05)
    >>> whole = Moments(transforms).update(X, y)
    >>> halves = Moments(transforms).update(X[:700], y[:700]).merge(
    ...     Moments(transforms).update(X[700:], y[700:]))
    >>> np.allclose(whole.fourth_moment, halves.fourth_moment)
    True
    """

    def __init__(
        self, transforms, basis=None, fourth=True, truncate=None, n_blocks=1, control=False
    ):
        self.transforms = transforms
        self.basis = None if basis is None else as_matrix(basis, "basis")
        self.fourth = bool(fourth)
        self.truncate = None if truncate is None else as_positive(truncate, "truncate")
        if not isinstance(n_blocks, (int, np.integer)) or n_blocks < 1:
            raise ValueError(f"n_blocks must be a positive integer, got {n_blocks!r}")
        self.n_blocks, self.control = int(n_blocks), bool(control)
        if self.control and truncate is not None:
            raise ValueError("control=True cannot be combined with truncate=: choose one of them")
        self.n = 0
        self._rows = 0
        self._blocks: list[dict] = []

    def update(self, X, y, sample_weight=None):
        """Add a batch, X (n, d) and y (n,), and return the object itself.

        A sample of weight two counts as two samples.

        Parameters
        ----------
        X : (n, d) array
            Inputs.
        y : (n,) array
            Labels.
        sample_weight : (n,) array, optional
            How often each sample counts.
        """
        X = as_matrix(X, "X", n_columns=None if self.basis is None else len(self.basis))
        y = as_vector(y, "y", len(X))
        r = X.shape[1] if self.basis is None else self.basis.shape[1]
        if not self._blocks:
            self._blocks = [_empty_sums(r, self.fourth, self.control) for _ in range(self.n_blocks)]
        elif len(self._blocks[0]["zz"]) != r:
            raise ValueError(f"X must have {len(self._blocks[0]['zz'])} columns, got {r}")
        weights = (
            np.ones(len(y))
            if sample_weight is None
            else as_vector(sample_weight, "sample_weight", len(y))
        )
        for rows in row_blocks(len(X)):
            z = X[rows] if self.basis is None else X[rows] @ self.basis
            for i, sums in enumerate(self._blocks):
                turn = slice((i - self._rows) % self.n_blocks, None, self.n_blocks)
                self._add(sums, z[turn], y[rows][turn], weights[rows][turn])
            self._rows += len(z)
        self.n += weights.sum()
        return self

    def merge(self, other):
        """Return the moments of both sample sets together; neither operand changes."""
        same_basis = (self.basis is None and other.basis is None) or (
            self.basis is not None
            and other.basis is not None
            and np.array_equal(self.basis, other.basis)
        )
        if other.transforms is not self.transforms or not same_basis:
            raise ValueError("other must share this object's transforms and basis to be merged")
        if self._settings() != other._settings():
            raise ValueError(
                "other must keep the same moments: make both with the same fourth= and truncate=, "
                "n_blocks= and control="
            )
        merged = Moments(self.transforms, self.basis, *self._settings())
        merged.n, merged._rows = self.n + other.n, self._rows + other._rows
        parts = [m._blocks for m in (self, other) if m._blocks]
        merged._blocks = [
            {key: sum(sums[key] for sums in same) for key in same[0]}
            for same in zip(*parts, strict=True)
        ]
        return merged

    @property
    def second_moment(self):
        r"""The (r, r) matrix :math:`\hat M`, an estimate of :math:`\sum_i \pi_i a_i a_i^\top`."""
        return np.median([self._second(sums) for sums in self._filled()], axis=0)

    @property
    def fourth_moment(self):
        r"""The (r, r, r, r) tensor :math:`\hat T`, an estimate of
        :math:`\sum_i \pi_i a_i^{\otimes 4}`."""
        blocks = self._filled()
        if not self.fourth:
            raise ValueError("the fourth moment was not kept: make Moments(..., fourth=True)")
        return np.median([self._fourth(sums) for sums in blocks], axis=0)

    def l4_loss(self, V, mu=0.5, lam=1.0, delta=0.0):
        """The loss L4 of candidate experts V (k, r), read off the moments: the moment form."""
        V = as_matrix(V, "V", n_columns=len(self._filled()[0]["zz"]))
        quartic, _ = tensor_l4(self.fourth_moment, V, mu)
        lengths = np.einsum("ia,ab,ib->i", V, self.second_moment, V)
        return float(quartic + lam * np.sum((lengths - 1) ** 2) + delta / 2 * np.sum(V**2))

    def _settings(self):
        return self.fourth, self.truncate, self.n_blocks, self.control

    def _filled(self):
        if not all(sums["n"] for sums in self._blocks or [{"n": 0}]):
            raise ValueError("no sample yet (in every block): call update(X, y) first")
        return self._blocks

    def _second(self, s):
        n, c2 = s["n"], self.transforms.c2
        if self.control:
            return regression_moment(s["gram2"], s["q2_h"], len(s["zz"]), 2) / c2
        identity = np.eye(len(s["zz"]))
        weighted = s["q2_zz"] - s["q2"] * identity
        plain = s["zz"] - n * identity
        return (weighted - s["q2"] / n * plain) / (n * c2)

    def _fourth(self, s):
        n, c4 = s["n"], self.transforms.c4
        if self.control:
            return regression_moment(s["gram4"], s["q4_h"], len(s["zz"]), 4) / c4
        weighted = score4_sum(s["q4_zzzz"], s["q4_zz"], s["q4"])
        plain = score4_sum(s["zzzz"], s["zz"], n)
        return (weighted - s["q4"] / n * plain) / (n * c4)

    def _add(self, s, z, y, weights):
        weighted = z * weights[:, None]
        q2 = self._truncated(self.transforms.q2, z, y) * weights
        s["n"] += weights.sum()
        if self.control:
            s["zz"] += z.T @ weighted
            for order, q in ((2, q2), (4, self.transforms.q4(y) * weights))[: 1 + self.fourth]:
                features = hermite_features(z, order)
                s[f"gram{order}"] += (features * weights[:, None]).T @ features
                s[f"q{order}_h"] += features.T @ q
            return
        s["q2"] += q2.sum()
        s["zz"] += z.T @ weighted
        s["q2_zz"] += (z * q2[:, None]).T @ z
        if self.fourth:
            q4 = self._truncated(self.transforms.q4, z, y) * weights
            first, second = np.triu_indices(z.shape[1])
            pairs = z[:, first] * z[:, second]
            s["q4"] += q4.sum()
            s["q4_zz"] += (z * q4[:, None]).T @ z
            s["zzzz"] += (weighted[:, first] * z[:, second]).T @ pairs
            s["q4_zzzz"] += (pairs * q4[:, None]).T @ pairs

    def _truncated(self, transform, z, y):
        """The transformed labels, shrunk where Q_m(y) S_m(z) would be too long."""
        q = transform(y)
        if self.truncate is None:
            return q
        m = transform.order
        mean_square = transform.variance * poch(z.shape[1], m)  # E|S_m|^2 = r (r+1) .. (r+m-1)
        lengths = np.abs(q) * score_norm(z, m)
        longest = self.truncate * np.sqrt(mean_square)
        return q * np.minimum(1.0, longest / np.maximum(lengths, np.finfo(float).tiny))


def _empty_sums(r, fourth, control):
    sums = {"n": 0.0, "zz": np.zeros((r, r))}
    if control:
        for order in (2, 4)[: 1 + fourth]:
            p = comb(r + order, order)
            sums |= {f"gram{order}": np.zeros((p, p)), f"q{order}_h": np.zeros(p)}
        return sums
    sums |= {"q2": 0.0, "q2_zz": np.zeros((r, r))}
    if fourth:
        n_pairs = r * (r + 1) // 2
        sums |= {"q4": 0.0, "q4_zz": np.zeros((r, r))}
        sums |= {name: np.zeros((n_pairs, n_pairs)) for name in ("zzzz", "q4_zzzz")}
    return sums


def score4_sum(pair_products, products, weight):
    """Sum of weighted S_4(z), from the weighted sums of z z z z, of z z and of 1."""
    r = len(products)
    pair_index = np.zeros((r, r), dtype=int)
    first, second = np.triu_indices(r)
    pair_index[first, second] = pair_index[second, first] = np.arange(len(first))
    fourth = pair_products[pair_index[:, :, None, None], pair_index[None, None]]
    identity = np.eye(r)
    for outer in ("ab,cd->abcd", "ac,bd->abcd", "ad,bc->abcd"):
        fourth = fourth - np.einsum(outer, identity, products)
        fourth -= np.einsum(outer, products, identity)
        fourth += weight * np.einsum(outer, identity, identity)
    return fourth
