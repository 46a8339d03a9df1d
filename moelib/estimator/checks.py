"""What the estimator refuses: every error names the argument and says what to do."""

import numpy as np

from moelib.estimator.methods import METHODS
from moelib.experts.transforms import KINDS
from moelib.likelihood.descent import SOLVERS
from moelib.likelihood.starts import STARTS
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.validation import as_choice, as_not_negative, as_positive


def check_parameters(estimator):
    """Raise ``ValueError`` for parameters of a ``MixtureOfExperts`` that cannot be used."""
    e = estimator
    method = METHODS[as_choice(e.method, "method", list(METHODS))]
    as_link(e.link)
    for name, least in (("n_experts", 2), ("n_init", 1), ("max_iter", 1)):
        value = getattr(e, name)
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    as_positive(e.tol, "tol")
    if e.noise is not None:
        as_positive(e.noise, "noise")
    as_choice(e.solver, "solver", SOLVERS)
    as_choice(e.transforms, "transforms", KINDS)
    if e.truncate is not None:
        as_positive(e.truncate, "truncate")
        if not method.truncates:
            able = _names(lambda one: one.truncates)
            raise ValueError(f"truncate={e.truncate:g} needs one of {able}; not {e.method!r}")
    if e.constant_gate and not method.knows_constant_gate:
        able = _names(lambda one: one.knows_constant_gate)
        raise ValueError(f"constant_gate=True needs one of {able}; {e.method!r} learns gates in x")
    if e.anneal and (not method.anneals or e.noise is None):
        raise ValueError("anneal=True needs method='em' and a known noise=: free noise anneals")
    if method.learn and e.fit_intercept and not e.refine:
        raise ValueError(
            f"fit_intercept=True with method={e.method!r} needs refine=True: the moments "
            "know no intercepts, only the refinement learns them"
        )
    ridge = as_not_negative(e.gate_ridge, "gate_ridge")
    if ridge and not method.knows_ridge:
        able = _names(lambda one: one.knows_ridge)
        raise ValueError(f"gate_ridge={ridge:g} needs one of {able}; {e.method!r} knows no ridge")
    _check_init(e)


def _names(able):
    """The methods that are able to do something, for a message."""
    return ", ".join(repr(name) for name, method in METHODS.items() if able(method))


def _check_init(e):
    if not isinstance(e.init, GatedModel):
        as_choice(e.init, "init", STARTS)
        return
    if METHODS[e.method].learn:
        raise ValueError(f"init=model needs a method that starts somewhere, not {e.method!r}")
    n_experts = METHODS[e.method].surplus * e.n_experts
    if e.init.n_experts != n_experts or e.init.link.name != as_link(e.link).name:
        raise ValueError(
            f"init must be a model with {n_experts} experts and link {e.link!r}, got one with "
            f"{e.init.n_experts} and {e.init.link.name!r}"
        )
    if not e.fit_intercept and (
        np.any(e.init.expert_intercepts) or (not e.constant_gate and np.any(e.init.gate_intercepts))
    ):
        raise ValueError("init has intercepts that would not be learned: pass fit_intercept=True")


def check_data(estimator, sample, free):
    """Raise ``ValueError`` for data that a ``MixtureOfExperts`` cannot use."""
    e, weights = estimator, sample.weights
    n, d = sample.X.shape
    if isinstance(e.init, GatedModel) and e.init.n_features != d:
        raise ValueError(f"init must have {d} features like X, got {e.init.n_features}")
    counted = n if weights is None else np.count_nonzero(weights)
    needed = free.count(e.n_experts, d) + 1
    if counted < needed:
        plural = "s" if counted > 1 else ""
        raise ValueError(
            f"{counted} sample{plural} (n_samples={counted}) are too few for {e.n_experts} experts "
            f"and {d} feature(s), which have {needed - 1} free parameters: at least {needed} "
            "samples or fewer experts are needed"
        )
    if weights is not None and not METHODS[e.method].knows_weights:
        able = _names(lambda one: one.knows_weights)
        raise ValueError(f"sample_weight needs one of {able}; method={e.method!r} knows no weights")
    used = sample.y if weights is None else sample.y[weights > 0]
    if np.ptp(used) == 0:
        raise ValueError(f"y is constant ({used[0]:g}): there is nothing to learn from it")


def as_random_generator(random_state):
    """A ``numpy.random.Generator`` from anything that scikit-learn calls a random state."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, dtype=np.uint64))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "random_state must be None, a non-negative integer, a numpy.random.Generator or a "
            f"RandomState; got {random_state!r}"
        ) from error
