"""Make one deck of slides for each part of the book, from its chapters: `make slides`.

A deck opens from a file, without a server and without the network: reveal.js and MathJax are copied
from the packages sphinx-revealjs and sphinx-mathjax-offline. A chapter gives its title with the
objectives, for each section its first sentences, labelled equations, statements, figures and the
question before a moving figure, one short cell of code, and its summary. Speaker notes (key S) hold
the first paragraph of the section and about how many minutes to plan.
"""

import argparse
import re
import shutil
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from handout import split_solutions
from nbconvert import SlidesExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from plain_myst import ROOT, Block, book, chapter_numbers, filler, parts, plain, read
from slide_items import ROOM, Item, directives, height, items_of, picture, sections
from traitlets.config import Config

WIDTH, HEIGHT = 1280, 720
MINUTES = {
    "title": 3, "lead": 1, "equation": 2, "statement": 3, "figure": 3, "question": 3, "moving": 4,
    "code": 2, "table": 2, "summary": 1, "exercises": 1,
}  # fmt: skip
LAST = ("Summary", "Exercises", "Further reading", "References")


@dataclass
class Slide:
    title: str
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def height(self):
        return sum(item.height for item in self.items)

    @property
    def minutes(self):
        return sum(MINUTES[item.kind] for item in self.items)


# --- slides ---------------------------------------------------------------------------------------


def pack(title: str, items: list[Item], fill, room: float = ROOM) -> list[Slide]:
    """Distribute items over slides, in order; a figure shares its slide with short text only."""
    slides = [Slide(title)]
    for item in items:
        here = slides[-1]
        alone = all(other.kind == "lead" for other in here.items)
        if item.kind == "picture":
            if not alone or here.height > 200:
                here = Slide(title)
                slides.append(here)
            item = picture(item.content, fill, here.height)
        elif item.kind == "moving" or (item.kind == "question" and not alone):
            slides.append(Slide(title))
        elif here.height + item.height > (1.15 * room if alone else room):
            slides.append(Slide(title))
        slides[-1].items.append(item)
    return [slide for slide in slides if slide.items]


def summary(text: str, fill) -> list[Slide]:
    """The points of a summary; a little too long is set smaller, and more goes on two slides."""
    points = [Item("summary", p, height(p)) for p in re.split(r"\n(?=- )", text.strip())]
    total = sum(point.height for point in points)
    return pack("Summary", points, fill, 1.25 * ROOM if total <= 1.25 * ROOM else 0.6 * total)


def chapter_slides(page: str, root: Path = ROOT) -> list[Slide]:
    nb = read(page, root)
    fill = filler(nb, book(root))
    kept, _ = split_solutions(nb.cells)
    first, *rest = sections(kept)
    slides = [title_slide(page, first, fill)]
    for section in rest:
        if section.title not in LAST:
            packed = pack(section.title, items_of(section, fill), fill)
            first_text = next((p for p in section.parts if isinstance(p, str)), "")
            for slide in packed:
                slide.notes = [item.note for item in slide.items if item.note]
            if packed and not packed[0].notes and first_text:
                packed[0].notes.append(plain(first_text, fill))
            slides += packed
    closing = {section.title: section for section in rest if section.title in LAST}
    points = "\n".join(p for p in closing["Summary"].parts if isinstance(p, str))
    slides += summary(plain(points, fill), fill)
    asked = [b for b in directives(closing["Exercises"]) if b.name == "exercise"]
    titles = [f"**{fill[1][b.options['label']]}** {plain(b.title, fill)}" for b in asked]
    text = "\n".join(f"- {title}" for title in titles)
    slides.append(Slide("Exercises", [Item("exercises", text, height(text))]))
    minutes = sum(slide.minutes for slide in slides)
    slides[0].notes.append(f"The chapter: {len(slides)} slides, about {minutes} minutes in all.")
    return slides


def title_slide(page, section, fill) -> Slide:
    number = chapter_numbers()[page]
    texts = [p for p in section.parts if isinstance(p, str)]
    box = next(b for b in section.parts if isinstance(b, Block) and b.name == "admonition")
    goals, _, more = box.body.partition("**Prerequisites**")
    goals = plain(goals.replace("**Objectives**", "").strip(), fill)
    lead = plain(texts[0], fill)
    items = [Item("title", lead, height(lead)), Item("title", goals, height(goals))]
    items[1].kind = "lead"
    return Slide(f"{number} {section.title}", items, [plain(f"**Prerequisites**{more}", fill)])


# --- the deck -------------------------------------------------------------------------------------


def cells_of(slide: Slide, kind: str, level: int):
    """The cells of a slide, for nbconvert; the first one opens it."""
    heading = new_markdown_cell(f"{'#' * level} {slide.title}")
    heading.metadata = {"slideshow": {"slide_type": kind}}
    yield heading
    for item in slide.items:
        if isinstance(item.content, str):
            yield new_markdown_cell(item.content)
        else:
            yield from item.content
    notes = [f"**About {slide.minutes} min**" if slide.items else "", *slide.notes]
    text = "\n\n".join(note for note in notes if note)
    yield new_markdown_cell(text, metadata={"slideshow": {"slide_type": "notes"}})


def deck(caption: str, pages: list[str], root: Path = ROOT):
    """The notebook of a part: its title, then each chapter as a column of slides."""
    numbers, titles = chapter_numbers(root), book(root).titles
    contents = "\n".join(f"{numbers[page]}. {titles['/' + page]}" for page in pages)
    about = f"*Learning in Gated Neural Networks*\n\n{contents}"
    cells = list(cells_of(Slide(f"Part {caption}", [Item("lead", about, 0)]), "slide", 1))
    chapters = [chapter_slides(page, root) for page in pages]
    for slides in chapters:
        for i, slide in enumerate(slides):
            cells += cells_of(slide, "subslide" if i else "slide", 2 if i else 1)
    title = f"Learning in Gated Neural Networks: {caption}"
    return new_notebook(cells=cells, metadata={"title": title, "language_info": {"name": "python"}})


def html_of(nb) -> str:
    config = Config()
    config.TagRemovePreprocessor.remove_input_tags = {"remove-input"}
    exporter = SlidesExporter(config=config, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.register_preprocessor("nbconvert.preprocessors.TagRemovePreprocessor", enabled=True)
    exporter.exclude_anchor_links = True
    exporter.raw_template = (Path(__file__).parent / "slides.html.j2").read_text()
    exporter.reveal_width, exporter.reveal_height = str(WIDTH), str(HEIGHT)
    return exporter.from_notebook_node(nb)[0]


def package_files(package: str, inside: str) -> Path:
    """A folder of an installed package, whose module need not be imported."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations) if spec else []
    folders = [Path(place) / inside for place in places]
    if not (found := next((f for f in folders if f.is_dir()), None)):
        raise SystemExit(f"{package} is not installed: pip install -r requirements.txt")
    return found


def copy_scripts(out: Path) -> None:
    """Lay reveal.js, its white theme and MathJax beside the decks."""
    reveal = package_files("sphinx_revealjs", "_static/revealjs")
    for name in ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js",
                 "dist/theme/white.css", "plugin/notes"):  # fmt: skip
        target = out / "reveal" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (reveal / name).is_dir() else shutil.copyfile
        copy(reveal / name, target, **({"dirs_exist_ok": True} if copy is shutil.copytree else {}))
    fonts = "dist/theme/fonts/source-sans-pro"
    shutil.copytree(reveal / fonts, out / "reveal" / fonts, dirs_exist_ok=True)
    (out / "mathjax").mkdir(exist_ok=True)
    mathjax = package_files("sphinx-mathjax-offline", "static/mathjax")
    shutil.copyfile(mathjax / "tex-svg.js", out / "mathjax/tex-svg.js")
    shutil.copyfile(ROOT / "book/_static/slides.css", out / "slides.css")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", type=int, help="numbers of parts; default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "_build/slides")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    copy_scripts(args.out)
    for number, (caption, pages) in enumerate(parts(), 1):
        if not args.parts or number in args.parts:
            nb = deck(caption, pages)
            (args.out / f"part{number}.html").write_text(html_of(nb))
            kinds = [c.metadata.get("slideshow", {}).get("slide_type") for c in nb.cells]
            count = kinds.count("slide") + kinds.count("subslide")
            print(f"wrote {args.out / f'part{number}.html'}: {count} slides")
    return 0


if __name__ == "__main__":
    sys.exit(main())
