"""Write the instructors' part: solutions with rubrics, and the question bank.

It is built only when asked for (`make instructor`), beside the public pages and not among them.
"""

import argparse
import shutil
import sys
from html import escape
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook
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
<style>body { max-width: 56rem; margin: 0 auto; }</style>
{%- endblock -%}
"""
MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")


def html_of(nb, title: str) -> str:
    """A notebook as a page of its own, with formulas drawn by a script beside it."""
    exporter = HTMLExporter()
    exporter.raw_template = FRAME
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.exclude_anchor_links = True
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)
    nb.cells.insert(0, new_markdown_cell(f"*{NOTE}*"))
    nb.metadata["title"] = title
    return exporter.from_notebook_node(nb)[0]


def solution(master):
    """A master as a page: marks of nbgrader are left out of the text, alternative texts put in."""
    nb = nbformat.reads(nbformat.writes(master), as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            lines = [line for line in cell.source.splitlines() if line.strip() not in MARKS]
            cell.source = "\n".join(lines)
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        for output in cell.get("outputs", []) if alt else []:
            if "image/png" in output.get("data", {}):
                output.metadata.setdefault("image/png", {})["alt"] = alt
        points = cell.metadata.get("nbgrader", {}).get("points")
        if points and cell.cell_type == "markdown":
            cell.source = f"**{points:g} points**\n\n{cell.source}"
    return nb


def write(out: Path) -> list[Path]:
    """Write all pages and their index into a folder; returns the pages."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "mathjax").mkdir(parents=True)
    mathjax = package_files("sphinx-mathjax-offline", "static/mathjax") / "tex-svg.js"
    shutil.copyfile(mathjax, out / "mathjax" / "tex-svg.js")
    pages = {
        f"{a.name}: solutions and rubrics": (a.name, solution(a.master)) for a in assignments()
    }
    for path in sorted((MASTERS / "questions").glob("*.md")):
        text = new_markdown_cell(path.read_text())
        title = path.read_text().partition("\n")[0].removeprefix("# ")
        pages[title] = (f"questions-{path.stem}", new_notebook(cells=[text]))
    for title, (name, nb) in pages.items():
        (out / f"{name}.html").write_text(html_of(nb, title))
    links = "\n".join(
        f'<li><a href="{name}.html">{escape(title)}</a></li>' for title, (name, _) in pages.items()
    )
    (out / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>For instructors</title>'
        '<body style="font: 1rem/1.6 system-ui; max-width: 46rem; margin: 2rem auto">'
        f"<h1>For instructors</h1><p>{NOTE}</p><ul>{links}</ul></body></html>"
    )
    return [out / f"{name}.html" for name, _ in pages.values()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "_build/instructor")
    pages = write(out := parser.parse_args().out)
    print(f"{len(pages)} pages: {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
