"""What of a chapter goes on slides: sections, and in each the items in the order of the page."""

import re
import struct
from base64 import b64decode
from dataclasses import dataclass, field

from handout import HIDDEN
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from plain_myst import Block, blocks, plain

ROOM, LINE, LETTERS = 560, 37, 92  # pixels below the heading, of a line of text; letters in it
ASKS = re.compile(r"[Pp]redict|Before you (touch|move)")


@dataclass
class Item:
    """One thing on a slide: text or a cell, and about how many pixels it takes."""

    kind: str
    content: object
    height: float
    note: str = ""


@dataclass
class Section:
    """A heading and what follows it: paragraphs, directives and code cells, in order."""

    title: str
    parts: list = field(default_factory=list)


# --- reading a chapter ----------------------------------------------------------------------------


def sections(cells) -> list[Section]:
    """Cut the cells at headings; the first section is what stands under the title."""
    found = [Section("")]
    for cell in cells:
        if cell.cell_type == "code":
            found[-1].parts.append(cell)
            continue
        for block in blocks(cell.source):
            if block.name is not None:
                found[-1].parts.append(block)
                continue
            for paragraph in paragraphs(block.body):
                if heading := re.match(r"(#{1,3}) (.*)", paragraph):
                    found.append(Section(heading[2].strip()))
                else:
                    found[-1].parts.append(paragraph)
    return [section for section in found if section.title and section.parts]


def directives(section: Section) -> list[Block]:
    return [part for part in section.parts if isinstance(part, Block)]


def paragraphs(text: str) -> list[str]:
    """Paragraphs; a displayed formula is one, and so is a heading. Labels of headings go."""
    text = re.sub(r"^\([^()\s]+\)=$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\$\$.*?\$\$(?: *\([^()\s]+\))?)", r"\n\n\1\n\n", text, flags=re.DOTALL)
    text = re.sub(r"^(#{1,3} .*)$", r"\n\1\n", text, flags=re.MULTILINE)
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.?!:])\s+(?=[A-Z*{`\"(])", paragraph.strip())


def opening(paragraph: str, words: int = 45) -> str:
    """The first sentences of a paragraph, as many as have so many words; one at least."""
    first, *more = sentences(paragraph)
    for sentence in more:
        if len(f"{first} {sentence}".split()) > words:
            break
        first = f"{first} {sentence}"
    return re.sub(r":$", ".", first)


def height(text: str) -> float:
    """Pixels that a text takes, roughly."""
    formulas = re.findall(r"\$\$.*?\$\$", text, re.DOTALL)
    total = sum(75 + 48 * formula.count(r"\\") for formula in formulas)
    for line in re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL).split("\n\n"):
        for entry in re.split(r"\n(?=>? *(?:[-*]|\d+\.) )", line):
            seen = re.sub(r"\\[a-zA-Z]+|\\.|[{}$*`^_>]|&", " ", entry)
            letters = len(" ".join(seen.split()))
            total += LINE * -(-letters // LETTERS) + (14 if letters else 0)
    return total


# --- what goes on slides --------------------------------------------------------------------------


def is_moving(cell) -> bool:
    return any('class="explore"' in o.get("data", {}).get("text/html", "") for o in cell.outputs)


def png_of(cell):
    pictures = (o["data"]["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
    return next(pictures, None)


def picture(cell, fill, above: float = 0) -> Item:
    """A stored figure at a size that leaves room for its caption."""
    about = cell.metadata["mystnb"]
    figure = about.get("figure", {})
    number = fill[1].get(figure.get("name", ""), "")
    caption = f"**{number}** {plain(figure.get('caption', ''), fill)}".strip()
    png = png_of(cell)
    wide, high = struct.unpack(">II", b64decode(png)[16:24])
    room = ROOM - above - 0.7 * height(caption) - 30
    scale = min(1150 / wide, room / high, 1.6)
    size = {"alt": about["image"]["alt"], "width": int(wide * scale), "height": int(high * scale)}
    shown = new_output("display_data", data={"image/png": png}, metadata={"image/png": size})
    cells = [new_code_cell(outputs=[shown], metadata={"tags": ["remove-input"]})]
    cells.append(new_markdown_cell(f'<div class="caption">\n\n{caption}\n\n</div>'))
    return Item("figure", cells, ROOM - above)


def moving(cell) -> Item:
    """An interactive figure: its frames and sliders work on the slide."""
    html = next(o["data"]["text/html"] for o in cell.outputs if "text/html" in o.get("data", {}))
    wide, high = (int(re.search(rf' {side}="(\d+)"', html)[1]) for side in ("width", "height"))
    sliders = 38 * html.count('type="range"') + 100
    zoom = min(1100 / wide, ROOM / (high + sliders), 1.6)
    html = html.replace('style="', f'style="--zoom:{zoom:.2f};', 1)
    shown = new_output("display_data", data={"text/html": html})
    cells = [new_code_cell(outputs=[shown], metadata={"tags": ["remove-input"]})]
    return Item("moving", cells, ROOM)


def table(cell, before: str, items: list[Item], fill) -> Item | None:
    """A short table of results under the sentence that leads to it."""
    for out in cell.outputs:
        html = out.get("data", {}).get("text/html", "")
        rows = html.count("<tr")
        if "<table" in html and rows <= 9:
            html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
            shown = new_output("display_data", data={"text/html": html})
            sentence = leading(before, fill, items)
            cells = [new_markdown_cell(sentence)]
            cells += [new_code_cell(outputs=[shown], metadata={"tags": ["remove-input"]})]
            return Item("table", cells, 40 + 36 * rows + height(sentence))
    return None


def teaches(cell, before: str) -> bool:
    """A short visible cell that defines the method by hand and checks nothing."""
    lines = [line for line in cell.source.split("\n") if line.strip()]
    hidden = HIDDEN & set(cell.metadata.get("tags", []))
    defines = any(re.match(r"(def|class) ", line) for line in lines)
    by_hand = "by_hand" in cell.source or "by hand" in before.lower()
    checks = "assert" in cell.source
    return defines and by_hand and not hidden and not checks and len(lines) <= 12


def statement(block, fill) -> list[Item]:
    """A definition, theorem, ...: one box, or several where it is long."""
    text = plain(block.source, fill)
    if height(text) <= 1.15 * ROOM:
        return [Item("statement", text, height(text) + 30)]
    pieces, head = [[]], text.split("\n>\n")[0]
    for part in text.split("\n>\n"):
        if pieces[-1] and height("\n>\n".join([*pieces[-1], part])) > 0.9 * ROOM:
            pieces.append([f"{head} *(continued)*"])
        pieces[-1].append(part)
    boxes = ["\n>\n".join(piece) for piece in pieces]
    return [Item("statement", box, height(box) + 30) for box in boxes]


def question(texts: list[str], fill) -> Item | None:
    """What to predict before a figure moves: from the paragraph that asks to the last one."""
    asks = [i for i, text in enumerate(texts) if ASKS.search(text)]
    if not asks:
        return None
    asked = texts[asks[-1] :]
    if "**Predict" not in asked[0]:
        asked[0] = f"**Predict, then move.** {asked[0]}"
    text = plain("\n\n".join(asked), fill)
    box = f'<div class="question">\n\n{text}\n\n</div>'
    return Item("question", box, height(text) + 30)


def lead(paragraph: str, fill, words: int = 45) -> Item:
    short = plain(opening(paragraph, words), fill)
    return Item("lead", short, height(short), plain(paragraph, fill))


def leading(before: str, fill, items=()) -> str:
    """The last sentence of the paragraph before, if it is short and no slide shows it already."""
    sentence = plain(sentences(before)[-1], fill) if before and not before.startswith("$$") else ""
    shown = any(sentence[:-1] in str(item.content) for item in items)
    return "" if shown or len(sentence.split()) > 70 else sentence


def equation(before: str, formula: str, items: list[Item], fill) -> Item:
    """A labelled equation with the sentence that leads to it."""
    text = f"{leading(before, fill, items)}\n\n{plain(formula, fill)}".strip()
    return Item("equation", text, height(text))


def code(cell, before: str, fill) -> Item:
    """A cell of code under the sentence that leads to it."""
    sentence, lines = leading(before, fill), cell.source.count("\n") + 1
    cells = [new_markdown_cell(sentence), new_code_cell(cell.source)]
    return Item("code", cells, 30 + 27 * lines + height(sentence))


# --- all items of a section -----------------------------------------------------------------------


def items_of(section: Section, fill) -> list[Item]:
    """The items of a section, in the order of the page."""
    items: list[Item] = []
    texts: list[str] = []
    for part in section.parts:
        before = texts[-1] if texts else ""
        if isinstance(part, str):
            if part.startswith("$$") and re.search(r"\$\$ *\(", part):
                items.append(equation(before, part, items, fill))
            elif not items and not part.startswith(("$$", "-", "|", "1.")):
                items.append(lead(part, fill))
            texts.append(part)
        elif isinstance(part, Block):
            take_directive(part, items, texts, fill)
        else:
            items += items_of_cell(part, items, texts, fill)
    if len(items) == 1 and items[0].kind == "lead":
        items = [lead(next(p for p in section.parts if isinstance(p, str)), fill, words=110)]
    return items


def take_directive(block: Block, items: list[Item], texts: list[str], fill) -> None:
    """A statement is an item; its proof and the answer to a question go to the notes."""
    if block.name == "prf:proof" or block.title == "Proof":
        if items:
            body = plain(block.body, fill).replace("*Proof.* ", "")
            items[-1].note += f"\n\nProof. {body}"
    elif block.name.startswith("prf:"):
        items += statement(block, fill)
    elif block.title.startswith("Predict"):
        texts.append(f"**{block.title}.** {block.body}")
    elif block.title.startswith("What you should have seen") and items:
        items[-1].note += f"\n\nSeen: {plain(block.body, fill)}"


def items_of_cell(cell, items: list[Item], texts: list[str], fill) -> list[Item]:
    before = texts[-1] if texts else ""
    if is_moving(cell):
        asked = question(texts, fill)
        if asked and len(items) == 1 and items[0].kind == "lead" and ASKS.search(texts[0]):
            items.clear()  # the question begins with the same sentences
        texts.clear()
        return [*([asked] if asked else []), moving(cell)]
    if png_of(cell) and cell.metadata.get("mystnb", {}).get("image"):
        return [Item("picture", cell, 0)]
    if shown := table(cell, before, items, fill):
        return [shown]
    if teaches(cell, before) and all(item.kind != "code" for item in items):
        return [code(cell, before, fill)]
    return []
