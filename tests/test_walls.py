"""The walls of the house: which part of the library may import which, read from its imports."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "moelib"
WINGS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
GROUND = sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))

# what each wing may import besides the ground floor and itself
ALLOWED: dict[str, set] = {
    "data": set(),
    "experts": {"data"},
    "gates": {"data"},
    "likelihood": {"gates", "data"},
    "bounds": {"experts", "gates", "likelihood", "data"},
    "estimator": {"experts", "gates", "likelihood", "data"},
    "displays": {"estimator"},
    "experiments": {"estimator", "bounds", "experts", "gates", "likelihood", "data"},
    "pages": set(),
    "classroom": set(),
}
GROUND_SEES = {"data"}  # blocks of rows


def room(module):
    """The room of a dotted name: a wing or a module of the ground floor."""
    return module.split(".")[1] if "." in module else "moelib"


def imports(source):
    """Dotted names of what a module imports from moelib, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "moelib")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "moelib":
            if node.module == "moelib":
                yield from (f"moelib.{alias.name}" for alias in node.names)
            else:
                yield node.module


def arrows():
    """Pairs of rooms (from, to), each once; the faces and the doors of the package left out."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__":
            continue
        found |= {(parts[0], room(name)) for name in imports(path.read_text())}
    return {(one, other) for one, other in found if one != other}


def trespasses(pairs):
    """The arrows that go through a wall."""
    return sorted(
        (one, other)
        for one, other in pairs
        if other in ALLOWED and other not in ALLOWED.get(one, GROUND_SEES)
    )


def upward(pairs):
    """Rooms that cannot be put on a floor above all that they import: those on a circle."""
    left = set(pairs)
    rooms = {room for pair in left for room in pair}
    while bottom := rooms - {one for one, _ in left}:
        rooms -= bottom
        left = {(one, other) for one, other in left if other not in bottom}
    return sorted(rooms)


def test_every_wing_has_its_rule():
    assert set(WINGS) == set(ALLOWED)


def test_no_arrow_goes_through_a_wall():
    assert trespasses(arrows()) == []


def test_there_are_no_circles():
    assert upward(arrows()) == []


@pytest.mark.parametrize("wing", WINGS)
def test_inside_a_wing_there_are_no_circles(wing):
    inside = set()
    for path in (PACKAGE / wing).glob("*.py"):
        for name in imports(path.read_text()):
            if path.stem != "__init__" and name.startswith(f"moelib.{wing}."):
                inside.add((path.stem, name.split(".")[2]))
    assert upward(inside) == []


def test_the_house_stays_small():
    assert len(WINGS) + len(GROUND) <= 23
    assert len(arrows()) <= 88


def test_library_modules_import_from_modules_and_not_from_faces():
    faces = {"moelib", *(f"moelib.{wing}" for wing in WINGS)}
    bad = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name in ("__init__.py", "__main__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in faces:
                bad.append(f"{path.name}: {ast.unparse(node)}")
    assert bad == []


@pytest.mark.parametrize("wing", WINGS)
def test_the_first_line_of_a_wing_says_what_it_is(wing):
    first = ast.get_docstring(ast.parse((PACKAGE / wing / "__init__.py").read_text())) or "\n"
    assert len(first.splitlines()[0]) > 30


# --- these tests can fail -------------------------------------------------------------------------


def test_a_trespass_is_found():
    source = "def f():\n    from moelib.gates.loss import penalty\n"
    assert trespasses({("experts", room(name)) for name in imports(source)}) == [
        ("experts", "gates")
    ]


def test_a_ground_floor_that_looks_up_is_found():
    assert trespasses({("model", "experts")}) == [("model", "experts")]


def test_a_circle_is_found():
    assert upward({("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}) == ["a", "b", "c"]
