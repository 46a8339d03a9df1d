"""Pictures of a fit: displays in scikit-learn's way, each with a sentence of what is seen."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "experts": "ExpertsDisplay",
        "responsibilities": "ResponsibilitiesDisplay",
        "dependence": "GateDependenceDisplay",
        "residuals": "ResidualsDisplay",
        "calibration": "CalibrationDisplay",
        "selection": "SelectionDisplay",
    },
)
