"""Part V, How many samples: numbers that hold before any data."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "information": "cramer_rao_bound fisher_information",
        "concentration": "MomentBound moment_bound",
        "theorem": "TwoLossBound expert_shares least_samples",
        "required": "RequiredSamples required_samples",
    },
)
