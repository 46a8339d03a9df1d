"""Part II, Why standard training gets stuck: EM, descent, and where they end."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "starts": "make_start random_start",
        "em": "expectation_maximization gradient_em",
        "descent": "joint_likelihood least_squares",
        "score": "mean_score score_moments scores",
        "maximum": "StandardErrors maximum_likelihood scoring_step standard_errors",
        "certificates": "StationaryPoint certify polish",
        "plane": "optima_reached",
    },
)
