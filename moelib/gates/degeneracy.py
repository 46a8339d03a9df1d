"""What can be wrong with a fitted mixture: an expert that never fires, gates that separate their
experts perfectly, experts that cannot be told apart. Each is found by name."""

import numpy as np
from scipy.linalg import pinvh
from scipy.optimize import linprog
from scipy.sparse.csgraph import connected_components

from moelib.parameters import FreeParameters
from moelib.validation import as_sample

IN_DOUBT = 0.1  # samples; two groups of experts with less than this in doubt are separated


def find_degeneracies(model, X, y, *, free=FreeParameters(), covariance=None, sample_weight=None):
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
    ['the gate separates expert 1 from expert 2 perfectly: ... gate_ridge from 0.05 ...']

    References
    ----------
    Albert & Anderson (1984) on separation.   Taught in: :ref:`ch-learning-gates`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    return degeneracies_from_sample(model, sample, free=free, covariance=covariance)


def degeneracies_from_sample(model, sample, *, free=FreeParameters(), covariance=None):
    """What :func:`find_degeneracies` does, on data that have been checked."""
    fires = sample.total * sample.mean(model._posterior(sample.X, sample.y))
    dead = fires < model.n_features + free.intercepts
    alive = np.flatnonzero(~dead)
    return [
        *(_hardly_fires(i, fires[i], sample.total) for i in np.flatnonzero(dead)),
        *_separations(model, sample, alive),
        *_coincidences(model, free, covariance, sample.total, alive),
    ]


def separating_gate(model, X, y):
    r"""A gate that sends every sample to the expert nearest to its label, if there is one.

    A linear program: :math:`\langle w_i - w_j, x\rangle \ge 1` for the nearest expert i and every
    other j, at every sample. With it the likelihood has no maximum in the gates, or hardly one.

    Parameters
    ----------
    model : GatedModel
        Its experts and noise; its gates play no part.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.

    Returns
    -------
    (k-1, d) array or None
        ``None`` if no gate separates the samples.

    References
    ----------
    Albert & Anderson (1984).   Taught in: :ref:`ch-learning-gates`.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> X, model = np.array([[-1.0], [2.0]]), GatedModel([[1.0], [-1.0]], [[0.0]], 0.1)
    >>> float(separating_gate(model, X, np.abs(X[:, 0])).item()) >= 1
    True
    """
    sample = as_sample(X, y, n_columns=model.n_features)
    nearest = np.argmin((sample.y[:, None] - model._expert_means(sample.X)) ** 2, axis=1)
    one_hot = np.eye(model.n_experts)
    signs = (one_hot[nearest, None] - one_hot)[:, :, :-1]
    ahead = np.einsum("sji,sd->sjid", signs, sample.X).reshape(-1, model.gates.size)
    ahead = ahead[np.any(ahead, axis=1)]
    zero, one = np.zeros(model.gates.size), np.ones(len(ahead))
    found = linprog(zero, -ahead, -one, bounds=(None, None)).x
    return None if found is None else found.reshape(model.gates.shape)


def _hardly_fires(i, count, total):
    return (
        f"expert {i + 1} hardly ever fires: it answers {count:.2g} of {total:g} samples, fewer "
        "than it has parameters. Use fewer experts, more samples or another start"
    )


def _separations(model, sample, alive):
    """Components of the graph whose edges are pairs of experts with samples in doubt."""
    p = np.exp(model._log_gate_probabilities(sample.X))[:, alive]
    weighted = p if sample.weights is None else p * sample.weights[:, None]
    in_doubt = sample.total / len(sample) * (weighted.T @ p)
    n_groups, group = connected_components(in_doubt > IN_DOUBT / len(alive) ** 2, directed=False)
    for g in range(1, n_groups):
        yield (
            f"the gate separates {_names(alive[group == 0])} from {_names(alive[group == g])} "
            "perfectly: steeper copies of it are hardly less likely, so its size is not "
            "determined, only where it switches. Report that; or, for finite gates, lower "
            f"gate_ridge from {1 / sample.total:.2g} (a standard normal prior on their slopes, for "
            "inputs of unit scale) until the switch stays where it is"
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
