"""Part III, A loss for the experts: label transforms, moments, L4 and what minimises it."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "transforms": "LabelTransform LabelTransforms label_transform label_transforms "
        "noise_from_labels",
        "optimal_transforms": "conditional_hermite optimal_transform score_weights",
        "moments": "Moments score4_sum",
        "control_variates": "hermite_exponents hermite_features",
        "reduction": "Reduction reduce_batches top_eigenpairs whiten",
        "l4": "derivatives minimize_l4_gradient minimize_l4_lbfgs random_unit_rows tensor_l4",
        "critical_points": "CriticalPoint POINT_KINDS basins census classify find_critical_points "
        "merge stable_occupancies torus",
        "learn": "ExpertFit expert_fit learn_experts learn_experts_from_batches",
        "sgd": "l4_sgd learn_experts_sgd",
        "spectral": "learn_experts_spectral",
        "signs": "first_moment_signs likelihood_signs third_moment_signs",
    },
)
