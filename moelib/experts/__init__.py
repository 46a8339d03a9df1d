"""Part III, A loss for the experts: label transforms, moments, L4 and what minimises it."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "transforms": "LabelTransform LabelTransforms label_transform label_transforms "
        "noise_from_labels",
        "optimal_transforms": "conditional_hermite mean_square optimal_transform score_weights",
        "mixing": "gate_slopes mixed_moment",
        "tensors": "orthogonal_tensor random_symmetric tensor_norm",
        "moments": "Moments fourth_moment population_moments",
        "sums": "ControlSums PlainSums score4_sum",
        "control_variates": "entry_variances hermite_exponents hermite_features",
        "reduction": "Reduction reduce_batches top_eigenpairs whiten",
        "asymptotics": "error_constants first_order_error",
        "l4": "best_of_starts derivatives minimize_l4_gradient minimize_l4_lbfgs random_unit_rows "
        "tensor_l4",
        "free_rows": "gradient_path minimize_free_rows minimize_on_ellipsoid null_vectors "
        "steepness",
        "critical_points": "CriticalPoint POINT_KINDS basins census classify find_critical_points "
        "merge stable_occupancies torus",
        "orthogonal": "critical_squares farthest_move first_order_move",
        "orthonormal": "largest_overlap minimize_l4_orthonormal",
        "plane": "critical_angles flows_together landscape_map",
        "learn": "ExpertFit expert_fit learn_experts learn_experts_from_batches",
        "sgd": "l4_sgd learn_experts_sgd",
        "spectral": "learn_experts_spectral power_method",
        "signs": "first_moment_signs likelihood_signs third_moment_signs",
        "repeats": "aligned learn_sets moment_errors signs_found",
    },
)
