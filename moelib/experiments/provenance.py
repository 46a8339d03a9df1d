"""Which code made a result: one hash of a program and of all that it imports from the library.

Docstrings, comments and layout do not count, so that prose leaves stored results as they are. A
face does not count either: a name that it lists counts as the module that holds it.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the folder of the package
NOT_RECORDED = "not recorded"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_hash(source, root=ROOT):
    """Hash of a program and of all modules of the library that it imports, directly or not.

    Parameters
    ----------
    source : str
        Text of the program.
    root : Path
        The folder that holds the package ``moelib``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Examples
    --------
    >>> code_hash("x = 1") == code_hash("x  =  1  # one")
    True
    >>> code_hash("import moelib.links") == code_hash("import moelib.model")
    False
    """
    digest = hashlib.sha256(essence(source).encode())
    for path in closure(source, root):
        digest.update(
            f"\0{path.relative_to(root).as_posix()}\0{essence(path.read_text())}".encode()
        )
    return digest.hexdigest()[:16]


def closure(source, root=ROOT):
    """Files of all modules of the library that a source imports, directly or not, sorted.

    Examples
    --------
    >>> [path.name for path in closure("from moelib import GatedModel")]
    ['links.py', 'model.py', 'validation.py']
    """
    found: set = set()
    waiting = _imported(source, root)
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imported(path.read_text(), root) - found
    return sorted(found)


@cache
def essence(source):
    """The syntax tree of a source, written out, without docstrings.

    Examples
    --------
    >>> essence("def f(): 'Give one.'; return 1") == essence("def f(): return 1  # one")
    True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def recorded_code(path):
    """The hash in the header of a stored table, or ``NOT_RECORDED``."""
    with open(path) as file:
        for line in file:
            if line.startswith("# Code: "):
                return line.removeprefix("# Code: ").strip()
            if not line.startswith("#"):
                break
    return NOT_RECORDED


def _imported(source, root):
    return set().union(*(_files(name, root) for name in _imported_names(source)))


@cache
def _imported_names(source):
    """Dotted names of all that a source imports from the library, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"imports must be absolute, got {ast.unparse(node)!r}")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in names if name.split(".")[0] == "moelib")


def _files(name, root):
    """The file of the module that a dotted name stands for or comes from.

    A package that is imported whole stands for all its modules.
    """
    path = root.joinpath(*name.split("."))
    module = path.with_name(f"{path.name}.py")
    if module.is_file():
        return {module}
    if path.is_dir():
        return set(path.rglob("*.py"))
    package, _, last = name.rpartition(".")
    if not path.parent.is_dir():
        return _files(package, root)  # a name of a module
    if last == "*":
        return set(path.parent.rglob("*.py"))
    door = path.parent / "__init__.py"
    home = _homes(door.read_text()).get(last)
    return {door} if home is None else _files(f"{package}.{home}", root)


@cache
def _homes(source):
    """Which module a face takes each of its names from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "face":
            modules = ast.literal_eval(node.args[1])
            return {name: module for module, names in modules.items() for name in names.split()}
    return {}
