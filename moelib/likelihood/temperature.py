r"""How much noise a learning rate holds: batches shake the experts, and residuals grow by it.

Near an end, with batches of B samples and a learned noise, stochastic gradients move the experts
about as if they were warm. The labels' residuals then contain the shaking, so that the noise that
is learned stays above the one that the data have. To first order in the rate.
"""

import numpy as np

from moelib.data.arrays import as_floats
from moelib.validation import as_not_negative, as_positive


def held_noise(rate, batch_size, shares, n_features, *, noise=0.0):
    r"""The noise that Adam learns at a constant rate, to first order in it; linear experts.

    .. math:: \sigma_\eta^2 = \sigma^2 + 2 c\, \sigma_\eta, \qquad
              c = \frac{\eta\, d}{4 \sqrt B} \sum_i \sqrt{\pi_i} .

    Parameters
    ----------
    rate : float or array
        Learning rate :math:`\eta`.
    batch_size : int
        Samples B of a batch.
    shares : (k,) array
        Shares :math:`\pi_i` of the experts.
    n_features : int
        Columns d, of unit variance.
    noise : float
        The noise :math:`\sigma` of the data.

    Returns
    -------
    float or array
        Shaped as ``rate``.

    Raises
    ------
    ValueError
        When ``batch_size`` is not positive or ``noise`` is negative.

    References
    ----------
    Taught in: :ref:`ch-noise-that-helps`.

    Examples
    --------
    >>> float(held_noise(0.02, 64, np.full(10, 0.1), 20, noise=0.05).round(3))
    0.103
    """
    batch_size, noise = as_positive(batch_size, "batch_size"), as_not_negative(noise, "noise")
    rate, shares = as_floats(rate, shares)
    c = rate * n_features / (4 * np.sqrt(batch_size)) * np.sqrt(shares).sum()
    return c + np.sqrt(c**2 + noise**2)
