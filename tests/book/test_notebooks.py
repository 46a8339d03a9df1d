"""The stored notebooks are complete, checked, accessible and in form; and these checks can fail."""

import base64
import copy
from pathlib import Path

import claims
import nbformat
import nbformat.v4 as v4
import notebook_checks as checks
import pytest

BOOK = claims.ROOT / "book"
MOST_LINES = 360  # of code in a notebook, on average; half of what there was
NOTEBOOKS = [
    path.relative_to(claims.ROOT)
    for path in sorted(BOOK.rglob("*.ipynb"))
    if not {".ipynb_checkpoints", "_build"} & set(path.parts)
]
CASES = [
    pytest.param(path, check, id=f"{path.stem}-{check.__name__}")
    for path in NOTEBOOKS
    for check in checks.TECHNICAL + (checks.CHAPTER if path.parts[1].startswith("part") else ())
]


def read(path: Path):
    return nbformat.read(claims.ROOT / path, as_version=nbformat.NO_CONVERT)


@pytest.mark.parametrize(("path", "check"), CASES)
def test_notebook(path, check):
    problems = check(read(path))
    assert not problems, "\n".join([f"{path}:", *problems])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_claim_tags_point_to_labels(path):
    written = filter(None, map(claims.source, claims.pages()))
    known = set().union(*(claims.labels(claims.markdown(page)) for page in written))
    assert not checks.claim_labels(read(path), known)


# --- a good page in memory, and one way to break it per check ------------------------------------

OPENING = """\
# A page

```{admonition} What you will learn
**Objectives** see. **Prerequisites** none. **Time** one minute.
```
"""
CLOSING = """\
## Summary
## Exercises
## Further reading

```{bibliography}
:filter: docname in docnames
```
"""


def png(size=100):
    data = {"image/png": base64.b64encode(bytes(size)).decode(), "text/plain": "<Figure>"}
    return v4.new_output("display_data", data)


def good_page():
    imports = v4.new_code_cell("import numpy as np", execution_count=1)
    figure = v4.new_code_cell("fig", execution_count=2, outputs=[png()])
    figure.metadata["mystnb"] = {"image": {"alt": "Two lines that cross."}}
    check = v4.new_code_cell("np.testing.assert_allclose(1, 1)", execution_count=3)
    prose = [v4.new_markdown_cell(t) for t in (OPENING, "word " * 900, CLOSING)]
    return v4.new_notebook(cells=[prose[0], imports, prose[1], figure, check, prose[2]])


def broken(change):
    """The good page after one change."""
    nb = copy.deepcopy(good_page())
    change(nb, checks.code_cells(nb))
    return nb


def clear_outputs(nb, code):
    for cell in code:
        cell.execution_count, cell.outputs = None, []


def run_twice(nb, code):
    code[2].execution_count = 7


def write_stderr(nb, code):
    code[1].outputs.append(v4.new_output("stream", name="stderr", text="RuntimeWarning: overflow"))


def store_error(nb, code):
    code[1].outputs.append(v4.new_output("error", ename="ValueError", evalue="", traceback=[]))


def keep_widget_state(nb, code):
    nb.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def assert_nothing(nb, code):
    code[2].source = "# np.testing.assert_allclose(1, 1)"


def misplace_marker(nb, code):
    code[2].source = "print(1)  # NBVAL_CHECK_OUTPUT"


def drop_alt(nb, code):
    del code[1].metadata["mystnb"]


def drop_html_alt(nb, code):
    html = {"text/html": "<figure><img src='data:,'></figure>"}
    code[1].outputs = [v4.new_output("display_data", html)]


def draw_large(nb, code):
    code[1].outputs = [png(70_000)]


def store_too_much(nb, code):
    code[0].outputs = [v4.new_output("stream", text="x" * 1_000_000)]


def break_format(nb, code):
    nb.cells[0].cell_type = "unknown"


def write_long_cells(nb, code):
    for cell in code:
        cell.source = "x = 1\n" * 20


def hide_long_cells(nb, code):
    code[1].source = "x = 1\n" * 26
    code[1].metadata["tags"] = ["hide-input"]


def hide_a_check(nb, code):
    code[2].metadata["tags"] = ["claim-thm-known", "hide-input"]


def check_and_illustrate(nb, code):
    code[2].metadata["tags"] = ["claim-thm-known", "illustrates-thm-known"]


def import_deep(nb, code):
    code[0].source = "from moelib.experts.learn import learn_experts"


def import_a_mock(nb, code):
    code[2].source += "\nfrom unittest.mock import patch"


def say_little(nb, code):
    nb.cells[2].source = "Short."


def add_title(nb, code):
    nb.cells[2].source += "\n\n# Another title"


def drop_box(nb, code):
    nb.cells[0].source = "# A page"


def import_late(nb, code):
    code[0].source = "x = 1"


def drop_summary(nb, code):
    nb.cells[-1].source = nb.cells[-1].source.replace("## Summary", "")


def drop_bibliography(nb, code):
    nb.cells[-1].source = nb.cells[-1].source.replace(":filter:", "")


BREAKS = [
    (clear_outputs, checks.run_in_order),
    (run_twice, checks.run_in_order),
    (write_stderr, checks.clean_outputs),
    (store_error, checks.clean_outputs),
    (keep_widget_state, checks.no_widget_state),
    (assert_nothing, checks.checks_something),
    (misplace_marker, checks.checks_something),
    (misplace_marker, checks.markers_work),
    (drop_alt, checks.alt_text),
    (drop_html_alt, checks.alt_text),
    (draw_large, checks.small),
    (store_too_much, checks.small),
    (break_format, checks.valid_format),
    (write_long_cells, checks.short_cells),
    (hide_long_cells, checks.short_hidden_cells),
    (check_and_illustrate, checks.checks_or_illustrates),
    (hide_a_check, checks.checks_in_reach),
    (import_deep, checks.imports_with_one_dot),
    (import_a_mock, checks.imports_with_one_dot),
    (say_little, checks.enough_words),
    (add_title, checks.page_frame),
    (drop_box, checks.page_frame),
    (import_late, checks.page_frame),
    (drop_summary, checks.page_frame),
    (drop_bibliography, checks.page_frame),
]


@pytest.mark.parametrize("check", checks.TECHNICAL + checks.CHAPTER)
def test_good_page_passes(check):
    assert check(good_page()) == []


@pytest.mark.parametrize(("change", "check"), BREAKS, ids=lambda f: f.__name__)
def test_broken_page_is_caught(change, check):
    assert check(broken(change))


def test_unknown_claim_is_caught():
    nb = good_page()
    names = ["claim-thm-known", "claim-thm-none", "illustrates-thm-no", "illustrates-thm-known"]
    checks.code_cells(nb)[2].metadata["tags"] = names
    assert checks.claim_labels(nb, {"thm-known"}) == [
        "tag claim-thm-none: no page defines this label",
        "tag illustrates-thm-no: no page defines this label",
    ]


def test_hidden_cells_may_be_longer_than_shown_ones():
    nb = broken(write_long_cells)
    for cell in checks.code_cells(nb)[1:]:
        cell.metadata["tags"] = ["hide-input"]
    checks.code_cells(nb)[0].source = "import numpy"
    assert checks.short_cells(nb) == checks.short_hidden_cells(nb) == []


def test_experiments_are_imported_by_name():
    nb = good_page()
    checks.code_cells(nb)[0].source = "from moelib.experiments.failure_map import METHODS"
    assert checks.imports_with_one_dot(nb) == []


def test_pages_hold_less_code_than_the_library():
    """They held more, once: what two pages need goes to the library."""
    cells = [cell for path in NOTEBOOKS for cell in checks.code_cells(read(path))]
    assert 0 < sum(map(checks.n_lines, cells)) <= MOST_LINES * len(NOTEBOOKS)
