"""What the estimator refuses: every error names the argument and says what to do."""

import numbers
from types import SimpleNamespace

import numpy as np

from moelib.estimator.methods import METHODS, recommended
from moelib.experts.transforms import KINDS
from moelib.likelihood.descent import SOLVERS
from moelib.likelihood.starts import STARTS
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.validation import as_choice, as_count, as_not_negative, as_positive, as_probability

NOISES = ["per-expert", "shared"]


def check_parameters(estimator):
    """Raise ``ValueError`` for parameters of a ``MixtureOfExperts`` that cannot be used."""
    e = estimator
    as_choice(e.method, "method", ["auto", *METHODS])
    as_link(e.link)
    for name in ("n_experts", "n_init", "max_iter"):
        as_count(getattr(e, name), name)
    as_positive(e.tol, "tol")
    if isinstance(e.noise, str):
        as_choice(e.noise, "noise", [*NOISES, "a positive number"])
    elif e.noise is not None:
        as_positive(e.noise, "noise")
    as_choice(e.solver, "solver", [*SOLVERS, "orthonormal"])
    as_choice(e.transforms, "transforms", KINDS)
    if e.truncate is not None:
        as_positive(e.truncate, "truncate")
    as_not_negative(e.gate_ridge, "gate_ridge")
    as_probability(e.mu, "mu")
    if not isinstance(e.trim, numbers.Real) or not 0 <= float(e.trim) < 0.5:
        raise ValueError(f"trim must be a share of at least 0 and below 0.5, got {e.trim!r}")
    if e.trim and not e.refine:
        raise ValueError("trim climbs to a maximum of the likelihood: it needs refine=True")
    if e.order_by is not None and not isinstance(e.order_by, str):
        raise ValueError(f"order_by must be a rule or the name of a column, got {e.order_by!r}")
    if not isinstance(e.init, GatedModel):
        as_choice(e.init, "init", ["mixed", *STARTS])


def resolved(estimator):
    """The parameters of a ``MixtureOfExperts`` with everything decided that was left open.

    Returns
    -------
    namespace
        Its parameters. ``method`` is the one to run, ``noise`` is "per-expert", "shared" or
        "known", ``known_noise`` a number or None.

    Raises
    ------
    ValueError
        When the method does not know what is asked of it.
    """
    e = SimpleNamespace(**estimator.get_params(deep=False))
    if e.method == "auto":
        e.method = recommended(e.n_experts)
        if e.verbose:
            print(f"method='auto' chose {e.method!r} for {e.n_experts} experts")
    _check_method(e, METHODS[e.method])
    e.known_noise = e.noise if isinstance(e.noise, numbers.Real) else None
    if e.known_noise is not None:
        e.noise = "known"
    elif e.noise is None:
        e.noise = "per-expert" if METHODS[e.method].knows_noises else "shared"
    if e.n_experts == 1:
        e.method, e.anneal = "em", False
        if as_link(e.link).name == "identity":  # EM finds it in one step from anywhere
            e.n_init = 1
    return e


def _check_method(e, method):
    """What the method does not know of all that was asked for."""
    asked = {
        "truncates": (e.truncate is not None, f"truncate={e.truncate}"),
        "knows_constant_gate": (e.constant_gate, "constant_gate=True"),
        "knows_ridge": (bool(e.gate_ridge), f"gate_ridge={e.gate_ridge:g}"),
        "knows_features": (
            e.expert_features is not None
            or e.gate_features is not None
            or "|" in (e.formula or ""),
            "columns that only experts or only gates use",
        ),
    }
    if not e.refine:
        asked["knows_noises"] = (e.noise == "per-expert", "noise='per-expert' with refine=False")
    for fact, (wanted, words) in asked.items():
        if wanted and not getattr(method, fact):
            able = _names(lambda one, fact=fact: getattr(one, fact))
            raise ValueError(f"{words} needs one of {able}; method={e.method!r} does not know it")
    if e.solver == "orthonormal" and e.method != "two-loss":
        raise ValueError(f"solver='orthonormal' is for method='two-loss', not {e.method!r}")
    if e.anneal and not method.anneals:
        raise ValueError(f"anneal=True needs method='em'; method={e.method!r} does not know it")
    if isinstance(e.init, GatedModel):
        _check_init(e, method)


def _names(able):
    """The methods that are able to do something, for a message."""
    return ", ".join(repr(name) for name, method in METHODS.items() if able(method))


def _check_init(e, method):
    if method.learn:
        raise ValueError(f"init=model needs a method that starts somewhere, not {e.method!r}")
    n_experts = method.surplus * e.n_experts
    if e.init.n_experts != n_experts or e.init.link.name != as_link(e.link).name:
        raise ValueError(
            f"init must be a model with {n_experts} experts and link {e.link!r}, got one with "
            f"{e.init.n_experts} and {e.init.link.name!r}"
        )
    if not e.fit_intercept and (
        np.any(e.init.expert_intercepts) or (not e.constant_gate and np.any(e.init.gate_intercepts))
    ):
        raise ValueError("init has intercepts that would not be learned: pass fit_intercept=True")


def check_data(settings, sample, free):
    """Raise ``ValueError`` for data that a ``MixtureOfExperts`` cannot use."""
    e, weights = settings, sample.weights
    n, d = sample.X.shape
    if isinstance(e.init, GatedModel) and e.init.n_features != d:
        raise ValueError(f"init must have {d} features like X, got {e.init.n_features}")
    if not free.expert_columns(d) and not free.intercepts:
        raise ValueError("expert_features is empty: experts need a column or fit_intercept=True")
    counted = n if weights is None else np.count_nonzero(weights)
    needed = free.count(e.n_experts, d) + 1
    if counted < needed:
        experts = f"{e.n_experts} expert" + "s" * (e.n_experts > 1)
        raise ValueError(
            f"{counted} sample(s) (n_samples={counted}) are too few for {experts} "
            f"and {d} feature(s), which have {needed - 1} free parameters: at least {needed} "
            "samples or fewer experts are needed"
        )
    if weights is not None and not METHODS[e.method].knows_weights:
        able = _names(lambda one: one.knows_weights)
        raise ValueError(f"sample_weight needs one of {able}; method={e.method!r} knows no weights")
    used = sample.y if weights is None else sample.y[weights > 0]
    if np.ptp(used) == 0:
        raise ValueError(f"y is constant ({used[0]:g}): there is nothing to learn from it")
    check_link(as_link(e.link))


def check_link(link):
    """Raise ``ValueError`` for a link that is not finite everywhere."""
    grid = np.linspace(-10, 10, 201)
    with np.errstate(all="ignore"):
        bad = grid[~np.isfinite(link.value(grid))]
    if len(bad):
        raise ValueError(
            f"link {link.name!r} is not finite at {bad[0]:g}: a link must take every number, like "
            "the exponential; transform the labels instead, or clip inside the link"
        )


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
