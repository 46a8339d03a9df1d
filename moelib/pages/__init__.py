"""What the pages of the book share: how figures look and move, numbers in the text, tables."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "style": "LINESTYLES MARKERS PALETTE expert_color expert_style panel_labels use_style",
        "sliders": "Explore explore",
    },
)
