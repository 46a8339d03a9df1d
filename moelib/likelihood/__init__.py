"""Part II, When does standard training get stuck? EM, descent, and where they end."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "starts": "make_start random_start",
        "em": "expectation_maximization gradient_em",
        "descent": "joint_likelihood least_squares",
        "minibatch": "joint_likelihood_sgd least_squares_sgd",
        "temperature": "held_noise",
        "pruning": "drop_costs drop_expert pruned_em",
        "split_merge": "split_merge_em",
        "score": "mean_score score_moments scores",
        "information": "observed_information",
        "maximum": "maximum_likelihood scoring_step",
        "errors": "StandardErrors standard_errors",
        "certificates": "StationaryPoint certify polish",
        "plane": "optima_reached",
    },
)
