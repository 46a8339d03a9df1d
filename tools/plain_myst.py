"""Chapters as plain Markdown: what Sphinx numbers, names or looks up is written out.

A Jupyter without MyST shows a directive as code and a role as it is typed. `Book` knows what they
stand for on the built pages (numbers of statements, figures and equations, titles, works),
and `plain` writes it into the text.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import nbformat
import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from pybtex.richtext import Text

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"\s*(`{3,}|:{3,}|~{3,})\s*(?:\{([\w:-]+)\})?(.*)$")
OPTION = re.compile(r"\s*:([\w-]+):\s*(.*)$")
TARGET = re.compile(r"\s*\(([^()\s]+)\)=\s*$")
EQUATION = re.compile(r"\$\$\s*\(([^()\s]+)\)\s*$")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
GLUE = "application/papermill.record/text/plain"


# --- the structure of a text ----------------------------------------------------------------------


@dataclass
class Block:
    """A directive or a code fence; text between them is a block without a name."""

    name: str | None
    title: str = ""
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""
    source: str = ""


def blocks(text: str) -> list[Block]:
    """Split a text at its outermost fences; their sources, joined by newlines, are the text."""
    found, plain_lines, lines = [], [], text.split("\n")
    i = 0
    while i < len(lines):
        fence = FENCE.match(lines[i])
        end = fence and _closing(lines, i, fence[1])
        if not end:
            plain_lines.append(lines[i])
            i += 1
            continue
        if plain_lines:
            found.append(Block(None, source="\n".join(plain_lines), body="\n".join(plain_lines)))
        found.append(_directive(fence, lines[i : end + 1]))
        plain_lines, i = [], end + 1
    if plain_lines:
        found.append(Block(None, source="\n".join(plain_lines), body="\n".join(plain_lines)))
    return found


def _closing(lines, start, mark):
    """The line that closes the fence opened at `start`; None if none does."""
    for i in range(start + 1, len(lines)):
        stripped = lines[i].strip()
        if stripped.startswith(mark) and not stripped.strip(mark[0]):
            return i
    return None


def _directive(fence, lines):
    options, inside = {}, lines[1:-1]
    while fence[2] and inside and (option := OPTION.match(inside[0])):
        options[option[1]] = option[2].strip()
        inside = inside[1:]
    name = fence[2] or "code"
    return Block(name, fence[3].strip(), options, "\n".join(inside).strip("\n"), "\n".join(lines))


# --- what the built pages number ------------------------------------------------------------------


def chapter_numbers(root: Path = ROOT) -> dict[str, int | None]:
    """The number of each page of the table of contents, or None."""
    numbers, count = {}, 0
    contents = yaml.safe_load((root / "_toc.yml").read_text())
    numbers[contents["root"]] = None
    for part in contents["parts"]:
        for entry in part["chapters"]:
            count += bool(part.get("numbered"))
            numbers[entry["file"]] = count if part.get("numbered") else None
    return numbers


def parts(root: Path = ROOT) -> list[tuple[str, list[str]]]:
    """Pairs (caption, pages) of the numbered parts."""
    contents = yaml.safe_load((root / "_toc.yml").read_text())["parts"]
    return [
        (part["caption"], [entry["file"] for entry in part["chapters"]])
        for part in contents
        if part.get("numbered")
    ]


def read(page: str, root: Path = ROOT):
    """The cells of a page; a Markdown page is one cell."""
    path = root / f"{page}.ipynb"
    if path.exists():
        return nbformat.read(path, as_version=4)
    cell = nbformat.v4.new_markdown_cell((root / f"{page}.md").read_text())
    return nbformat.v4.new_notebook(cells=[cell])


def numbered_things(text: str):
    """Pairs (kind, label) of what is numbered in a text, in order."""
    for block in blocks(text):
        if block.name is None:
            for line in block.body.split("\n"):
                if equation := EQUATION.search(line):
                    yield "equation", equation[1]
        elif block.name.startswith("prf:") and block.name != "prf:proof":
            yield block.name.removeprefix("prf:"), block.options.get("label", "")
        elif block.name in ("exercise", "figure"):
            yield block.name, block.options.get("label") or block.options.get("name", "")
        if block.name not in (None, "code"):
            yield from numbered_things(block.body)


def things_of(nb):
    """The same for a notebook, with the figures that its cells draw."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            yield from numbered_things(cell.source)
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            yield "figure", figure.get("name", "")


@dataclass
class Book:
    """What references point to: numbers by label, titles by page or label, works by key."""

    numbers: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    works: dict = field(default_factory=dict)


@cache
def book(root: Path = ROOT) -> Book:
    """Read all pages once."""
    found = Book(works=parse_file(str(root / "book/references.bib")).entries)
    unnumbered: Counter = Counter()
    for page, chapter in chapter_numbers(root).items():
        nb = read(page, root)
        counts = Counter() if chapter else unnumbered
        for kind, label in things_of(nb):
            counts[kind] += 1
            number = f"{chapter}.{counts[kind]}" if chapter else f"{counts[kind]}"
            found.numbers[label] = _named(kind, number)
        lines = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown").split("\n")
        found.titles["/" + page] = next(li[2:].strip() for li in lines if li.startswith("# "))
        for line, after in pairwise(lines):
            if (target := TARGET.match(line)) and after.startswith("#"):
                found.titles[target[1]] = after.lstrip("#").strip()
    return found


def _named(kind, number):
    if kind == "equation":
        return f"({number})"
    return f"{'Fig.' if kind == 'figure' else kind.capitalize()} {number}"


# --- roles ----------------------------------------------------------------------------------------


def glued(nb) -> dict[str, str]:
    """The stored values of a notebook, by the name under which the text shows them."""
    outputs = (out for cell in nb.cells for out in cell.get("outputs", []))
    return {
        out.metadata["scrapbook"]["name"]: str(ast.literal_eval(out.data[GLUE]))
        for out in outputs
        if GLUE in out.get("data", {})
    }


def role(match, the_book: Book, values: dict[str, str]) -> str:
    """What the page shows in place of a role; a name that nobody defines is an error."""
    name, text = match[1], match[2].strip()
    shown, target = (re.match(r"(.*?)\s*<(.+)>$", text) or re.match(r"()(.*)", text)).groups()
    if name == "glue:text":
        return values[target.partition(":")[0]]
    if name == "doc":
        pages = [page for page in the_book.titles if f"/{page}".endswith(f"/{target}")]
        return f"*{shown or the_book.titles[pages[0] if pages else target]}*"
    if name in ("cite:t", "cite:p"):
        cited = [cite(the_book.works[key.strip()], name == "cite:t") for key in target.split(",")]
        return ", ".join(cited) if name == "cite:t" else f"[{'; '.join(cited)}]"
    if name in ("ref", "prf:ref", "numref", "eq"):
        number = the_book.numbers.get(target)
        return shown or number or f"*{the_book.titles[target]}*"
    raise ValueError(f"no plain text for the role {match[0]}")


def cite(work, in_sentence: bool) -> str:
    names = [" ".join([*p.prelast_names, *p.last_names]) for p in work.persons["author"]]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    who, year = str(Text.from_latex(who)), work.fields["year"]
    return f"{who} [{year}]" if in_sentence else f"{who}, {year}"


def bibliography(keys, the_book: Book) -> str:
    """A list of works, by author and year."""
    style = find_plugin("pybtex.style.formatting", "unsrt")()
    backend = find_plugin("pybtex.backends", "markdown")()
    works = sorted((the_book.works[key] for key in set(keys)), key=lambda work: cite(work, False))
    entries = [entry.text.render(backend) for entry in style.format_entries(works)]
    return "\n".join(f"- {' '.join(entry.split())}" for entry in entries)


def cited_keys(nb) -> list[str]:
    text = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    found = [m[2] for m in ROLE.finditer(text) if m[1] in ("cite:t", "cite:p")]
    return [key.strip() for keys in found for key in keys.split(",")]


# --- directives -----------------------------------------------------------------------------------


def plain(text: str, fill, works: str = "") -> str:
    """A text without directives, roles and labels; `fill` replaces roles, see `filler`."""
    return "\n".join(_plain(block, fill, works) for block in blocks(text))


def filler(nb, the_book: Book):
    """The replacement of roles in the text of one notebook."""
    return partial(role, the_book=the_book, values=glued(nb)), the_book.numbers


def _plain(block, fill, works):
    roles, numbers = fill
    if block.name is None:
        lines = [line for line in block.body.split("\n") if not TARGET.match(line)]
        text = ROLE.sub(roles, "\n".join(lines))
        return EQUATION_LINE.sub(lambda m: f"\\tag{{{numbers[m[1]].strip('()')}}} $$", text)
    if block.name == "code":
        return block.source
    if block.name == "bibliography":
        return works
    title, body = ROLE.sub(roles, block.title), plain(block.body, fill, works).strip()
    label = block.options.get("label", "")
    if block.name == "exercise":
        return f'<a id="{label}"></a>\n\n**{numbers[label]}** {title}\n\n{body}'
    if block.name == "prf:proof":
        return f"*Proof.* {body} $\\square$" if not body.endswith("$$") else f"*Proof.* {body}"
    if block.name.startswith("prf:"):
        head = f"**{numbers[label]}**" + (f" ({title})" if title else "")
        return quote(f"{head}\n\n{body}")
    if block.name == "admonition" and "dropdown" in block.options.get("class", ""):
        body = re.sub(r"^\*Proof\.\* ", "", body)
        return f"<details><summary><b>{title}</b> (open)</summary>\n\n{body}\n\n</details>"
    if block.name == "admonition":
        return quote(f"**{title}**\n\n{body}")
    raise ValueError(f"no plain text for the directive {block.name}")


EQUATION_LINE = re.compile(r"\$\$\s*\(([^()\s]+)\)[ \t]*$", re.MULTILINE)


def quote(text: str) -> str:
    """A block quotation; a formula in it takes one line, or Jupyter would read `>` into it."""
    text = re.sub(r"\$\$.*?\$\$", lambda m: " ".join(m[0].split()), text, flags=re.DOTALL)
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
