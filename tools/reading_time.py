"""Count what a page asks of a reader, and turn it into minutes by a rule.

An estimate, not a measurement of readers. A *skim* leaves out proofs; reading *with the proofs*
pauses at each formula. Neither includes the exercises, which have minutes of their own, by stars.
`tools/teaching.py` puts the table on book/teaching.md.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import claims
import nbformat

ROOT = claims.ROOT

SKIM = {"words": 60 / 200, "line": 2, "display": 15, "figure": 20}  # seconds for each
CLOSE = {"words": 60 / 150, "proof": 60 / 60, "inline": 3, "line": 5, "display": 40, "figure": 45}
STARS = {1: 15, 2: 30, 3: 60}  # minutes for an exercise

FENCE = re.compile(r"^\s*([`:]{3,})\s*(?:\{([\w:-]+)\})?\s*(.*)$")
OPTION = re.compile(r"^\s*:[\w-]+:")
ANCHOR = re.compile(r"^\([\w-]+\)=$")
ROLE = re.compile(r"\{[\w:-]+\}`[^`]*`")
SPAN = re.compile(r"`[^`]*`")
INLINE = re.compile(r"(?<!\\)\$[^$]+\$")
SILENT = {"exercise", "solution", "bibliography", "code"}
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}


@dataclass
class Text:
    """Prose without formulas and code, and the formulas."""

    words: int = 0
    inline: int = 0
    displays: int = 0

    @classmethod
    def of(cls, prose: str, displays: int) -> "Text":
        plain = SPAN.sub(" word ", ROLE.sub(" word ", prose))
        words = [w for w in INLINE.sub(" ", plain).split() if any(c.isalnum() for c in w)]
        return cls(len(words), len(INLINE.findall(plain)), displays)


@dataclass
class Counts:
    text: Text
    proofs: Text
    lines: int
    figures: int
    exercises: tuple[int, ...]  # the stars of each

    @property
    def skim(self) -> float:
        """Minutes for the text and the figures, proofs left out."""
        seconds = self.text.words * SKIM["words"] + self.text.displays * SKIM["display"]
        return (seconds + self.lines * SKIM["line"] + self.figures * SKIM["figure"]) / 60

    @property
    def close(self) -> float:
        """Minutes with the proofs, stopping at each formula and each line of code."""
        seconds = self.text.words * CLOSE["words"] + self.proofs.words * CLOSE["proof"]
        seconds += (self.text.inline + self.proofs.inline) * CLOSE["inline"]
        seconds += (self.text.displays + self.proofs.displays) * CLOSE["display"]
        return (seconds + self.lines * CLOSE["line"] + self.figures * CLOSE["figure"]) / 60

    @property
    def practice(self) -> int:
        """Minutes for all exercises."""
        return sum(STARS[stars] for stars in self.exercises)


class Reader:
    """Walks the cells of a page in order; what is open at the end of a cell stays open."""

    def __init__(self) -> None:
        self.fences: list[tuple[str, str]] = []  # the fence and its kind
        self.options = self.formula = self.exercises = self.solution = False
        self.prose: dict[bool, list[str]] = {False: [], True: []}  # in a proof?
        self.displays = {False: 0, True: 0}
        self.lines = self.figures = 0
        self.stars: list[int] = []

    def counts(self) -> Counts:
        texts = [Text.of("\n".join(self.prose[p]), self.displays[p]) for p in (False, True)]
        return Counts(*texts, self.lines, self.figures, tuple(self.stars))

    @property
    def kinds(self) -> set[str]:
        return {kind for _, kind in self.fences}

    @property
    def silent(self) -> bool:
        return self.exercises or self.solution or bool(self.kinds & SILENT)

    def markdown(self, source: str) -> None:
        for line in source.splitlines():
            if not self.fence(line):
                self.read(line)

    def fence(self, line: str) -> bool:
        """Open or close a directive or a block of code."""
        match = FENCE.match(line)
        if not match:
            return False
        bar, name, title = match.groups()
        if self.fences and self.fences[-1][0] == bar and not name and not title:
            self.fences.pop()
            return True
        if "code" in self.kinds:
            return False
        kind = "proof" if name == "prf:proof" or (name and title == "Proof") else name or "code"
        if kind == "exercise":
            self.stars.append(title.count("★"))
        if kind in ("solution-start", "solution-end"):
            self.solution = kind == "solution-start"
        if not self.silent and kind not in SILENT:
            self.figures += kind == "figure"
            if name and kind not in ("proof", "figure", "solution-start", "solution-end"):
                self.prose["proof" in self.kinds].append(title)
        self.fences.append((bar, kind))
        self.options = True
        return True

    def read(self, line: str) -> None:
        """One line that opens and closes nothing."""
        if ANCHOR.match(line) or (self.options and OPTION.match(line)):
            return
        self.options = False
        if line.startswith("## ") and not self.fences:
            self.exercises = line.strip() == "## Exercises"
        if "code" in self.kinds and not self.exercises and not self.solution:
            self.lines += bool(line.strip())
        if self.silent:
            return
        in_proof = "proof" in self.kinds
        marks = line.count("$$")
        if marks and not self.formula:
            self.displays[in_proof] += 1
        if not marks and not self.formula:
            self.prose[in_proof].append(line)
        if marks % 2:
            self.formula = not self.formula

    def code(self, cell) -> None:
        if self.silent:
            return
        tags = set(cell.metadata.get("tags", []))
        if not tags & HIDDEN:
            self.lines += sum(bool(line.strip()) for line in cell.source.splitlines())
        self.figures += "remove-cell" not in tags and draws(cell)


def draws(cell) -> bool:
    """Whether a code cell shows a figure: a picture, or frames behind a slider."""
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    return any("image/png" in d or 'type="range"' in d.get("text/html", "") for d in data)


def count(notebook) -> Counts:
    """What a notebook, as nbformat reads it, asks of its reader."""
    reader = Reader()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            reader.markdown(cell.source)
        elif cell.cell_type == "code":
            reader.code(cell)
    return reader.counts()


def notebooks(root: Path = ROOT) -> dict[str, Path]:
    """The notebooks of the book, chapters first, then what needs none of them."""
    paths = {page: claims.source(page, root) for page in claims.pages(root)}
    found = {page: path for page, path in paths.items() if path and path.suffix == ".ipynb"}
    return dict(sorted(found.items(), key=lambda item: "/part" not in item[0]))


def rounded(minutes: float) -> int:
    """To five minutes: the rule is no finer."""
    return max(5, 5 * round(minutes / 5))


def table(root: Path = ROOT) -> str:
    """The table of minutes, in Markdown."""
    rows = ["| Page | Skim | Proofs | Exercises | ★, ★★, ★★★ |", "|---|--:|--:|--:|--:|"]
    totals = [0, 0, 0]
    for page, path in notebooks(root).items():
        counts = count(nbformat.read(path, as_version=4))
        minutes = [rounded(counts.skim), rounded(counts.close), counts.practice]
        totals = [a + b for a, b in zip(totals, minutes)]
        kinds = ", ".join(str(counts.exercises.count(stars)) for stars in STARS)
        rows.append(f"| {{doc}}`/{page}` | " + " | ".join(map(str, [*minutes, kinds])) + " |")
    hours = " | ".join(f"{total / 60:.0f} h" for total in totals)
    return "\n".join([*rows, f"| together | {hours} | |"])


if __name__ == "__main__":
    print(table())
