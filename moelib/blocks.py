"""Rows in blocks, so that the working memory stays small whatever the number of samples."""

BLOCK = 16384


def row_blocks(n):
    """Slices that cut n rows into blocks of at most ``BLOCK``.

    Examples
    --------
    >>> list(row_blocks(20000))
    [slice(0, 16384, None), slice(16384, 20000, None)]
    """
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
