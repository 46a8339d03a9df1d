"""Part V, How many samples: numbers that hold before any data."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "identification": "recover_from_density",
        "information": "complete_information cramer_rao_bound fisher_information",
        "concentration": "MomentBound moment_bound",
        "lemmas": "span_bound tensor_bound landscape_room rotation_bound expert_bound "
        "signs_are_right posterior_bound cube_bound lost_curvature gate_bound",
        "measured": "gate_errors largest_cube posterior_errors step_errors",
        "theorem": "TwoLossBound least_samples",
        "required": "RequiredSamples one_error required_samples",
    },
)
