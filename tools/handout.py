"""Write chapters without their solutions, for a class: `make handout PAGES="a.ipynb b.ipynb"`.

Exercises keep the numbers of the book. After each come two cells to answer in. What plain Jupyter
cannot show (directives, references, numbers in the text) is written out, see `plain_myst`.
"""

import argparse
import ast
import builtins
import hashlib
import re
import shutil
import sys
from html import escape
from pathlib import Path

import nbformat
from execute_notebooks import data_files
from nbformat.v4 import new_code_cell, new_markdown_cell
from plain_myst import (
    GLUE,
    ROOT,
    bibliography,
    blocks,
    book,
    chapter_numbers,
    cited_keys,
    filler,
    plain,
)

MARKER = re.compile(r"^[ \t]*#[ \t]*NBVAL_CHECK_OUTPUT[ \t]*(\n|$)", re.MULTILINE)
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
NOTE = (
    "*This copy of the chapter has no solutions. Exercises, statements, figures and equations have "
    "the numbers of the book.*"
)


# --- without solutions ----------------------------------------------------------------------------


def split_solutions(cells):
    """The cells of a chapter in two lists, without the solutions and the solutions alone.

    A cell may hold the end of one thing and the start of the next, so it is cut inside. Raises
    ValueError where solutions do not open and close in turn, or an exercise stands in one.
    """
    kept, solutions, inside = [], [], False
    for cell in cells:
        if cell.cell_type != "markdown":
            (solutions if inside else kept).append(cell)
            continue
        pieces: list[list[str]] = [[], []]
        for block in blocks(cell.source):
            opens, closes = block.name == "solution-start", block.name == "solution-end"
            if (opens and inside) or (closes and not inside):
                raise ValueError(f"a solution opens or closes out of turn: {block.source[:60]}")
            if inside and block.name == "exercise":
                raise ValueError(f"an exercise inside a solution: {block.title}")
            inside = (inside or opens) and not closes
            alone = block.name == "solution"
            if not (opens or closes):
                pieces[inside or alone].append(block.source)
        for texts, cells_of in zip(pieces, (kept, solutions)):
            if text := "\n".join(texts).strip("\n"):
                cells_of.append(new_markdown_cell(text, metadata=cell.metadata))
    if inside:
        raise ValueError("the last solution does not close")
    return kept, solutions


def missing_names(cells) -> list[str]:
    """Names that code uses and no cell defines, such as one that a solution made."""
    defined, used = set(dir(builtins)), set()
    for cell in cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.M))):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler):
                defined.add(node.name)
            elif isinstance(node, ast.arg):
                defined.add(node.arg)
            elif isinstance(node, ast.alias):
                defined.add((node.asname or node.name).partition(".")[0])
    return sorted(used - defined)


# --- readable without MyST ------------------------------------------------------------------------


def answer_cells(label: str, number: str):
    """Two cells to answer an exercise in: words and code."""
    about = {"tags": ["answer"], "exercise": label}
    words = f"**Your answer to {number}**\n\n*(words and formulas here)*"
    return [
        new_markdown_cell(words, metadata=about),
        new_code_cell(f"# {number}: your code", metadata=about),
    ]


def written_out(cell, fill, works):
    """A Markdown cell for plain Jupyter; where an exercise ends, cells to answer in follow."""
    done, texts = [], []
    for block in blocks(cell.source):
        texts.append(plain(block.source, fill, works))
        if block.name == "exercise":
            label = block.options["label"]
            done += [new_markdown_cell("\n".join(texts).strip("\n"), metadata=cell.metadata)]
            done += answer_cells(label, fill[1][label])
            texts = []
    if text := "\n".join(texts).strip("\n"):
        done.append(new_markdown_cell(text, metadata=cell.metadata))
    return done


def with_alt(cell, alt: str | None):
    """Write the alternative text of a cell's pictures so that every reader of notebooks finds it.

    JupyterLab and nbconvert read none from the metadata, but show a picture that is written as
    HTML; programs that want the bare picture still find it.
    """
    for out in cell.get("outputs", []):
        if alt and (png := out.get("data", {}).get("image/png")):
            out.metadata["image/png"] = {**out.metadata.get("image/png", {}), "alt": alt}
            source = f"data:image/png;base64,{png.strip()}"
            out.data["text/html"] = f'<img src="{source}" alt="{escape(alt)}">'
    return cell


def with_caption(cell, fill):
    """A code cell, folded if the page hides it, and its figure's caption as a cell of text.

    A line that speaks to the book's tests alone is left out.
    """
    cell.source = MARKER.sub("", cell.source).strip("\n")
    cell.outputs = [out for out in cell.outputs if GLUE not in out.get("data", {})]
    if HIDDEN & set(cell.metadata.get("tags", [])):
        cell.metadata["jupyter"] = {"source_hidden": True}
    image = cell.metadata.pop("mystnb", {})
    with_alt(cell, image.get("image", {}).get("alt"))
    if not (figure := image.get("figure")):
        return [cell]
    caption = plain(figure["caption"], fill)
    return [cell, new_markdown_cell(f"**{fill[1][figure['name']]}** {caption}")]


def handout(nb, root: Path = ROOT):
    """The notebook to hand out; `nb` is left as it is."""
    fill = filler(nb, book(root))
    works = bibliography(cited_keys(nb), book(root))
    kept, _ = split_solutions(nb.cells)
    if missing := missing_names(kept):
        raise ValueError(f"only a solution defines {', '.join(missing)}")
    cells = []
    for cell in (nbformat.from_dict(cell) for cell in kept):
        text = cell.cell_type == "markdown"
        cells += written_out(cell, fill, works) if text else with_caption(cell, fill)
    title = re.search(r"^# .*$", cells[0].source, re.MULTILINE)
    cells[0].source = cells[0].source.replace(title[0], f"{title[0]}\n\n{NOTE}", 1)
    for i, cell in enumerate(cells):
        cell.id = hashlib.sha256(f"{i}{cell.source}".encode()).hexdigest()[:8]
    about = {k: v for k, v in nb.metadata.items() if k != "moelib"}
    out = nbformat.v4.new_notebook(cells=cells, metadata=about)
    nbformat.validate(out)
    return out


def data_of(nb, root: Path = ROOT) -> list[Path]:
    """Data files that a notebook names, and their neighbours where the folder is their own."""
    named = data_files([cell.source for cell in nb.cells if cell.cell_type == "code"], root)
    top = root / "book/data"
    folders = {path.parent for path in named} - {top}
    return sorted({*named, *(path for folder in folders for path in folder.iterdir())})


def write(path: Path, out: Path, root: Path = ROOT) -> Path:
    """Write the handout of one chapter, and the data files it reads where it finds them."""
    nb = nbformat.read(path, as_version=4)
    target = out / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(handout(nb, root), target)
    for data in data_of(nb, root):
        copy = out / data.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data, copy)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="default: all notebooks of the book")
    parser.add_argument("--out", type=Path, default=ROOT / "_build/handout")
    args = parser.parse_args()
    every = [ROOT / f"{page}.ipynb" for page in chapter_numbers()]
    for path in args.pages or [path for path in every if path.exists()]:
        print(f"wrote {write(path.resolve(), args.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
