"""The teaching pages: computed tables are current, and name what there is."""

import re

import instructor
import pytest
import teaching
from bs4 import BeautifulSoup

PAGE = teaching.PAGE.read_text()


def test_the_tables_on_the_page_are_the_computed_ones():
    assert teaching.written(PAGE, teaching.TABLES) == PAGE, "run tools/teaching.py"


def test_only_what_stands_between_markers_is_replaced():
    page = "before\n<!-- sets -->\nold\n<!-- /sets -->\nafter\n"
    new = "before\n<!-- sets -->\n\nnew\n\n<!-- /sets -->\nafter\n"
    assert teaching.written(page, {"sets": lambda: "new"}) == new


def test_every_set_has_a_row_in_each_table_and_a_week():
    for assignment in teaching.assignments():
        assert PAGE.count(f"| {assignment.name} |") == 2, assignment.name
        week = rf"\b{assignment.name[0]}(-[a-z0-9-]+)? (out|due)\b"
        assert re.search(week, PAGE), assignment.name


def test_the_sets_have_hours_between_two_and_four():
    for assignment in teaching.assignments()[:7]:
        assert 2 <= int(teaching.hours(assignment)) <= 4, assignment.name


@pytest.mark.parametrize("name", ["trust", "sets", "minutes", "misconceptions"])
def test_no_marker_is_left_empty(name):
    assert len(PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]) > 200


# --- the instructors' part ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def instructors_pages(tmp_path_factory):
    return instructor.write(tmp_path_factory.mktemp("instructor"))


def test_solutions_and_questions_have_a_page_each(instructors_pages):
    names = {path.stem for path in instructors_pages}
    assert {assignment.name for assignment in teaching.assignments()} <= names
    assert sum(name.startswith("questions-") for name in names) == 15


def test_the_instructors_pages_load_nothing_from_elsewhere(instructors_pages):
    for path in instructors_pages:
        page = BeautifulSoup(path.read_text(), "html.parser")
        loaded = [
            tag.get("src") or tag.get("href") for tag in page.find_all(["script", "link", "img"])
        ]
        assert [url for url in loaded if url and url.startswith(("http", "//"))] == []
        assert "BEGIN SOLUTION" not in "".join(t.text for t in page.select(".jp-RenderedMarkdown"))
        assert all(image.get("alt") for image in page.find_all("img"))


def test_the_public_pages_hold_nothing_of_the_instructors_part():
    """Neither the table of contents nor a page leads to a master, a key or a rubric."""
    toc = (teaching.ROOT / "_toc.yml").read_text()
    assert "assignments" not in toc
    sources = [path.read_text() for path in (teaching.ROOT / "book").glob("*.md")]
    sources += [path.read_text() for path in (teaching.ROOT / "book").glob("part*/*.ipynb")]
    secret = set()
    for assignment in teaching.assignments():
        for c in assignment.master.cells:
            if c.metadata["nbgrader"]["solution"] and c.cell_type == "markdown":
                secret |= {line for line in c.source.splitlines() if len(line) > 60}
    for path in sorted((teaching.MASTERS / "questions").glob("*.md")):
        keys = path.read_text().split("### Key")[1:]
        lines = [line for key in keys for line in key.splitlines() if len(line) > 60]
        secret |= {line for line in lines if not line.startswith(("from ", "import "))}
    assert len(secret) > 300
    public = "\n".join(sources)
    assert [line for line in secret if line in public] == []
