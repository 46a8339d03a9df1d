"""Samples in batches, so that no part of the book needs all of them in memory."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batches": "row_blocks",
    },
)
