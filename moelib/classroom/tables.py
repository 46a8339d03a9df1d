"""Tables that people save: whatever encoding and separator their spreadsheet has."""

from pathlib import Path


def text_of(path) -> str:
    """The text of a table: UTF-8 or UTF-16 by their marks, UTF-8 without, or what Windows writes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = Path(file.name).write_bytes(bytes([0xEF, 0xBB, 0xBF]) + b"id;name")
    ...     text_of(file.name)
    'id;name'
    """
    content = Path(path).read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def separator(line: str) -> str:
    """The sign between the cells of a line: comma, semicolon or tab, whichever it has most of.

    Examples
    --------
    >>> separator("id;name;born 1815, London")
    ';'
    """
    return max(",;\t", key=line.count)
