"""Write the claims ledger: each numbered statement, its proof, and the cells that check it.

A statement is a `prf:` directive with a label. A code cell tagged `claim-LABEL` checks it: the
cell could fail if the statement were false. One tagged `illustrates-LABEL` shows the statement at
work but cannot refute it; it does not count as a check.
Run `make claims` after changing either; a test compares the committed page with this one.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
STATEMENTS = ("theorem", "lemma", "proposition", "corollary", "conjecture", "property", "criterion")
FOLDED_PROOF = re.compile(r"\s*`{3,}\{admonition\} Proof\s*$")
DIRECTIVE = re.compile(r"^\s*[`:]{3,}\s*\{prf:(\w+)\}(.*)$")
LABEL = re.compile(r"^\s*:label:\s*(\S+)|^\s*\(([^()\s]+)\)=\s*$|\$\$\s*\(([^()\s]+)\)\s*$")
INTRO = """\
# Claims ledger

Each numbered statement of the book, whether its proof is on the page, and the code cells that
check it, by their number. A *check* could fail if the statement were false: it compares two ways
to the same result, or data with a stated margin. A cell that only *illustrates* a statement,
because its inequality holds for any numbers or because it assumes what it shows, has a column of
its own and is not counted. All of these cells run, and have to pass, each time the book is tested.
The page is generated from the notebooks; a statement that no cell checks is listed as such.
"""


@dataclass
class Statement:
    label: str
    page: str
    proved: bool = False
    checks: list[str] = field(default_factory=list)
    illustrations: list[str] = field(default_factory=list)


def pages(root: Path = ROOT) -> list[str]:
    """Names of the book's pages, without suffix, in the order of the table of contents."""

    def walk(node):
        if isinstance(node, list):
            for item in node:
                yield from walk(item)
        elif isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for value in node.values():
                yield from walk(value)

    return list(walk(yaml.safe_load((root / "_toc.yml").read_text())))


def source(page: str, root: Path = ROOT) -> Path | None:
    """The file of a page, or None if it is not written yet."""
    return next((p for s in (".ipynb", ".md") if (p := root / (page + s)).exists()), None)


def markdown(path: Path) -> str:
    """The text of a page: the whole file, or the notebook's Markdown cells."""
    if path.suffix == ".md":
        return path.read_text()
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def labels(text: str) -> set[str]:
    """Every label that a reference or a claim tag can point to."""
    matches = (LABEL.search(line) for line in text.splitlines())
    return {next(filter(None, m.groups())) for m in matches if m}


def statements(text: str, page: str) -> list[Statement]:
    """The labelled statements of a page; a proof belongs to the statement before it."""
    found: list[Statement] = []
    kind = None
    for line in text.splitlines():
        if FOLDED_PROOF.match(line) and found:
            found[-1].proved = True
        elif directive := DIRECTIVE.match(line):
            kind = directive[1]
            if kind == "proof" and found:
                found[-1].proved = True
        elif kind in STATEMENTS and (label := re.match(r"\s*:label:\s*(\S+)", line)):
            found.append(Statement(label[1], page))
            kind = None
    return found


def claim_tags(path: Path, prefix: str = "claim-") -> list[tuple[str, int | None]]:
    """Pairs (label, execution count) of the cells of a notebook tagged prefix + label."""
    if path.suffix != ".ipynb":
        return []
    return [
        (tag.removeprefix(prefix), cell.get("execution_count"))
        for cell in nbformat.read(path, as_version=4).cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(prefix)
    ]


def ledger(root: Path = ROOT) -> str:
    """The Markdown of the whole page."""
    written = {page: path for page in pages(root) if (path := source(page, root))}
    written.pop("book/claims", None)
    known = {s.label: s for page, path in written.items() for s in statements(markdown(path), page)}
    others: dict[str, list[str]] = {}
    for page, path in written.items():
        for label, count in claim_tags(path):
            checks = known[label].checks if label in known else others.setdefault(label, [])
            checks.append(f"{{doc}}`/{page}` [{count}]")
        for label, count in claim_tags(path, "illustrates-"):
            if label in known:
                known[label].illustrations.append(f"{{doc}}`/{page}` [{count}]")
    checked = sum(bool(s.checks) for s in known.values())
    lines = [INTRO, f"Statements: {len(known)}. With at least one check: {checked}.\n"]
    if known:
        head = "| Statement | Page | Proof | Checked by | Illustrated by |"
        lines += [head, "|---|---|---|---|---|"]
    for s in known.values():
        proof = "on the page" if s.proved else "not on the page"
        found, shown = ", ".join(s.checks) or "**no check**", ", ".join(s.illustrations)
        row = f"| {{prf:ref}}`{s.label}` | {{doc}}`/{s.page}` | {proof} | {found} |"
        lines.append(f"{row} {shown} |".replace("|  |", "| |"))
    if others:
        lines += ["\n## Equations, definitions and figures that a cell checks\n"]
        lines += ["| Label | Checked by |", "|---|---|"]
        lines += [f"| `{label}` | {', '.join(checks)} |" for label, checks in others.items()]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    page = ROOT / "book/claims.md"
    page.write_text(ledger())
    print(f"wrote {page.relative_to(ROOT)}")
