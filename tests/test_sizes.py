"""Rooms that one can take in: lengths of modules and functions, arguments by position."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "moelib"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_MODULE_LINES, MOST_FUNCTION_LINES, MOST_POSITIONAL = 300, 60, 6


def functions(source):
    """Every function with the class it stands in, if any."""
    for node in ast.walk(ast.parse(source)):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield node if isinstance(node, ast.ClassDef) else None, child


def body_lines(function):
    """Lines of a function after its signature, without its docstring."""
    first = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - first[0].lineno + 1 if first else 0


def n_positional(owner, function):
    """Arguments that can be given by position, ``self`` and ``cls`` left out."""
    arguments = function.args.posonlyargs + function.args.args
    bound = owner is not None and not any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    return len(arguments) - bound


def too_large(source):
    """What is too large in a module, as a list of sentences."""
    problems = []
    n_lines = len(source.splitlines())
    if n_lines > MOST_MODULE_LINES:
        problems.append(f"{n_lines} lines; at most {MOST_MODULE_LINES}")
    for owner, function in functions(source):
        lines, arguments = body_lines(function), n_positional(owner, function)
        if lines > MOST_FUNCTION_LINES:
            problems.append(f"{function.name}: {lines} lines; at most {MOST_FUNCTION_LINES}")
        private = function.name.startswith("_") and function.name != "__init__"
        if arguments > MOST_POSITIONAL and not private:
            problems.append(f"{function.name}: {arguments} positional; at most {MOST_POSITIONAL}")
    return problems


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_is_small(path):
    assert too_large(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = 1\n" * 301, "301 lines"),
        ("def f():\n" + "    x = 1\n" * 61, "f: 61 lines"),
        ("def f(a, b, c, d, e, f, g): pass", "f: 7 positional"),
        ("class C:\n    def __init__(self, a, b, c, d, e, f, g): pass", "__init__: 7 positional"),
    ],
)
def test_what_is_too_large_is_found(source, problem):
    assert [problem in sentence for sentence in too_large(source)] == [True]


def test_docstrings_and_keywords_do_not_count():
    docstring = '    """Title.\n' + "    word\n" * 80 + '    """\n'
    assert too_large(f"def f(a, *, b, c, d, e, f, g):\n{docstring}    return a\n") == []
