"""Samples in batches, so that no part of the book needs all of them in memory."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batches": "as_batch checked drawn_batches row_blocks shuffled_batches",
    },
)
