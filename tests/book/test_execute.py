"""Which notebooks run again: those whose code, imports or data have changed, and no others."""

import copy
from pathlib import Path

import execute_notebooks
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = {
    "__init__": "from moelib._face import face\n"
    "__getattr__, __dir__, __all__ = face(__name__, {'experts': 'learn', 'gates': 'gates'})",
    "_face": "def face(package, modules): ...",
    "experts": "from moelib.moments import moment\ndef learn(): return moment",
    "moments": "def moment(): return 1",
    "gates": "def gates(): return 2",
}
CODE = [
    "from moelib import learn",
    "fits = read_table('samples')\ncosts = read_table('many-experts-seconds')",
    "facts = pd.read_csv('../data/ethanol_exhaust.csv')",
]


def notebook(*sources, text="# Title"):
    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_markdown_cell(text)]
    nb.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    return nb


@pytest.fixture
def book(tmp_path):
    """A small library with data, as the folder that holds both."""
    (tmp_path / "moelib").mkdir()
    (tmp_path / "book" / "data").mkdir(parents=True)
    for name, source in LIBRARY.items():
        (tmp_path / "moelib" / f"{name}.py").write_text(source)
    for name in ("samples", "samples-seconds", "many-experts-seconds", "census", "ethanol_exhaust"):
        (tmp_path / "book" / "data" / f"{name}.csv").write_text("1\n")
    return tmp_path


def test_data_files_are_found_by_their_names(book):
    assert {path.stem for path in execute_notebooks.data_files(CODE, book)} == {
        "samples",
        "samples-seconds",
        "many-experts-seconds",
        "ethanol_exhaust",
    }


@pytest.mark.parametrize(
    "file",
    [
        "moelib/experts.py",
        "moelib/moments.py",
        "book/data/samples.csv",
        "book/data/samples-seconds.csv",
        "book/data/ethanol_exhaust.csv",
    ],
)
def test_what_a_notebook_uses_marks_it(book, file):
    before = execute_notebooks.fingerprint(notebook(*CODE), book)
    with open(book / file, "a") as opened:
        opened.write("\nlimit = 3")
    assert execute_notebooks.fingerprint(notebook(*CODE), book) != before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("moelib/gates.py", "limit = 3"),
        ("moelib/moments.py", "# prose"),
        ("book/data/census.csv", "2"),
    ],
)
def test_what_a_notebook_does_not_use_leaves_it(book, file, text):
    before = execute_notebooks.fingerprint(notebook(*CODE), book)
    with open(book / file, "a") as opened:
        opened.write("\n" + text)
    assert execute_notebooks.fingerprint(notebook(*CODE, text="# Other"), book) == before


def test_its_own_code_marks_it(book):
    before = execute_notebooks.fingerprint(notebook(*CODE), book)
    for other in (CODE[:2], [*CODE[:2], CODE[2] + "\n# a comment that the page shows"]):
        assert execute_notebooks.fingerprint(notebook(*other), book) != before


def test_a_run_is_current_until_something_changes():
    nb = notebook("import moelib.links", "x = 1")
    assert not execute_notebooks.is_current(nb)
    for count, cell in enumerate(nb.cells[1:], 1):
        cell.execution_count = count
    execute_notebooks.tidy(nb)
    assert execute_notebooks.is_current(nb)
    changed, cut = copy.deepcopy(nb), copy.deepcopy(nb)
    changed.cells[2].source = "x = 2"
    cut.cells[2].execution_count = None
    assert not execute_notebooks.is_current(changed) and not execute_notebooks.is_current(cut)


def test_a_module_that_one_part_uses_does_not_mark_the_whole_book(tmp_path):
    """The chapters of the book against a copy in which the census has changed."""
    chapters = [nbformat.read(p, as_version=4) for p in sorted(ROOT.glob("book/part*/*.ipynb"))]
    for path in ROOT.glob("moelib/**/*.py"):
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(path.read_text())
    before = [execute_notebooks.fingerprint(nb, tmp_path) for nb in chapters]
    with open(tmp_path / "moelib" / "experts" / "critical_points.py", "a") as file:
        file.write("\nLIMIT = 3\n")
    changed = [
        execute_notebooks.fingerprint(nb, tmp_path) != old
        for nb, old in zip(chapters, before, strict=True)
    ]
    assert len(chapters) >= 15 and 1 <= sum(changed) < len(chapters) / 2
