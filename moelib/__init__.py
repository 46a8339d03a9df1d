"""moelib: recover the parameters of a mixture of experts.

The library under the book *Learning in Gated Neural Networks*. Names load on first use, so that
``import moelib`` stays quick: torch, scikit-learn and matplotlib come in only where they serve.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "GatedModel": "model",
    "standard_model": "model",
    "random_model": "model",
    "Link": "links",
    "LINKS": "links",
    "AssumptionWarning": "validation",
    "ConvergenceWarning": "validation",
    "label_transforms": "labels",
    "LabelTransforms": "labels",
    "label_transform": "labels",
    "conditional_hermite": "optimal",
    "noise_from_labels": "labels",
    "Moments": "moments",
    "l4_loss": "losses",
    "log_loss": "losses",
    "least_squares_loss": "losses",
    "gate_loss": "losses",
    "learn_experts": "experts",
    "learn_experts_from_batches": "experts",
    "learn_experts_sgd": "streaming",
    "learn_experts_spectral": "spectral",
    "first_moment_signs": "signs",
    "third_moment_signs": "signs",
    "likelihood_signs": "signs",
    "learn_gates": "gates",
    "gate_curvature": "curvature",
    "find_degeneracies": "degeneracy",
    "choose_n_experts": "selection",
    "expectation_maximization": "em",
    "random_start": "starts",
    "make_start": "starts",
    "least_squares": "baselines",
    "joint_likelihood": "baselines",
    "gradient_em": "baselines",
    "maximum_likelihood": "refine",
    "standard_errors": "refine",
    "scoring_step": "refine",
    "fisher_information": "fisher",
    "cramer_rao_bound": "fisher",
    "FreeParameters": "parameters",
    "required_samples": "sample_size",
    "MixtureOfExperts": "estimator",
    "match_experts": "metrics",
    "regressor_error": "metrics",
    "gate_error": "metrics",
    "explore": "interactive",
    "CriticalPoint": "census",
    "find_critical_points": "census",
    "stable_occupancies": "census",
}

__all__ = [*_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'moelib' has no attribute {name!r}")
    return getattr(import_module(f"moelib.{_HOME[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOME])
