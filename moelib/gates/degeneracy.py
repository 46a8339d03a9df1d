"""What can be wrong with a fitted mixture: an expert that never fires, gates that separate their
experts perfectly, experts that cannot be told apart. Each is found by name."""

import numpy as np
from scipy.linalg import pinvh
from scipy.sparse.csgraph import connected_components

from moelib.parameters import FreeParameters
from moelib.validation import as_weights

IN_DOUBT = 0.1  # samples; two groups of experts with less than this in doubt are separated


def find_degeneracies(model, X, y, free=FreeParameters(), covariance=None, sample_weight=None):
    r"""Name what is degenerate in a fitted mixture of experts; experts are numbered from 1.

    - An expert *hardly fires* if the posterior gives it fewer samples, the sum of :math:`r_i`, than
      it has parameters.
    - Two groups of experts are *separated perfectly* if the expected number of samples in doubt
      between them, the sum of :math:`p_i p_{i'}` over samples and pairs across, is below
      ``IN_DOUBT``. The fitted gate can then grow at hardly any cost, and the likelihood may have no
      maximum.
    - Two experts *coincide* if the data hardly tell them apart: the Wald statistic of their
      difference is below what BIC charges for an expert, its number of parameters times
      :math:`\log n`. (A test at 95 % would not do: a superfluous expert has searched the samples
      for what sets it apart.)

    Parameters
    ----------
    model : GatedModel
        The model as fitted.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    free : FreeParameters
        What was learned.
    covariance : (q, q) array, optional
        Covariance of the estimates, from :func:`moelib.standard_errors`; without it the third is
        not looked for.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    list of str
        One sentence each, and what to do.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> model = GatedModel([[1.0], [-1.0]], [[5000.0]], 0.1)
    >>> find_degeneracies(model, X, np.abs(X[:, 0]))
    ['the gate separates expert 1 from expert 2 perfectly: ... gate_ridge=0.05 is ...']

    References
    ----------
    Albert & Anderson (1984) on separation.   Taught in: :ref:`ch-learning-gates`.
    """
    weights = as_weights(sample_weight, len(y))
    total = len(y) if sample_weight is None else float(np.sum(sample_weight))
    fires = total * np.average(model.posterior(X, y), axis=0, weights=weights)
    dead = fires < model.n_features + free.intercepts
    return [
        *(_hardly_fires(i, fires[i], total) for i in np.flatnonzero(dead)),
        *_separations(model, X, weights, total, np.flatnonzero(~dead)),
        *_coincidences(model, free, covariance, total, np.flatnonzero(~dead)),
    ]


def _hardly_fires(i, count, total):
    return (
        f"expert {i + 1} hardly ever fires: it answers {count:.2g} of {total:g} samples, fewer "
        "than it has parameters. Use fewer experts, more samples or another start"
    )


def _separations(model, X, weights, total, alive):
    """Components of the graph whose edges are pairs of experts with samples in doubt."""
    p = model.gate_probabilities(X)[:, alive]
    weighted = p if weights is None else p * weights[:, None]
    in_doubt = total / len(X) * (weighted.T @ p)
    n_groups, group = connected_components(in_doubt > IN_DOUBT / len(alive) ** 2, directed=False)
    for g in range(1, n_groups):
        yield (
            f"the gate separates {_names(alive[group == 0])} from {_names(alive[group == g])} "
            "perfectly: steeper copies of it are hardly less likely, so its size is not "
            "determined, only where it switches. For finite gates and standard errors use a ridge: "
            f"gate_ridge={1 / total:.2g} is a standard normal prior on their slopes, for inputs of "
            "unit scale"
        )


def _coincidences(model, free, covariance, total, alive):
    if covariance is None:
        return
    k, d = model.experts.shape
    experts, gates = free.rows(model)
    price = (experts.shape[1] + gates.shape[1]) * np.log(total)
    places, _, _ = free.blocks(np.arange(len(covariance)), k, d)
    for a, i in enumerate(alive):
        for j in alive[a + 1 :]:
            difference = experts[i] - experts[j]
            own, other = places[i], places[j]
            spread = (
                covariance[np.ix_(own, own)]
                + covariance[np.ix_(other, other)]
                - covariance[np.ix_(own, other)]
                - covariance[np.ix_(other, own)]
            )
            wald = difference @ pinvh(spread) @ difference
            if wald < price:
                yield (
                    f"experts {i + 1} and {j + 1} coincide as far as these data can tell (Wald "
                    f"statistic {wald:.2g}, below the {price:.2g} that BIC charges for an expert): "
                    "use fewer experts or more samples"
                )


def _names(experts):
    numbers = ", ".join(str(i + 1) for i in experts)
    return f"experts {numbers}" if len(experts) > 1 else f"expert {numbers}"
