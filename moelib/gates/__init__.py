"""Part IV, A loss for the gates: the likelihood with the experts frozen."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "loss": "covariance_hessian em_step gate_gradient gate_hessian gradient_step "
        "log_normal_density negative_log_likelihood newton_step surrogate_step",
        "learn": "GateFit learn_gates",
        "curvature": "GateCurvature gate_curvature",
        "degeneracy": "find_degeneracies",
    },
)
