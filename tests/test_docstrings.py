"""Docstrings have numpydoc's form and name what the signatures name."""

import dataclasses
import inspect
import pkgutil
import re
import warnings
from functools import cached_property
from importlib import import_module

import claims
import pytest
from numpydoc.docscrape import NumpyDocString

import moelib

DESCRIBED = ("Parameters", "Attributes")
LISTED = (*DESCRIBED, "Returns", "Yields", "Raises", "Warns")
LONG = 15  # lines; a longer function that a package lists in its face describes its parameters


def modules():
    """The public modules of the library, by their full names."""
    names = [info.name for info in pkgutil.walk_packages(moelib.__path__, "moelib.")]
    return {name: import_module(name) for name in names if "._" not in name}


def public_objects():
    """Every public function, class and public method, by its full name."""
    found = {}
    for home, module in modules().items():
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != home:
                continue
            if inspect.isclass(value):
                found[f"{home}.{name}"] = value
                for method, member in vars(value).items():
                    if not method.startswith("_") and inspect.isfunction(member):
                        found[f"{home}.{name}.{method}"] = member
            elif inspect.isroutine(value):
                found[f"{home}.{name}"] = value
    return found


def parsed(value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sections that numpydoc does not know
        return NumpyDocString(inspect.getdoc(value) or "")


def names(entries):
    return [name.strip().lstrip("*") for entry in entries for name in entry.name.split(",")]


def signature_names(value):
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


def faces():
    """Full names of all that the packages list in their ``__all__``."""
    packages = [
        info.name for info in pkgutil.walk_packages(moelib.__path__, "moelib.") if info.ispkg
    ]
    listed = set()
    for package in map(import_module, ["moelib", *packages]):
        values = [getattr(package, name) for name in getattr(package, "__all__", ())]
        listed |= {f"{v.__module__}.{v.__qualname__}" for v in values if hasattr(v, "__qualname__")}
    return listed


def is_long(value):
    return inspect.isfunction(value) and len(inspect.getsource(value).splitlines()) > LONG


def wrong_names(value, doc, in_face=False):
    """What the docstring leaves out or invents, as a list of sentences."""
    if doc["Parameters"]:
        listed, expected = names(doc["Parameters"]), signature_names(value)
    elif dataclasses.is_dataclass(value) and doc["Attributes"]:
        properties = [
            name
            for name, member in inspect.getmembers(value)
            if isinstance(member, property | cached_property)
        ]
        listed = [name for name in names(doc["Attributes"]) if name not in properties]
        expected = [field.name for field in dataclasses.fields(value)]
    elif in_face and is_long(value) and len(signature_names(value)) > 1:
        listed, expected = [], signature_names(value)
    else:
        return []
    return [] if listed == expected else [f"describes {listed}, has {expected}"]


def wrong_entry(section, entry):
    """What is wrong with one entry of a section, as a list of sentences."""
    text = " ".join(entry.desc).strip()
    described = section in DESCRIBED or (entry.name and section in ("Returns", "Yields"))
    wrong = []
    if section in DESCRIBED and not entry.type:
        wrong.append("no type")
    if " : " in entry.type or "; " in entry.type:
        wrong.append("a description on the line of the type")
    if (described or section in ("Raises", "Warns")) and not text:
        wrong.append("no description")
    if text and (not text.endswith((".", "?", "!")) or text[0].islower()):
        wrong.append("a description that is no sentence")
    return [f"{section}, {entry.name or entry.type}: {what}" for what in wrong]


def crowded_lines(docstring):
    """Lines with a description after the name and the type; numpydoc reads over the blanks."""
    _, *parts = re.split(r"^(.+)\n-{3,}$", docstring, flags=re.MULTILINE)
    return [
        f"a description on the line of the type: {line}"
        for title, body in zip(parts[::2], parts[1::2], strict=True)
        if title in LISTED
        for line in body.splitlines()
        if re.match(r"\S.*\S\s{2,}\S", line)
    ]


def complaints(value, in_face=False):
    doc = parsed(value)
    wrong = [
        sentence
        for section in LISTED
        for entry in doc[section]
        for sentence in wrong_entry(section, entry)
    ]
    return wrong_names(value, doc, in_face) + wrong + crowded_lines(inspect.getdoc(value) or "")


PUBLIC, FACES = public_objects(), faces()


def test_the_walk_finds_functions_classes_and_methods():
    ends = {name.rsplit(".", 1)[1] for name in PUBLIC}
    assert {"match_experts", "GatedModel", "sample", "learn_experts", "Climb"} <= ends
    assert {name for name in FACES if name.startswith("moelib.")} >= {"moelib.model.GatedModel"}


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_numpydoc(name):
    assert complaints(PUBLIC[name], in_face=bool({name, name.rpartition(".")[0]} & FACES)) == []


def taught_in(docstring):
    """The labels of the sections that a docstring sends its reader to."""
    line = re.search(r"Taught in:([^\n]*)", docstring)
    return re.findall(r":ref:`([^`]+)`", line[1]) or [line[1]] if line else []


def sections():
    """The labels that stand before a heading of the book."""
    text = "\n\n".join(claims.markdown(page) for page in map(claims.source, claims.pages()) if page)
    return set(re.findall(r"^\(([^()\s]+)\)=\n+#+ ", text, flags=re.MULTILINE))


def all_docstrings():
    """The docstrings of modules and of public objects, by name."""
    yield from ((name, module.__doc__ or "") for name, module in modules().items())
    yield from ((name, inspect.getdoc(value) or "") for name, value in PUBLIC.items())


def test_taught_in_points_to_a_section():
    found = {name: taught_in(text) for name, text in all_docstrings()}
    assert sum(map(bool, found.values())) >= 40
    unknown = {label for labels in found.values() for label in labels} - sections()
    assert unknown == set()


def test_a_title_or_an_unknown_label_is_no_section():
    for text in ('Taught in: "Least squares".', "Taught in: :ref:`ch-none`."):
        assert set(taught_in(text)) - sections()


def function(docstring):
    def value(X, y, *, tol=0.0, **options):
        return X

    value.__doc__ = docstring
    return value


GOOD = """Summary.

    Parameters
    ----------
    X, y : array
        Data.
    tol : float
        When to stop.
    **options : dict
        Passed on.

    Returns
    -------
    fit : array
        The fit.

    Raises
    ------
    ValueError
        When nothing fits.
    """


@dataclasses.dataclass
class Pair:
    """Summary.

    Attributes
    ----------
    first : int
        One of two.
    total : int
        Of both.
    """

    first: int
    second: int

    @property
    def total(self):
        return self.first + self.second


def test_a_good_docstring_passes():
    assert complaints(function(GOOD)) == []
    assert complaints(function(GOOD.replace("fit : array\n        The fit.", "array"))) == []


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("tol : float\n        When to stop.\n    ", "", "has ['X', 'y', 'tol', 'options']"),
        ("X, y : array", "y, X : array", "has ['X', 'y', 'tol', 'options']"),
        ("tol : float", "tolerance : float", "has ['X', 'y', 'tol', 'options']"),
        ("tol : float\n        When", "tol : float      when", "description on the line"),
        ("tol : float\n        When", "tol\n        When", "tol: no type"),
        ("\n        When to stop.", "", "tol: no description"),
        ("X, y : array", "X : array, y : array", "description on the line"),
        ("When to stop.", "when to stop.", "no sentence"),
        ("When to stop.", "When to stop", "no sentence"),
        ("fit : array", "fit : array,  loss : float", "description on the line"),
        ("fit : array\n        The fit.", "array     the fit", "description on the line"),
        ("fit : array\n        The fit.", "array; the fit", "description on the line"),
        ("\n        The fit.", "", "fit: no description"),
        ("\n        When nothing fits.", "", "ValueError: no description"),
    ],
)
def test_a_broken_docstring_is_found(right, wrong, complaint):
    assert right in GOOD
    assert complaint in " | ".join(complaints(function(GOOD.replace(right, wrong))))


def test_a_long_function_of_a_face_has_to_describe_its_parameters():
    assert complaints(wrong_names) == []
    assert complaints(wrong_entry, in_face=True) == []
    assert complaints(wrong_names, in_face=True) == [
        "describes [], has ['value', 'doc', 'in_face']"
    ]


def test_fields_are_checked_and_properties_are_not_fields():
    assert complaints(Pair) == ["describes ['first'], has ['first', 'second']"]
