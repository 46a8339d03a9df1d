"""The teaching pages: computed tables are current, and name what there is."""

import re

import instructor
import numpy as np
import pytest
import teaching
from bs4 import BeautifulSoup

PAGES = {path.name: path.read_text() for path in (teaching.ROOT / "book").glob("teaching*.md")}
PAGE = PAGES["teaching.md"]
MARKED = {
    "teaching.md": ["minutes", "sets"],
    "teaching-chapters.md": [],
    "teaching-grading.md": ["trust", "misconceptions"],
}


@pytest.mark.parametrize("name", MARKED)
def test_the_tables_on_the_pages_are_the_computed_ones(name):
    tables = {key: teaching.TABLES[key] for key in MARKED[name] if key in teaching.TABLES}
    assert teaching.written(PAGES[name], tables) == PAGES[name], "run tools/teaching.py"


def test_every_table_has_its_place_on_one_page():
    assert set(PAGES) == set(MARKED)
    assert set(teaching.TABLES) <= {key for marked in MARKED.values() for key in marked}
    for name, page in PAGES.items():
        assert sorted(re.findall(r"^<!-- (\w+) -->$", page, re.MULTILINE)) == sorted(MARKED[name])


def test_only_what_stands_between_markers_is_replaced():
    page = "before\n<!-- sets -->\nold\n<!-- /sets -->\nafter\n"
    new = "before\n<!-- sets -->\n\nnew\n\n<!-- /sets -->\nafter\n"
    assert teaching.written(page, {"sets": lambda: "new"}) == new


def test_every_set_has_a_row_in_each_table_and_a_week():
    for assignment in teaching.assignments():
        assert PAGE.count(f"| {assignment.name} |") == 2, assignment.name
        week = rf"\b{assignment.name[0]}(-[a-z0-9-]+)? (out|due)\b"
        assert re.search(week, PAGE), assignment.name


def test_the_sets_have_hours_between_two_and_four_and_name_their_extension():
    for assignment in teaching.assignments()[:7]:
        core, more = teaching.hours(assignment)
        assert 2 <= float(core) <= 4, assignment.name
        headings = [c.source for c in assignment.master.cells if ", extension)" in c.source]
        assert bool(more) == bool(headings), assignment.name
        assert not more or float(core) < float(more) <= 6.5, assignment.name


@pytest.mark.parametrize("name, key", [(name, key) for name in MARKED for key in MARKED[name]])
def test_no_marker_is_left_empty(name, key):
    page = PAGES[name]
    assert len(page.partition(f"<!-- {key} -->")[2].partition(f"<!-- /{key} -->")[0]) > 200


def test_the_factors_at_the_board_are_those_of_the_integral():
    """Least squares, line 6: the true variance of the difference over the rule's."""
    line = " ".join(PAGES["teaching-chapters.md"].split())
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    u, v = np.meshgrid(points, points)
    mean = lambda f: np.sum(f * np.outer(weights, weights)) / (2 * np.pi)  # noqa: E731
    noise, factors = 0.05**2, []
    for R in (0.5, 1, 2):
        tanh, linear = np.tanh(R * v / 2), mean(np.tanh(R * v / 2) * v)
        spread = u**2 / np.cosh(R * v / 2) ** 2 / 2  # |delta|^2 = 2
        for h in ((np.tanh(R * u / 2) * v - tanh * u), (linear * v - tanh) * u):
            h = h / np.sqrt(2)
            true = mean(h**4) - mean(h**2) ** 2 + 4 * mean(h**2 * (noise + spread))
            factors.append(f"{true / (4 * mean(h**2) * (noise + mean(spread))):.1f}")
    assert "{0}, {2} and {4} times the rule's".format(*factors) in line
    assert "three factors are {1}, {3} and {5}".format(*factors) in line


# --- the instructors' part ------------------------------------------------------------------------

BANK = sorted((teaching.MASTERS / "questions").glob("*.md"))


@pytest.fixture(scope="module")
def instructors_pages(tmp_path_factory):
    return instructor.write(tmp_path_factory.mktemp("instructor"))


def test_solutions_and_questions_have_a_page_each(instructors_pages):
    names = {path.stem for path in instructors_pages}
    assert {assignment.name for assignment in teaching.assignments()} <= names
    bank = {path.stem for path in (teaching.MASTERS / "questions").glob("*.md")}
    sheets = {f"questions-{stem}{kind}" for stem in bank for kind in ("", "-exam")}
    assert {name for name in names if name.startswith("questions-")} == sheets and len(bank) == 19


def shown(path):
    """The text of a page, letters and digits alone: the same however it is set."""
    page = BeautifulSoup(path.read_text(), "html.parser")
    return letters(page.body.get_text())


def letters(text):
    return re.sub(r"[^0-9A-Za-z]+", "", text)


def key_sentences(text):
    """Sentences and lines of code of the keys of a bank page that no question holds."""
    asked = letters(re.sub(r"(?ms)^### Key$.*?(?=^## \d |\Z)", "", text))
    keys = " ".join(part.split("\n## ")[0] for part in text.split("### Key\n")[1:])
    pieces = {letters(piece) for piece in re.split(r"(?<=[.:?])\s|\n", keys)}
    return {piece for piece in pieces if len(piece) > 20 and piece not in asked}


@pytest.mark.parametrize("path", BANK, ids=lambda path: path.stem)
def test_the_sheet_to_print_has_all_questions_and_nothing_of_a_key(path, instructors_pages):
    folder, text = instructors_pages[0].parent, path.read_text()
    sheet = shown(folder / f"questions-{path.stem}-exam.html")
    sentences = key_sentences(text)
    assert len(sentences) > 60 and not [one for one in sentences if one in sheet]
    with_keys = shown(folder / f"questions-{path.stem}.html")
    assert sum(one in with_keys for one in sentences) == len(sentences)
    parts = re.split(r"(?m)^(?=## \d )", text)[1:]
    marks = r"(?m)^```\w*|^\d+\. "  # numbers of lists are drawn by the browser
    asked = [letters(re.sub(marks, "", part.split("### Key\n")[0])) for part in parts]
    found = [sheet.find(question) for question in asked]
    assert len(found) == 6 and -1 not in found and found == sorted(found)


def test_the_code_of_keys_is_folded(instructors_pages):
    for path in instructors_pages:
        if path.stem.startswith("questions-") and not path.stem.endswith("-exam"):
            page = BeautifulSoup(path.read_text(), "html.parser")
            folds = page.find_all("details")
            assert any("assert" in fold.get_text() for fold in folds), path.name
            for fold in folds:
                fold.decompose()
            assert "assert" not in "".join(code.get_text() for code in page.find_all("pre"))


def test_a_question_without_a_key_or_with_two_is_refused():
    head = '# Questions on "A"\n\n## 1 Why: B (5 points, 8 minutes)\n\nWhy?\n\n'
    for keys in ("### key\n\nSo.\n", "### Key\n\nSo.\n\n### Key\n\nSo.\n"):
        with pytest.raises(ValueError, match="keys: ## 1 Why"):
            instructor.exam(head + keys)


def test_the_index_has_the_order_of_the_book(instructors_pages):
    index = (instructors_pages[0].parent / "index.html").read_text()
    links = [a["href"] for a in BeautifulSoup(index, "html.parser").find_all("a")]
    assert links == [path.name for path in instructors_pages]
    bank = [link[10:-5] for link in links if link.startswith("questions-") and "-exam" not in link]
    toc = re.findall(r"file: book/(?:part\d/)?(\S+)", (teaching.ROOT / "_toc.yml").read_text())
    assert bank == [name for name in toc if name in bank]
    assert bank[:3] == ["your-own-data", "gates-in-real-networks", "gated-model"]


def test_the_instructors_pages_load_nothing_from_elsewhere(instructors_pages):
    for path in instructors_pages:
        page = BeautifulSoup(path.read_text(), "html.parser")
        loaded = [
            tag.get("src") or tag.get("href") for tag in page.find_all(["script", "link", "img"])
        ]
        assert [url for url in loaded if url and url.startswith(("http", "//"))] == []
        assert "BEGIN SOLUTION" not in "".join(t.text for t in page.select(".jp-RenderedMarkdown"))
        alts = [image.get("alt", "") for image in page.find_all("img")]
        assert all(alt and not alt.startswith("No description") for alt in alts), path.name


def test_the_public_pages_hold_nothing_of_the_instructors_part():
    """Neither the table of contents nor a page leads to a master, a key or a rubric."""
    toc = (teaching.ROOT / "_toc.yml").read_text()
    assert "assignments" not in toc
    sources = [path.read_text() for path in (teaching.ROOT / "book").glob("*.md")]
    sources += [
        path.read_text()
        for path in (teaching.ROOT / "book").rglob("*.ipynb")
        if "assignments" not in path.parts
    ]
    secret = set()
    for assignment in teaching.assignments():
        for c in assignment.master.cells:
            if c.metadata["nbgrader"]["solution"] and c.cell_type == "markdown":
                secret |= {line for line in c.source.splitlines() if len(line) > 60}
    for path in BANK:
        keys = path.read_text().split("### Key")[1:]
        lines = [line for key in keys for line in key.splitlines() if len(line) > 60]
        secret |= {line for line in lines if not line.startswith(("from ", "import "))}
    assert len(secret) > 300
    public = "\n".join(sources)
    assert [line for line in secret if line in public] == []
