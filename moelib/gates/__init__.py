"""Part IV, A loss for the gates: the likelihood with the experts frozen."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "loss": "covariance_hessian em_step gate_gradient gate_hessian gradient_step "
        "log_normal_density log_normals negative_log_likelihood newton_step surrogate_step",
        "bound": "bound_solver bound_step curvature_bound",
        "learn": "learn_gates",
        "convergence": "errors_along measured_rate",
        "curvature": "GateCurvature gate_curvature slowest_directions",
        "degeneracy": "find_degeneracies separating_gate",
        "drift": "gate_drift",
    },
)
