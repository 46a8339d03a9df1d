"""Hashes of code: they change with all that a program imports, and with nothing else."""

import inspect

import pytest

from moelib.experiments import census, code_hash, failure_map
from moelib.experiments.provenance import ROOT, closure

HOUSE = {
    "__init__": "from moelib._face import face\n"
    "__getattr__, __dir__, __all__ = face(__name__, {'experts.learn': 'learn', 'model': 'Model'})",
    "_face": "def face(package, modules): ...",
    "model": "class Model: ...",
    "metrics": "def error(): return 1",
    "losses": "from moelib.model import Model",
    "experts/__init__": "from moelib._face import face\n"
    "__getattr__, __dir__, __all__ = face(__name__, {'learn': 'learn', 'l4': 'minimize other'})",
    "experts/learn": "def learn():\n    from moelib.losses import loss\n    return loss",
    "experts/l4": "def minimize(): return 2",
}


@pytest.fixture
def house(tmp_path):
    """A small library with faces, as the folder that holds it."""
    (tmp_path / "moelib" / "experts").mkdir(parents=True)
    for name, source in HOUSE.items():
        (tmp_path / "moelib" / f"{name}.py").write_text(source)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy", ""),
        ("import moelib.metrics as m", "metrics"),
        ("from moelib.metrics import error, other", "metrics"),
        ("from moelib.losses import loss", "losses model"),
        ("from moelib import Model", "model"),
        ("from moelib import learn", "experts/learn losses model"),
        ("from moelib import metrics", "metrics"),
        ("from moelib.experts import minimize", "experts/l4"),
        ("from moelib.experts import l4 as m", "experts/l4"),
        ("from moelib.experts.l4 import minimize", "experts/l4"),
        ("def f():\n    from moelib.experts import learn", "experts/learn losses model"),
        ("from moelib import experts", "experts/* losses model"),
        ("import moelib.experts", "experts/* losses model"),
        ("from moelib.experts import *", "experts/* losses model"),
        ("from moelib.experts import VERSION", "experts/__init__ _face"),
    ],
)
def test_imports_are_followed_to_their_modules(house, source, expected):
    whole = " ".join(name for name in HOUSE if name.startswith("experts/"))
    expected = set(expected.replace("experts/*", whole + " _face").split())
    assert {
        path.relative_to(house / "moelib").with_suffix("").as_posix()
        for path in closure(source, house)
    } == expected


def test_a_package_that_is_imported_whole_counts_whole(house):
    assert len(closure("import moelib", house)) == len(HOUSE)


def test_an_import_relative_to_a_package_is_refused(house):
    with pytest.raises(ValueError, match="must be absolute, got 'from . import model'"):
        closure("from . import model", house)


def hash_after(house, changes, source="from moelib import learn"):
    for name, text in changes.items():
        (house / "moelib" / f"{name}.py").write_text(text)
    return code_hash(source, house)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experts/learn", HOUSE["experts/learn"].replace("return loss", "return 2 * loss")),
        ("losses", HOUSE["losses"] + "\nLIMIT = 3"),
        ("model", "class Model:\n    limit: int = 3"),
        ("model", "class Model:\n    limit = 'A string that is no docstring.'"),
    ],
)
def test_a_change_of_code_that_is_imported_changes_the_hash(house, name, text):
    before = code_hash("from moelib import learn", house)
    assert hash_after(house, {name: text}) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experts/l4", "def minimize(): return 3"),  # not imported
        ("metrics", "def error(): return 2"),
        ("__init__", HOUSE["__init__"].replace("'Model'", "'Model Other'")),  # a face
        ("model", '"""The model."""\n\n\nclass Model:  # a class\n    """Of data."""\n    ...'),
        ("losses", "# what is lost\nfrom moelib.model import (\n    Model,\n)"),
    ],
)
def test_other_modules_and_prose_do_not_change_the_hash(house, name, text):
    before = code_hash("from moelib import learn", house)
    assert hash_after(house, {name: text}) == before


def test_a_name_that_moves_to_another_module_changes_the_hash(house):
    before = code_hash("from moelib import Model", house)
    moved = HOUSE["__init__"].replace("'model': 'Model'", "'metrics': 'Model'")
    assert hash_after(house, {"__init__": moved}, "from moelib import Model") != before


def test_an_experiment_depends_on_what_it_runs_and_not_on_who_runs_it():
    names = {
        module: {path.relative_to(ROOT).as_posix() for path in closure(inspect.getsource(module))}
        for module in (census, failure_map)
    }
    assert {"moelib/experts/l4.py", "moelib/experiments/experiment.py"} <= names[census]
    assert not any("estimator" in name or "gates" in name for name in names[census])
    assert {"moelib/estimator/mixture.py", "moelib/likelihood/em.py"} <= names[failure_map]
    for found in names.values():
        assert not found & {f"moelib/experiments/{n}.py" for n in ("runner", "tables", "samples")}
