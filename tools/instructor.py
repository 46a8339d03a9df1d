"""Write the instructors' part: solutions with rubrics, and the question bank.

It is built only when asked for (`make instructor`), beside the public pages and not among them.
The questions of a chapter come twice: with their keys, and as a sheet to print, without.
"""

import argparse
import re
import shutil
import sys
from html import escape
from pathlib import Path

import nbformat
from handout import with_alt
from nbconvert import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from plain_myst import chapter_numbers
from slides import package_files
from teaching import MASTERS, ROOT, assignments

NOTE = "For instructors. Not part of the public pages: please keep it so."
FRAME = """\
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}
<script>
MathJax = { tex: { inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]] }, svg: { fontCache: "local" } };
</script>
<script defer src="mathjax/tex-svg.js"></script>
<style>
body { max-width: 56rem; margin: 0 auto; }
.jp-RenderedHTMLCommon .highlight { margin-bottom: 1em; }
[data-kind="exam"] .jp-RenderedHTMLCommon h2 { font-size: 1.15em; font-weight: bold; }
details { margin: 0.8em 0; }
@page { margin: 15mm; }
@media print {
  body, .jp-Notebook { max-width: none; padding: 0; }
  [data-kind="exam"] .note { display: none; }
  [data-kind="exam"] h1 { margin-top: 0; }
  [data-kind="exam"] .jp-Cell, tr, mjx-container { break-inside: avoid; }
  mjx-container svg g { stroke: none; }
  details { display: none; }
  h2, h3 { break-after: avoid; }
  pre { white-space: pre-wrap; }
}
</style>
{%- endblock -%}
"""
QUESTION = re.compile(r"^## \d .*\((\d+) points, (\d+) minutes\)$", re.MULTILINE)
KEY = re.compile(r"^### Key$", re.MULTILINE)
CODE = re.compile(r"^```python\n.*?^```$", re.MULTILINE | re.DOTALL)
FOLD = "<details><summary>The numbers of this key, computed</summary>\n\n{}\n\n</details>"
MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")


def html_of(nb, title: str, kind: str = "") -> str:
    """A notebook as a page of its own, with formulas drawn by a script beside it."""
    exporter = HTMLExporter()
    exporter.raw_template = FRAME
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.exclude_anchor_links = True
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)
    nb.cells.insert(0, new_markdown_cell(f'<p class="note"><em>{NOTE}</em></p>'))
    nb.metadata["title"] = title
    page = exporter.from_notebook_node(nb)[0]
    return page.replace("<body ", f'<body data-kind="{kind}" ', 1)


def solution(master):
    """A master as a page: marks of nbgrader are left out of the text, alternative texts put in."""
    nb = nbformat.reads(nbformat.writes(master), as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            lines = [line for line in cell.source.splitlines() if line.strip() not in MARKS]
            cell.source = "\n".join(lines)
        with_alt(cell, cell.metadata.get("mystnb", {}).get("image", {}).get("alt"))
        points = cell.metadata.get("nbgrader", {}).get("points")
        if points and cell.cell_type == "markdown":
            cell.source = f"**{points:g} points**\n\n{cell.source}"
    return nb


def questions(text: str) -> tuple[list[str], list[str]]:
    """The questions of a bank page, with their headings, and their keys.

    Raises ValueError where a question has not exactly one key.
    """
    heads = list(QUESTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    parts = [KEY.split(text[head.start() : end]) for head, end in zip(heads, ends)]
    for head, part in zip(heads, parts):
        if len(part) != 2:
            raise ValueError(f"{len(part) - 1} keys: {head[0]}")
    asked, keys = zip(*parts)
    return [question.strip() for question in asked], [key.strip() for key in keys]


def key_page(text: str):
    """Questions and keys; the code that computes the numbers of a key is folded away."""
    cells = [text[: QUESTION.search(text).start()]]
    for question, key in zip(*questions(text)):
        cells += [question, f"### Key\n\n{CODE.sub(lambda m: FOLD.format(m[0]), key)}"]
    return new_notebook(cells=[new_markdown_cell(cell) for cell in cells])


def exam(text: str):
    """The sheet to print: the questions alone, a cell each, without what is for you."""
    asked, _ = questions(text)
    worth = [(int(head[1]), int(head[2])) for head in QUESTION.finditer(text)]
    points, minutes = map(sum, zip(*worth))
    first = f"# {chapter(text)}\n\n{points} points, {minutes} minutes. Name:"
    return new_notebook(cells=[new_markdown_cell(cell) for cell in (first, *asked)])


def chapter(text: str) -> str:
    """The chapter that a bank page is about."""
    return text.partition("\n")[0].removeprefix("# Questions on ").strip('"')


def bank() -> list[tuple[int | None, Path]]:
    """The chapters that have questions, in the order of the book: number and file."""
    files = [
        (number, MASTERS / "questions" / f"{Path(page).name}.md")
        for page, number in chapter_numbers().items()
    ]
    return [(number, path) for number, path in files if path.exists()]


def entry(name: str, text: str) -> str:
    return f'<a href="{name}.html">{escape(text)}</a>'


def write(out: Path) -> list[Path]:
    """Write all pages and their index into a folder; returns the pages."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "mathjax").mkdir(parents=True)
    mathjax = package_files("sphinx-mathjax-offline", "static/mathjax") / "tex-svg.js"
    shutil.copyfile(mathjax, out / "mathjax" / "tex-svg.js")
    pages, sets, listed = {}, [], []
    for a in assignments():
        pages[a.name] = html_of(solution(a.master), f"{a.name}: solutions and rubrics")
        sets.append(f"<li>{entry(a.name, a.title)}</li>")
    for number, path in bank():
        text, name = path.read_text(), f"questions-{path.stem}"
        title = f"Questions on {chapter(text)}"
        pages[name] = html_of(key_page(text), title)
        pages[f"{name}-exam"] = html_of(exam(text), title, "exam")
        links = f"{entry(name, 'with keys')} · {entry(f'{name}-exam', 'to print, without keys')}"
        listed.append(f"<li>{number or ''} {escape(chapter(text))}: {links}</li>")
    for name, page in pages.items():
        (out / f"{name}.html").write_text(page)
    (out / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>For instructors</title>'
        '<body style="font: 1rem/1.6 system-ui; max-width: 46rem; margin: 2rem auto">'
        f"<h1>For instructors</h1><p>{NOTE}</p>"
        f"<h2>Problem sets: solutions and rubrics</h2><ul>{''.join(sets)}</ul>"
        f"<h2>Question bank</h2><ul>{''.join(listed)}</ul></body></html>"
    )
    return [out / f"{name}.html" for name in pages]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "_build/instructor")
    pages = write(out := parser.parse_args().out)
    print(f"{len(pages)} pages: {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
