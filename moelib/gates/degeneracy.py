"""What can be wrong with a fitted mixture: an expert that never fires, a noise that has collapsed,
gates that separate their experts perfectly, experts that cannot be told apart. Each by its name."""

import numpy as np
from scipy.optimize import linprog
from scipy.sparse.csgraph import connected_components

from moelib.climb import NOISE_FLOOR, noise_floor
from moelib.gates.coincidence import coincidences
from moelib.gates.loss import log_normal_density
from moelib.parameters import FreeParameters
from moelib.units import Units
from moelib.validation import as_matrix, as_sample

EXACT = 0.5  # of what rounding alone leaves; a noise below says that labels are answered exactly
ON_THE_GRID = 1e-3  # of a step; labels that are no further from its multiples are rounded to them
IN_DOUBT = 0.1  # samples; two groups of experts with less than this in doubt are separated


def find_degeneracies(model, X, y, *, free=FreeParameters(), covariance=None, sample_weight=None):
    r"""Name what is degenerate in a fitted mixture of experts; experts are numbered from 1.

    - An expert *hardly fires* if the posterior gives it fewer samples, the sum of :math:`r_i`, than
      it has parameters; than twice as many, if it has a noise of its own. A single expert always
      fires.
    - A *noise has collapsed* if it is at the floor of :math:`10^{-6}` of the labels' spread that
      keeps the likelihood finite: experts answer their labels exactly, and the likelihood grows
      without bound as the noise falls. Or if labels repeat each other, all are multiples of a step
      h, and it is less than half of what rounding to them leaves, :math:`h / \sqrt{12}`: a density
      that is narrower than the step says nothing about such labels.
    - Two groups of experts are *separated perfectly* if the expected number of samples in doubt
      between them, the sum of :math:`p_i p_{i'}` over samples and pairs across, is below
      ``IN_DOUBT``. The fitted gate can then grow at hardly any cost, and the likelihood may have no
      maximum.
    - Two experts *coincide* if the data hardly tell them apart: the Wald statistic of their
      difference, in their noises too if each has its own, is below what BIC charges for an expert,
      its number of parameters times
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
        Covariance of the estimates, from :func:`moelib.standard_errors`; without it the last is not
        looked for.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    list of str
        One sentence each, and what to do.

    Raises
    ------
    ValueError
        When the covariance is not that of what ``free`` says was learned.

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
    units = Units.of(sample, free, model.link)
    if covariance is not None:
        q = free.count(*model.experts.shape)
        covariance = as_matrix(covariance, "covariance", n_columns=q)
        if len(covariance) != q:
            raise ValueError(f"covariance must have shape ({q}, {q}), got {covariance.shape}")
        inward = np.linalg.inv(units.jacobian(free, model.n_experts))
        covariance = inward @ covariance @ inward.T
    inner, free = units.inward(model), units.inward_free(free)
    return degeneracies_from_sample(inner, units.sample(sample), free=free, covariance=covariance)


def degeneracies_from_sample(model, sample, *, free=FreeParameters(), covariance=None):
    """What :func:`find_degeneracies` does, on data that have been checked, in any units."""
    fires = _answers(model, sample)
    dead = fires < _least_answers(model, free)
    alive = np.flatnonzero(~dead)
    return [
        *(_hardly_fires(i, fires[i], sample, free) for i in np.flatnonzero(dead)),
        *_collapses(model, sample, free, fires),
        *_separations(model, sample, alive),
        *coincidences(model, sample.total, counted(sample), free, covariance, alive),
    ]


def counted(sample):
    """How many samples there are: the sum of the weights, or, where they are normalised to less,
    how many equal ones would say as much."""
    if sample.weights is None:
        return sample.total
    return max(sample.total, len(sample) / float(np.mean(sample.weights**2)))


def collapsed_experts(model, sample, free=FreeParameters()):
    """Numbers of the experts whose noise, if it is learned, has collapsed; from 0."""
    if not free.noise:
        return np.zeros(0, dtype=int)
    y = sample.y if sample.weights is None else sample.y[sample.weights > 0]
    least = max(2 * noise_floor(sample), EXACT * rounding_step(y) / np.sqrt(12))
    return np.flatnonzero(model.noises <= least)


def rounding_step(y):
    """The step of which all labels are multiples, from some place on; zero if they are not.

    Labels that never repeat each other are not rounded.

    Parameters
    ----------
    y : (n,) array
        Labels.

    Returns
    -------
    float

    Examples
    --------
    >>> rounding_step(np.array([1.0, 3, 4, 4])), rounding_step(np.array([1.0, 3, 4.5, 4.5]))
    (1.0, 0.0)
    """
    levels = np.unique(y)
    if len(levels) < 2 or len(levels) == len(y):
        return 0.0
    multiples = (levels - levels[0]) / np.diff(levels).min()
    off = np.abs(multiples - np.round(multiples)).max()
    return float(np.ptp(levels) / np.round(multiples[-1])) if off < ON_THE_GRID else 0.0


def is_sound(model, sample, free):
    """Whether a fit may be compared by its likelihood: no noise has collapsed, and no expert with a
    noise of its own answers but a few samples, which it can be as near to as it likes."""
    if len(collapsed_experts(model, sample, free)):
        return False
    few = free.noise_per_expert and np.any(_answers(model, sample) < _least_answers(model, free))
    return not few


def _answers(model, sample):
    """How many samples each expert answers, (k,)."""
    return counted(sample) * sample.mean(model._posterior(sample.X, sample.y))


def _least_answers(model, free):
    if model.n_experts == 1:
        return 0
    return free.widths(model.n_features)[0] * (2 if free.noise_per_expert else 1)


def separating_gate(model, X, y):
    r"""A gate that sends every sample to the expert who makes its label likeliest, if there is one.

    With one noise for all that is the expert nearest to the label. A linear program:
    :math:`\langle w_i - w_j, x\rangle \ge 1` for this expert i and every other j, at every sample.
    With it the likelihood has no maximum in the gates, or hardly one.

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
    if model.n_experts == 1:
        return np.array(model.gates)
    squares = (sample.y[:, None] - model._expert_means(sample.X)) ** 2
    nearest = np.argmax(log_normal_density(squares, model.noise**2), axis=1)
    one_hot = np.eye(model.n_experts)
    signs = (one_hot[nearest, None] - one_hot)[:, :, :-1]
    ahead = np.einsum("sji,sd->sjid", signs, sample.X).reshape(-1, model.gates.size)
    ahead = ahead[np.any(ahead, axis=1)]
    zero, one = np.zeros(model.gates.size), np.ones(len(ahead))
    found = linprog(zero, -ahead, -one, bounds=(None, None)).x
    return None if found is None else found.reshape(model.gates.shape)


def _hardly_fires(i, count, sample, free):
    n_parameters = free.widths(sample.X.shape[1])[0] + free.noise_per_expert
    return (
        f"expert {i + 1} hardly ever fires: it answers {count:.2g} of {counted(sample):g} samples, "
        f"too few for its {n_parameters} parameters. Use fewer experts, more samples or another "
        "start"
    )


def _collapses(model, sample, free, fires):
    collapsed = collapsed_experts(model, sample, free)
    if not len(collapsed):
        return
    spread = noise_floor(sample) / NOISE_FLOOR
    if np.ndim(model.noise) == 0:
        k = model.n_experts
        who = "the only expert answers" if k == 1 else f"the {k} experts answer"
        cure = "leave out columns" if k == 1 else "use fewer experts"
        yield (
            f"the noise has collapsed to {model.noise / spread:.1g} of the labels' spread: {who} "
            "the labels exactly, or nearer than they are rounded, so that the likelihood and "
            "criteria such as BIC mean nothing. Labels may be rounded, tied, counts or without "
            f"noise: {cure}, a known noise, or a model made for such labels"
        )
    else:
        answers = ", ".join(f"{fires[i]:.3g}" for i in collapsed)
        sizes = ", ".join(f"{model.noise[i] / spread:.1g}" for i in collapsed)
        yield (
            f"the noise of {_names(collapsed)} has collapsed to {sizes} of the labels' spread: "
            f"{answers} labels are answered exactly, or nearer than they are rounded, so that the "
            "likelihood and criteria such as BIC mean nothing. Labels may be rounded, tied, counts "
            "or without noise: use noise='shared', fewer experts, a known noise, or a model made "
            "for such labels"
        )


def _separations(model, sample, alive):
    """Components of the graph whose edges are pairs of experts with samples in doubt."""
    if len(alive) < 2:
        return
    p = np.exp(model._log_gate_probabilities(sample.X))[:, alive]
    weighted = p if sample.weights is None else p * sample.weights[:, None]
    in_doubt = counted(sample) / len(sample) * (weighted.T @ p)
    n_groups, group = connected_components(in_doubt > IN_DOUBT / len(alive) ** 2, directed=False)
    for g in range(1, n_groups):
        yield (
            f"the gate separates {_names(alive[group == 0])} from {_names(alive[group == g])} "
            "perfectly: steeper copies of it are hardly less likely, so its size is not "
            "determined, only where it switches. Report that; or, for finite gates, lower "
            f"gate_ridge from {1 / counted(sample):.2g} (a standard normal prior on their slopes, "
            "for inputs of unit scale) until the switch stays where it is"
        )


def _names(experts):
    numbers = ", ".join(str(i + 1) for i in experts)
    return f"experts {numbers}" if len(experts) > 1 else f"expert {numbers}"
