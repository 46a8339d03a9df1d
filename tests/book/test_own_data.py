"""The page for one's own data has a row for every sentence that a fit can say."""

import ast
import re

import claims
import nbformat
import pytest

PAGE = nbformat.read(claims.ROOT / "book" / "your-own-data.ipynb", as_version=4)
MODULES = [
    *sorted((claims.ROOT / "moelib" / "estimator").glob("*.py")),
    *(claims.ROOT / "moelib" / "gates" / f"{name}.py" for name in ("coincidence", "degeneracy")),
    claims.ROOT / "moelib" / "likelihood" / "wider.py",
]
LEAST = 40  # letters of a sentence that are not filled in
PARTS = (  # of sentences that have a row, and the note under a summary
    "a column has mean",
    "its covariance has eigenvalues",
    "a column has kurtosis",
    "estimate over s.e.",
)


def literals(node):
    """What a string says before anything is filled in: its pieces."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]


def spoken(source):
    """What a module says, yields or returns; errors are neither."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Yield | ast.Return):
            yield node.value
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from node.args if name in ("say", "warn", "append") else ()


def sentences(source):
    """The pieces of each of the module's sentences."""
    pieces = [literals(node) for node in spoken(source)]
    return [one for one in pieces if sum(map(len, one)) >= LEAST]


def rows(text):
    """The words in the first column of the page's table of messages."""
    table = text.partition("| it says |")[2].partition("\n\n")[0]
    return [w for line in table.splitlines() for w in re.findall(r"`([^`]+)`", line.split("|")[1])]


def is_covered(pieces, phrases):
    return any(phrase in piece for phrase in phrases for piece in pieces)


TEXT = "\n\n".join(cell.source for cell in PAGE.cells if cell.cell_type == "markdown")
CODE = "\n".join(cell.source for cell in PAGE.cells if cell.cell_type == "code")
SAID = [(path.stem, one) for path in MODULES for one in sentences(path.read_text())]


@pytest.mark.parametrize("said", SAID, ids=[f"{m}-{max(s, key=len)[:30]}" for m, s in SAID])
def test_every_sentence_has_a_row(said):
    assert is_covered(said[1], [*rows(TEXT), *PARTS]), f"no row for: {' ... '.join(said[1])}"


def test_sentences_of_all_modules_are_found():
    assert len(SAID) > 20
    names = {name for name, _ in SAID}
    assert {"diagnostics", "wider", "degeneracy", "assumptions", "stages", "selection"} <= names


def test_every_row_stands_in_the_library():
    texts = [
        piece
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr | ast.Constant)
        for piece in literals(node)
    ]
    assert len(rows(TEXT)) > 20
    assert not [row for row in rows(TEXT) if not is_covered(texts, [row])]


def test_every_row_is_provoked_on_the_page():
    pairs = re.findall(r'"([^"\n]+)": |\["([^"\n]+)"\] =', CODE)
    keys = {found for pair in pairs for found in pair}
    assert set(rows(TEXT)) <= keys


def test_a_new_sentence_would_be_noticed():
    (new,) = sentences("say(f'column {x} is as old as the hills of Rome, and older', Warning)")
    assert new == ["column ", " is as old as the hills of Rome, and older"]
    assert not is_covered(new, rows(TEXT))
    assert not sentences("raise ValueError('a refusal is an error and no warning of a fit')")
