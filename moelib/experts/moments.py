r"""Moments of transformed labels with score tensors, from any number of batches.

For inputs in coordinates :math:`z = V^\top x` (V orthonormal, the identity by default) the two
moments of the key lemma are

.. math:: \hat M = \hat E[(Q_2 - \bar Q_2)\, S_2(z)] / c_2, \qquad
          \hat T = \hat E[(Q_4 - \bar Q_4)\, S_4(z)] / c_4 .

Centring with the sample means leaves the expectations as they are, since :math:`E[S_m] = 0`,
and lowers the variance. Both are kept as sums (:mod:`moelib.experts.sums`), so that batches add up.
"""

from contextlib import nullcontext

import numpy as np

from moelib.data.arrays import as_inputs
from moelib.data.batches import as_batch, row_blocks
from moelib.experts.l4 import tensor_l4
from moelib.experts.sums import CHUNK, ControlSums, PlainSums, pair_gram, score4_sum
from moelib.experts.tensors import orthogonal_tensor
from moelib.threads import one_blas_thread
from moelib.validation import as_count, as_matrix, as_positive, as_vector

WIDE = 20  # columns from which the fourth moment gains by threads


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
        self, transforms, basis=None, *, fourth=True, truncate=None, n_blocks=1, control=False
    ):
        self.transforms = transforms
        self.basis = None if basis is None else as_matrix(basis, "basis")
        self.fourth = bool(fourth)
        self.truncate = None if truncate is None else as_positive(truncate, "truncate")
        self.n_blocks, self.control = as_count(n_blocks, "n_blocks"), bool(control)
        if self.control and truncate is not None:
            raise ValueError("control=True cannot be combined with truncate=: choose one of them")
        self.n = 0
        self._n_rows = 0
        self._sums: list = []  # one for each block, from the first sample on

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
        if self.basis is None:
            n_columns = len(self._sums[0].zz) if self._sums else None
        else:
            n_columns = len(self.basis)
        return self.add(*as_batch(X, y, sample_weight, n_columns=n_columns))

    def add(self, X, y, weights=None):
        """What :meth:`update` does, for a batch that has been checked."""
        wide = (X if self.basis is None else self.basis).shape[1] >= WIDE
        with nullcontext() if self.fourth and wide else one_blas_thread:
            return self._add(X, y, weights)

    def _add(self, X, y, weights):
        weights = np.ones(len(y)) if weights is None else weights
        for rows in row_blocks(len(X)):
            z = X[rows] if self.basis is None else X[rows] @ self.basis
            dealt = []
            for i in range(self.n_blocks):
                turn = slice((i - self._n_rows) % self.n_blocks, None, self.n_blocks)
                dealt.append(self._sums_of(z[turn], y[rows][turn], weights[rows][turn]))
            self._sums = _added(self._sums, dealt)
            self._n_rows += len(z)
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
        merged = Moments(self.transforms, self.basis, **self._settings())
        merged.n, merged._n_rows = self.n + other.n, self._n_rows + other._n_rows
        merged._sums = _added(self._sums, other._sums)
        return merged

    @property
    def second_moment(self):
        r"""The (r, r) matrix :math:`\hat M`, an estimate of :math:`\sum_i \pi_i a_i a_i^\top`."""
        return np.median([sums.second(self.transforms.c2) for sums in self._filled()], axis=0)

    @property
    def fourth_moment(self):
        r"""The (r, r, r, r) tensor :math:`\hat T`, an estimate of
        :math:`\sum_i \pi_i a_i^{\otimes 4}`."""
        blocks = self._filled()
        if not self.fourth:
            raise ValueError("the fourth moment was not kept: make Moments(..., fourth=True)")
        return np.median([sums.fourth(self.transforms.c4) for sums in blocks], axis=0)

    def l4_loss(self, V, *, mu=0.5, lam=1.0, delta=0.0):
        """The loss L4 of candidate experts V (k, r), read off the moments: the moment form."""
        V = as_matrix(V, "V", n_columns=len(self._filled()[0].zz))
        quartic, _ = tensor_l4(self.fourth_moment, V, mu)
        lengths = np.einsum("ia,ab,ib->i", V, self.second_moment, V)
        return float(quartic + lam * np.sum((lengths - 1) ** 2) + delta / 2 * np.sum(V**2))

    def _settings(self):
        return dict(
            fourth=self.fourth,
            truncate=self.truncate,
            n_blocks=self.n_blocks,
            control=self.control,
        )

    def _filled(self):
        if not self._sums or not all(sums.n for sums in self._sums):
            raise ValueError("no sample yet (in every block): call update(X, y) first")
        return self._sums

    def _sums_of(self, z, y, weights):
        if self.control:
            return ControlSums.of(z, y, weights, self.transforms, fourth=self.fourth)
        return PlainSums.of(
            z, y, weights, self.transforms, fourth=self.fourth, truncate=self.truncate
        )


def _added(blocks, others):
    """Sums of two lists of blocks, of which one may be empty."""
    if not blocks or not others:
        return blocks or others
    return [one + another for one, another in zip(blocks, others, strict=True)]


def fourth_moment(X, q, *, block=CHUNK):
    r"""The tensor :math:`\hat E[(q - \bar q)\, S_4(x)]` in all d dimensions.

    Centring the labels first saves one of the two sums that :class:`moelib.Moments` keeps.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    q : (n,) array
        Transformed labels, divided by the constant :math:`c_4`.
    block : int
        Rows to treat at a time.

    Returns
    -------
    (d, d, d, d) array

    Examples
    --------
    >>> from moelib import label_transforms, standard_model
    >>> X, y = standard_model(d=5).sample(2000, np.random.default_rng(0))
    >>> pair = label_transforms("identity", noise=0.05)
    >>> T = fourth_moment(X, pair.q4(y) / pair.c4)
    >>> np.allclose(T, Moments(pair).update(X, y).fourth_moment)
    True
    """
    X, block = as_inputs(X), as_count(block, "block")
    q = as_vector(q, "q", len(X))
    q = (q - q.mean()) / len(X)
    return score4_sum(pair_gram(X, q, chunk=block), (X * q[:, None]).T @ X, 0.0)


def population_moments(A, shares, basis=None):
    r"""What the two moments estimate: :math:`\sum_i \pi_i a_i a_i^\top` and the same of order 4.

    Parameters
    ----------
    A : (k, d) array
        Experts, of length one.
    shares : (k,) array
        Shares :math:`\pi_i = E[p_i(x)]` of the experts.
    basis : (d, r) array, optional
        Coordinates, as in :class:`Moments`.

    Returns
    -------
    M : (r, r) array
        The moment of order 2.
    T : (r, r, r, r) array
        The moment of order 4.

    Examples
    --------
    >>> M, T = population_moments(np.eye(2), np.array([0.75, 0.25]))
    >>> M
    array([[0.75, 0.  ],
           [0.  , 0.25]])
    >>> float(T[0, 0, 0, 0])
    0.75
    """
    A, shares = as_matrix(A, "A"), as_vector(shares, "shares", len(A))
    A = A if basis is None else A @ as_matrix(basis, "basis")
    return np.einsum("m,ma,mb->ab", shares, A, A), orthogonal_tensor(shares, A)
