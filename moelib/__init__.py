"""moelib: recover the parameters of a mixture of experts.

The library under the book *Learning in Gated Neural Networks*. The ground floor (model, links,
losses, metrics, ...) is what all parts use; ``experts`` and ``gates`` have one loss each,
``likelihood`` what climbs both at once, ``bounds`` what can be said before any data, and
``estimator`` is where they meet. Names load on first use, so that ``import moelib`` stays quick.
"""

from moelib._face import face

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "model": "GatedModel standard_model random_model",
        "links": "Link LINKS",
        "parameters": "FreeParameters",
        "metrics": "match_experts regressor_error gate_error",
        "losses": "l4_loss log_loss least_squares_loss gate_loss",
        "validation": "AssumptionWarning ConvergenceWarning",
        "experts.transforms": "label_transform label_transforms LabelTransforms noise_from_labels",
        "experts.optimal_transforms": "conditional_hermite",
        "experts.moments": "Moments",
        "experts.learn": "learn_experts learn_experts_from_batches",
        "experts.sgd": "learn_experts_sgd",
        "experts.spectral": "learn_experts_spectral",
        "experts.signs": "first_moment_signs third_moment_signs likelihood_signs",
        "experts.critical_points": "CriticalPoint find_critical_points stable_occupancies",
        "gates.learn": "learn_gates",
        "gates.curvature": "gate_curvature",
        "gates.degeneracy": "find_degeneracies",
        "likelihood.starts": "random_start make_start",
        "likelihood.em": "expectation_maximization gradient_em",
        "likelihood.descent": "least_squares joint_likelihood",
        "likelihood.minibatch": "least_squares_sgd joint_likelihood_sgd",
        "likelihood.pruning": "pruned_em",
        "likelihood.split_merge": "split_merge_em",
        "likelihood.maximum": "maximum_likelihood scoring_step",
        "likelihood.errors": "standard_errors",
        "bounds.information": "fisher_information cramer_rao_bound",
        "bounds.required": "required_samples",
        "estimator.mixture": "MixtureOfExperts",
        "estimator.selection": "choose_n_experts",
        "estimator.ordering": "align_experts",
        "displays.experts": "ExpertsDisplay",
        "displays.responsibilities": "ResponsibilitiesDisplay",
        "displays.dependence": "GateDependenceDisplay",
        "displays.residuals": "ResidualsDisplay",
        "displays.calibration": "CalibrationDisplay",
        "displays.selection": "SelectionDisplay",
        "pages.sliders": "explore",
    },
)
