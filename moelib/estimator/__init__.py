"""Part IV, The whole pipeline: both losses, or any other method, as one scikit-learn regressor."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "mixture": "MixtureOfExperts",
        "assumptions": "check_two_loss_inputs",
        "summary": "Summary parameter_table",
        "selection": "Selection choose_n_experts",
        "twins": "with_twin",
        "certificate": "Certificate certificate_of",
        "ordering": "align_experts",
    },
)
