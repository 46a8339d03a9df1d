"""What every notebook of the book must satisfy. Each check returns a list of problems.

nbval runs the notebooks; these checks guard what it lets through, such as cleared outputs.
`TECHNICAL` holds for every notebook, `CHAPTER` also for the chapters (book/part*/).
"""

import ast
import base64
import math
import re
from statistics import median

import nbformat
from bs4 import BeautifulSoup

MAX_BYTES = 1_000_000
MAX_FIGURE_BYTES = 60_000
MIN_WORDS = 900
MAX_MEDIAN_LINES, MAX_P90_LINES, MAX_HIDDEN_LINES = 6, 16, 25
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
BOX = "{admonition} What you will learn"
BOX_PARTS = ("**Objectives**", "**Prerequisites**", "**Time**")
MARKER = re.compile(r"^\s*#\s*NBVAL_CHECK_OUTPUT\s*$", re.MULTILINE)  # nbval wants its own line
SECTIONS = ("Summary", "Exercises", "Further reading")


# --- reading -----------------------------------------------------------------------------------


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def text(nb):
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def headings(nb):
    """Pairs (level, title) of the headings outside directives and code blocks."""
    fence, found = None, []
    for line in text(nb).splitlines():
        mark = re.match(r"\s*(`{3,}|:{3,}|~{3,})(.*)", line)
        if fence is None and mark:
            fence = mark[1]
        elif fence and mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = None
        elif fence is None and (heading := re.match(r"(#+)\s+(.*)", line)):
            found.append((len(heading[1]), heading[2].strip()))
    return found


def outputs(nb):
    """Pairs (where, cell, output) for every stored output."""
    for i, cell in enumerate(code_cells(nb), 1):
        for output in cell.get("outputs", []):
            yield f"code cell {i}", cell, output


def statements(cell):
    """The parsed code of a cell; lines with notebook magics are left out."""
    lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return ast.parse("\n".join(lines))


def asserts(cell):
    """Whether a cell can fail on a wrong result."""
    if MARKER.search(cell.source) or "nbval-check-output" in tags(cell):
        return True
    for node in ast.walk(statements(cell)):
        name = (
            getattr(node.func, "attr", getattr(node.func, "id", ""))
            if isinstance(node, ast.Call)
            else ""
        )
        if isinstance(node, ast.Assert) or name.startswith("assert_"):
            return True
    return False


# --- every notebook ----------------------------------------------------------------------------


def valid_format(nb):
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {error.message}"]
    return []


def run_in_order(nb):
    counts = [cell.get("execution_count") for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        return [f"execution counts are {counts}; run it top to bottom with `make execute`"]
    return []


def clean_outputs(nb):
    problems = []
    for where, cell, output in outputs(nb):
        if output.get("name") == "stderr":
            problems.append(f"{where} wrote to stderr: {output.text[:80]!r}")
        if output.output_type == "error" and "raises-exception" not in tags(cell):
            problems.append(f"{where} stores an error: {output.ename}")
    return problems


def no_widget_state(nb):
    if nb.metadata.get("widgets"):
        return [
            "stored widget state makes the page load scripts from the web; `make execute` drops it"
        ]
    return []


def checks_something(nb):
    return [] if any(map(asserts, code_cells(nb))) else ["no cell asserts or checks anything"]


def markers_work(nb):
    """nbval ignores, without a word, a marker that follows code."""
    return [
        f"code cell {i}: put the NBVAL_ marker on a line of its own"
        for i, cell in enumerate(code_cells(nb), 1)
        if re.search(r"^\s*[^#\s].*#\s*NBVAL_", cell.source, re.MULTILINE)
    ]


def alt_text(nb):
    problems = []
    for where, cell, output in outputs(nb):
        data = output.get("data", {})
        page = BeautifulSoup(data.get("text/html", ""), "html.parser")
        if any(not (img.get("alt") or "").strip() for img in page.find_all("img")):
            problems.append(f"{where}: an <img> in its HTML has no alt text")
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if "image/png" in data and "text/html" not in data and not alt.strip():
            problems.append(f"{where}: a figure without alt text (cell metadata mystnb.image.alt)")
    if re.search(r"!\[\s*\]\(", text(nb)):
        problems.append("a Markdown image has no alt text")
    return problems


def small(nb):
    size = len(nbformat.writes(nb).encode())
    problems = [f"{size} bytes; at most {MAX_BYTES}"] if size >= MAX_BYTES else []
    for where, _, output in outputs(nb):
        data = output.get("data", {})
        images = [data["image/png"]] if "image/png" in data else []
        images += re.findall(
            r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", data.get("text/html", "")
        )
        largest = max((len(base64.b64decode(image)) for image in images), default=0)
        if largest > MAX_FIGURE_BYTES:
            problems.append(f"{where}: a figure of {largest} bytes; at most {MAX_FIGURE_BYTES}")
    return problems


# --- chapters ----------------------------------------------------------------------------------


def n_lines(cell):
    """Lines of code that are not blank."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def short_cells(nb):
    lengths = sorted(n_lines(cell) for cell in code_cells(nb) if not tags(cell) & HIDDEN)
    if not lengths:
        return ["no visible code cell"]
    p90 = lengths[math.ceil(0.9 * len(lengths)) - 1]
    problems = []
    if median(lengths) > MAX_MEDIAN_LINES:
        problems.append(f"median code cell has {median(lengths)} lines; at most {MAX_MEDIAN_LINES}")
    if p90 > MAX_P90_LINES:
        problems.append(f"nine in ten code cells have up to {p90} lines; at most {MAX_P90_LINES}")
    return problems


def short_hidden_cells(nb):
    """What needs more lines than that belongs to the library, with a test."""
    return [
        f"code cell {i} is hidden and has {n_lines(cell)} lines; at most {MAX_HIDDEN_LINES}"
        for i, cell in enumerate(code_cells(nb), 1)
        if tags(cell) & HIDDEN and n_lines(cell) > MAX_HIDDEN_LINES
    ]


def checks_or_illustrates(nb):
    """A cell that cannot refute a statement is not one of its checks."""
    return [
        f"code cell {i} is tagged as a check of {label} and as an illustration of it"
        for i, cell in enumerate(code_cells(nb), 1)
        for label in sorted(tag.removeprefix("claim-") for tag in tags(cell))
        if {f"claim-{label}", f"illustrates-{label}"} <= tags(cell)
    ]


def checks_in_reach(nb):
    """A reader sees every check of a claim without opening anything."""
    return [
        f"code cell {i} checks a claim and is hidden"
        for i, cell in enumerate(code_cells(nb), 1)
        if tags(cell) & HIDDEN and any(tag.startswith("claim-") for tag in tags(cell))
    ]


def imports(nb):
    """Pairs (where, module) of what the code cells import."""
    for i, cell in enumerate(code_cells(nb), 1):
        for node in ast.walk(statements(cell)):
            if isinstance(node, ast.Import):
                yield from ((f"code cell {i}", alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield f"code cell {i}", node.module or ""


def imports_with_one_dot(nb):
    """Pages import from the faces of the library; the modules behind them may move."""
    problems = []
    for where, module in imports(nb):
        parts = module.split(".")
        if parts[0] == "moelib" and len(parts) > 2 and parts[1] != "experiments":
            problems.append(f"{where} imports {module}: import from {'.'.join(parts[:2])}")
        if parts[:2] == ["unittest", "mock"]:
            problems.append(f"{where} imports unittest.mock: give the function an argument instead")
    return problems


def enough_words(nb):
    words = len(re.findall(r"[A-Za-z][A-Za-z'-]+", text(nb)))
    return [] if words >= MIN_WORDS else [f"{words} words; at least {MIN_WORDS}"]


def page_frame(nb):
    problems = []
    titles = headings(nb)
    h1 = [title for level, title in titles if level == 1]
    if len(h1) != 1 or titles[0][0] != 1:
        problems.append(f"needs one title, at the top; found {h1}")
    box = text(nb).partition(BOX)[2][:2000]
    problems += [f"the box 'What you will learn' lacks {p}" for p in BOX_PARTS if p not in box]
    first = statements(code_cells(nb)[0]).body if code_cells(nb) else []
    if not first or not isinstance(first[0], ast.Import | ast.ImportFrom):
        problems.append("the first code cell is not the import cell")
    h2 = [title for level, title in titles if level == 2]
    missing = [section for section in SECTIONS if section not in h2]
    problems += [f"no section '## {section}'" for section in missing]
    order = [title for title in h2 if title in SECTIONS]
    if not missing and order != list(SECTIONS):
        problems.append(f"sections out of order: {order}")
    if "{bibliography}\n:filter: docname in docnames" not in text(nb):
        problems.append("no bibliography of its own, filtered by `docname in docnames`")
    return problems


def claim_labels(nb, known):
    """Problems with `claim-LABEL` and `illustrates-LABEL` tags whose label no page defines."""
    names = sorted(
        tag
        for cell in code_cells(nb)
        for tag in tags(cell)
        if tag.startswith(("claim-", "illustrates-")) and tag.partition("-")[2] not in known
    )
    return [f"tag {tag}: no page defines this label" for tag in dict.fromkeys(names)]


TECHNICAL = (
    valid_format,
    run_in_order,
    clean_outputs,
    no_widget_state,
    checks_something,
    markers_work,
    alt_text,
    small,
)
CHAPTER = (
    short_cells,
    short_hidden_cells,
    checks_or_illustrates,
    checks_in_reach,
    imports_with_one_dot,
    enough_words,
    page_frame,
)
