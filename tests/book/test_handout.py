"""Handouts lose no exercise and keep no solution; their numbers are those of the built pages.

The checks find solutions in their own way, in the text of the whole notebook, and are shown to fail
on strippers that are wrong.
"""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import handout
import nbformat
import plain_myst
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_checks import MARKER, text
from plain_myst import ROOT

from moelib.experiments.tables import find_table

PAGES = [page for page in plain_myst.chapter_numbers() if (ROOT / f"{page}.ipynb").exists()]
QUICK = ("part1/gated-model", "part1/gates-in-real-networks", "part3/hermite-stein-scores")
SOLUTION = re.compile(r"`+\{solution-start\}(.*?)`+\{solution-end\}\s*`+", re.DOTALL)
EXERCISE = re.compile(r"\{exercise\}(.*)\n:label: (\S+)")
DIRECTIVE = re.compile(r"^\s*(`{3,}|:{3,}).*$|^:\w+:.*$|^\([^()\s]+\)=$", re.MULTILINE)
ANCHOR = re.compile(r'<a id="(ex-[^"]+)"></a>\n\n\*\*(Exercise [\d.]+)\*\* (.*)')


@pytest.fixture(scope="module")
def chapters():
    return {page: plain_myst.read(page) for page in PAGES}


@pytest.fixture(scope="module")
def handouts(chapters):
    return {page: handout.handout(nb) for page, nb in chapters.items()}


# --- checks: each returns a list of problems ------------------------------------------------------


def whole(nb):
    """One text of all cells, code too."""
    return "\n\n".join(cell.source for cell in nb.cells)


def lines_of(source):
    """Lines of at least 20 characters, outside roles: one role cuts a line into pieces."""
    source = MARKER.sub("", DIRECTIVE.sub("", source))
    pieces = re.split(r"\n|\{[a-z:]+\}`[^`]+`", source)
    return {piece.strip() for piece in pieces if len(piece.strip()) >= 20}


def solution_lines(nb):
    """Lines that stand in solutions and nowhere else."""
    source = whole(nb)
    solved = "\n".join(SOLUTION.findall(source))
    elsewhere = SOLUTION.sub("", source)
    return {line for line in lines_of(solved) if line not in elsewhere}


def leaks(nb, out):
    problems = [f"a line of a solution: {li}" for li in solution_lines(nb) if li in whole(out)]
    solved = "\n".join(SOLUTION.findall(whole(nb)))
    kept = {cell.source for cell in out.cells}
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.source in solved and cell.source in kept:
            problems.append(f"a code cell of a solution: {cell.source[:60]}")
    shown = nbformat.writes(out)
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.source in solved and len(cell.source) > 20:
            printed = [o.text for o in cell.outputs if o.output_type == "stream"]
            problems += [f"an output: {p[:60]}" for p in printed if repr(p)[1:-3] in shown]
    return problems


def letters(source):
    """Letters and digits alone: the same however a text is quoted, broken or set."""
    return re.sub(r"[^0-9A-Za-z]+", "", re.sub(r"\$\$ *\(eq-[^)]*\)", "", source))


def losses(nb, out):
    """What is outside solutions and not in the handout."""
    kept = letters(whole(out))
    gone = [li for li in lines_of(SOLUTION.sub("", whole(nb))) if letters(li) not in kept]
    asked = [label for _, label in EXERCISE.findall(text(nb))]
    found = [label for label, *_ in ANCHOR.findall(text(out))]
    return [f"lost: {li}" for li in gone] + ([] if asked == found else [f"{asked} became {found}"])


def wrong_numbers(nb, out, numbers):
    """Exercises whose number or title is not that of the page."""
    titles = {label: title.strip() for title, label in EXERCISE.findall(text(nb))}
    return [
        f"{label} is {number} ({title})"
        for label, number, title in ANCHOR.findall(text(out))
        if number != numbers[label] or title != titles[label]
    ]


def unreadable(out):
    """Directives, roles and labels that plain Jupyter shows as they are typed."""
    pattern = r"\{[a-z:]+\}`[^`]|^\s*[`:]{3,}\{.*|\$\$ *\(eq-|^\([\w-]+\)=$"
    return [m[0] for m in re.finditer(pattern, text(out), re.MULTILINE)]


# --- on every chapter -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_no_solution_is_left(page, chapters, handouts):
    assert solution_lines(chapters[page])
    assert not leaks(chapters[page], handouts[page])


@pytest.mark.parametrize("page", PAGES)
def test_nothing_else_is_lost(page, chapters, handouts):
    assert not losses(chapters[page], handouts[page])


@pytest.mark.parametrize("page", PAGES)
def test_is_readable_without_myst(page, handouts):
    assert not unreadable(handouts[page])


@pytest.mark.parametrize("page", PAGES)
def test_every_exercise_has_cells_to_answer_in(page, handouts):
    cells = handouts[page].cells
    n = 0
    for cell, words, code in zip(cells, cells[1:], cells[2:]):
        if anchor := ANCHOR.search(cell.source):
            n += 1
            assert words.cell_type == "markdown" and anchor[2] in words.source
            assert code.cell_type == "code" and anchor[2] in code.source
    assert n == len(ANCHOR.findall(text(handouts[page]))) > 0


@pytest.mark.parametrize("page", PAGES)
def test_no_name_comes_from_a_solution(page, chapters, handouts):
    assert handout.missing_names(handouts[page].cells) == []
    _, solutions = handout.split_solutions(chapters[page].cells)
    assert any(cell.cell_type == "code" for cell in solutions)


@pytest.mark.parametrize("page", PAGES)
def test_no_line_speaks_to_the_tests_of_the_book(page, handouts):
    assert "NBVAL" not in whole(handouts[page])
    assert not [c for c in handouts[page].cells if c.source.startswith("\n")]


def alts_in(out):
    """The alternative texts of all images, as nbconvert shows the notebook."""
    shown = BeautifulSoup(HTMLExporter().from_notebook_node(out)[0], "html.parser")
    return [image["alt"] for image in shown.find_all("img")]


@pytest.mark.parametrize("page", PAGES)
def test_every_image_has_the_alternative_text_of_the_page(page, chapters, handouts):
    kept, _ = handout.split_solutions(chapters[page].cells)
    about = [cell.metadata.get("mystnb", {}).get("image", {}) for cell in kept]
    asked = [" ".join(image["alt"].split()) for image in about if "alt" in image]
    alts = [" ".join(alt.split()) for alt in alts_in(handouts[page])]
    assert asked and set(asked) <= set(alts)
    assert all(alts) and not [alt for alt in alts if alt.startswith("No description")]


def test_a_lost_alternative_text_is_seen(handouts):
    out = nbformat.from_dict(handouts["book/part1/gated-model"])
    for cell in out.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data.pop("text/html")
    assert [alt for alt in alts_in(out) if alt.startswith("No description")]


def test_hidden_code_is_folded_and_captions_show(handouts):
    page = handouts["book/part1/gated-model"]
    figure, caption = next(
        (cell, after) for cell, after in zip(page.cells, page.cells[1:]) if cell.get("outputs")
    )
    assert figure.metadata["jupyter"]["source_hidden"]
    assert caption.source.startswith("**Fig. 2.1** 300 labels along the road")
    assert "Two scatter plots" in figure.outputs[0].metadata["image/png"]["alt"]


# --- numbers, against the builder of the pages ----------------------------------------------------

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDw"
    "ADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def without_outputs(nb):
    """The text of a chapter and a pixel for each of its figures."""
    drawn = [c for c in nb.cells if "figure" in c.metadata.get("mystnb", {})]
    cells = [c for c in nb.cells if c.cell_type == "markdown" or c in drawn]
    for cell in cells:
        if cell.cell_type == "code":
            cell.source = "1"
            cell.outputs = [nbformat.v4.new_output("display_data", data={"image/png": PIXEL})]
    return new_notebook(cells=cells)


@pytest.fixture(scope="module")
def built_numbers(tmp_path_factory):
    """The number of each label as Sphinx gives it; pages are built without their outputs."""
    source = tmp_path_factory.mktemp("numbers")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, source)
    for name in ("tools", "book/_static"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("book/*.md"), *ROOT.glob("book/*.bib")]:
        shutil.copy(path, source / "book")
    for page in PAGES:
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(without_outputs(plain_myst.read(page)), source / f"{page}.ipynb")
    env = {**os.environ, "PYTHONPATH": str(source / "tools")}
    command = [Path(sys.executable).parent / "jupyter-book", "config", "sphinx", str(source)]
    subprocess.run(command, check=True, capture_output=True, env=env)
    out = source / "_out"
    command = [sys.executable, "-m", "sphinx", "-Q", "-b", "dummy", str(source), str(out)]
    subprocess.run(command, check=True, capture_output=True, env=env)
    with open(out / ".doctrees/environment.pickle", "rb") as file:
        pages = pickle.load(file).toc_fignumbers
    return {
        label.removeprefix("equation-"): (kind, ".".join(map(str, number)))
        for kinds in pages.values()
        for kind, numbers in kinds.items()
        for label, number in numbers.items()
    }


@pytest.mark.slow
def test_numbers_are_those_of_the_built_pages(built_numbers, chapters, handouts):
    shape = {"displaymath": "({})", "figure": "Fig. {}"}
    built = {
        label: shape.get(kind, f"{kind.capitalize()} {{}}").format(number)
        for label, (kind, number) in built_numbers.items()
    }
    assert plain_myst.book().numbers == built
    for page in PAGES:
        assert not wrong_numbers(chapters[page], handouts[page], built)
    asked = sum(len(EXERCISE.findall(text(nb))) for nb in chapters.values())
    found = sum(len(ANCHOR.findall(text(out))) for out in handouts.values())
    assert asked == found == sum(kind == "exercise" for kind, _ in built_numbers.values()) > 70


# --- they run -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_runs_from_top_to_bottom(name, tmp_path):
    path = handout.write(ROOT / f"book/{name}.ipynb", tmp_path)
    nb = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(nb, timeout=120, kernel_name="python3", resources=place).execute()


def test_tables_are_found_beside_a_handout(tmp_path, monkeypatch):
    for name in ("part2/map-of-failure", "part4/whole-pipeline", "your-own-data"):
        handout.write(ROOT / f"book/{name}.ipynb", tmp_path)
    monkeypatch.setenv("MOELIB_DATA", str(tmp_path / "book/data"))
    for name in ("failure-map", "failure-map-seconds", "coverage", "engel"):
        assert find_table(name).is_relative_to(tmp_path)
    assert (tmp_path / "book/data/flexmix/crossing.csv").exists()
    assert not (tmp_path / "book/data/census.csv").exists()


def test_command_writes_the_pages_asked_for(tmp_path):
    page = "book/part3/landscape.ipynb"
    command = [sys.executable, "tools/handout.py", page, "--out", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    assert (tmp_path / page).exists() and (tmp_path / "book/data/census.csv").exists()
    assert [p.name for p in tmp_path.rglob("*.ipynb")] == ["landscape.ipynb"]


# --- the checks can fail --------------------------------------------------------------------------


def by_cells(nb):
    """The advice that loses exercises: delete the cells from the opener to the closer."""
    kept, inside = [], False
    for cell in nb.cells:
        inside = inside or "{solution-start}" in cell.source
        if not inside:
            kept.append(cell)
        inside = inside and "{solution-end}" not in cell.source
    return handout.handout(new_notebook(cells=kept))


def code_stays(nb):
    """Cuts the text of solutions and leaves their code."""
    out = handout.handout(nb)
    _, solutions = handout.split_solutions(nb.cells)
    out.cells += [cell for cell in solutions if cell.cell_type == "code"]
    return out


def only_outputs_stay(nb):
    out = code_stays(nb)
    for cell in out.cells[-20:]:
        if cell.get("outputs"):
            cell.source = "# removed"
    return out


def text_stays(nb):
    out = handout.handout(nb)
    _, solutions = handout.split_solutions(nb.cells)
    out.cells.append(next(cell for cell in solutions if cell.cell_type == "markdown"))
    return out


@pytest.mark.parametrize("wrong", [code_stays, only_outputs_stay, text_stays])
def test_a_leak_is_seen(wrong, chapters):
    nb = chapters["book/part5/heavy-tails"]
    assert leaks(nb, wrong(nb))


def test_lost_exercises_are_seen(chapters):
    nb = chapters["book/part1/gated-model"]
    assert losses(nb, by_cells(nb))


def test_a_lost_paragraph_is_seen(chapters, handouts):
    nb = chapters["book/part1/gated-model"]
    out = nbformat.from_dict(handouts["book/part1/gated-model"])
    out.cells = [cell for cell in out.cells if "Walk along a straight road" not in cell.source]
    assert losses(nb, out)


def test_renumbered_exercises_are_seen(chapters, handouts):
    nb, out = chapters["book/part1/gated-model"], handouts["book/part1/gated-model"]
    out = nbformat.from_dict(out)
    for cell in out.cells:
        cell.source = cell.source.replace("**Exercise 2.", "**Exercise ")
    assert len(wrong_numbers(nb, out, plain_myst.book().numbers)) == 6


def test_a_name_that_a_solution_makes_is_refused(chapters):
    nb = nbformat.from_dict(chapters["book/part1/gated-model"])
    _, solutions = handout.split_solutions(nb.cells)
    assert "def " not in next(c.source for c in solutions if c.cell_type == "code")
    nb.cells.append(new_code_cell("print(sigmoid)"))
    with pytest.raises(ValueError, match="only a solution defines sigmoid"):
        handout.handout(nb)


OPEN, CLOSE = "````{solution-start} ex-a\n````", "````{solution-end}\n````"
ASK = "```{exercise} ★ A\n:label: ex-a\nWhy?\n```"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([ASK, OPEN, "Because."], "does not close"),
        ([ASK, "Because.", CLOSE], "out of turn"),
        ([ASK, OPEN, OPEN, CLOSE], "out of turn"),
        ([OPEN, ASK, CLOSE], "an exercise inside a solution"),
    ],
)
def test_odd_solutions_are_refused(cells, message):
    with pytest.raises(ValueError, match=message):
        handout.split_solutions([new_markdown_cell(cell) for cell in cells])


def test_cuts_inside_a_cell_and_takes_both_kinds_of_solutions():
    short = "````{solution} ex-a\nA short one.\n````"
    cells = [
        new_markdown_cell(f"Before.\n\n{ASK}\n\n{OPEN}\n\nBecause."),
        new_code_cell("answer = 42"),
        new_markdown_cell(f"So it is.\n\n{CLOSE}\n\nAfter.\n\n{short}\n\nThe end."),
    ]
    kept, solutions = handout.split_solutions(cells)
    assert [cell.source.split() for cell in kept] == [
        f"Before. {ASK}".split(),
        "After. The end.".split(),
    ]
    gone = " ".join(cell.source for cell in solutions)
    assert all(word in gone for word in ("Because.", "answer = 42", "So it is.", "A short one."))


def test_formulas_in_quotes_take_one_line():
    quoted = plain_myst.quote("Let\n\n$$\na \\\\\n= b\n$$\n\nhold.")
    assert quoted == "> Let\n>\n> $$ a \\\\ = b $$\n>\n> hold."


def test_unknown_references_are_errors(chapters):
    fill = plain_myst.filler(chapters["book/part1/gated-model"], plain_myst.book())
    for role in ("{prf:ref}`thm-none`", "{glue:text}`none`", "{doc}`/book/none`", "{cite:t}`none`"):
        with pytest.raises(KeyError):
            plain_myst.plain(role, fill)
    with pytest.raises(ValueError, match="role"):
        plain_myst.plain("{download}`x`", fill)
    with pytest.raises(ValueError, match="directive"):
        plain_myst.plain("```{tabs}\nx\n```", fill)
