"""Slides hold what a chapter has to show, and a deck runs in a browser without the network.

The checks in the browser are shown to fail on decks that are wrong.
"""

import re
import shutil
from itertools import pairwise

import handout
import plain_myst
import pytest
import slide_items
import slides
from nbformat.v4 import new_markdown_cell, new_notebook
from plain_myst import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PARTS = plain_myst.parts()
PAGES = [page for _, pages in PARTS for page in pages]
LEAST_PIXELS = (
    14  # of letters on a slide 1280 wide: captions of moving figures; text has 18 and more
)


@pytest.fixture(scope="module")
def chapters():
    return {page: slides.chapter_slides(page) for page in PAGES}


def contents(slide):
    """The text of a slide and the cells on it."""
    texts = [item.content for item in slide.items if isinstance(item.content, str)]
    groups = [item.content for item in slide.items if not isinstance(item.content, str)]
    cells = [cell for group in groups for cell in group]
    texts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    return "\n\n".join(texts), [cell for cell in cells if cell.cell_type == "code"]


def outside_solutions(page):
    return handout.split_solutions(plain_myst.read(page).cells)[0]


# --- what is on the slides ------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_begins_with_title_sentence_and_objectives(page, chapters):
    first, number = chapters[page][0], plain_myst.chapter_numbers()[page]
    assert first.title == f"{number} {plain_myst.book().titles['/' + page]}"
    text, _ = contents(first)
    assert "After this page you can" in text and text.count("\n- ") >= 3
    assert re.search(r"about \d+ minutes in all", "".join(first.notes))


@pytest.mark.parametrize("page", PAGES)
def test_every_section_has_a_slide(page, chapters):
    found = [s.title for s in slide_items.sections(outside_solutions(page))[1:]]
    wanted = [title for title in found if title not in ("Further reading", "References")]
    shown = [slide.title for slide in chapters[page][1:]]
    assert list(dict.fromkeys(wanted)) == list(dict.fromkeys(shown))


@pytest.mark.parametrize("page", PAGES)
def test_every_statement_and_figure_is_shown_once(page, chapters):
    things = []
    for cell in outside_solutions(page):
        if cell.cell_type == "markdown":
            found = plain_myst.numbered_things(cell.source)
            things += [label for kind, label in found if kind not in ("exercise", "equation")]
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            things.append(figure["name"])
    text = "\n".join(contents(slide)[0] for slide in chapters[page])
    for label in things:
        head = f"**{plain_myst.book().numbers[label]}**"
        heads = [li for li in text.split("\n") if head in li and "*(continued)*" not in li]
        assert len(heads) == 1, f"{label}: {heads}"
    assert text.count("*Proof.*") == 0


STILL = {"book/part2/noise-that-helps", "book/part4/certificate"}  # chapters where nothing moves


@pytest.mark.parametrize("page", PAGES)
def test_a_question_stands_before_each_moving_figure(page, chapters):
    kinds = [item.kind for slide in chapters[page] for item in slide.items]
    cells = [cell for cell in outside_solutions(page) if cell.cell_type == "code"]
    drawn = [cell for cell in cells if slide_items.is_moving(cell)]
    assert kinds.count("moving") == len(drawn) and (len(drawn) > 0) == (page not in STILL)
    asked = [before for before, kind in pairwise(kinds) if kind == "moving"]
    assert asked.count("question") >= len(drawn) - (page == "book/part2/likelihood-and-em")


@pytest.mark.parametrize("page", PAGES)
def test_code_is_short_and_hidden_code_stays_hidden(page, chapters):
    hidden = [
        cell.source
        for cell in outside_solutions(page)
        if cell.cell_type == "code" and handout.HIDDEN & set(cell.metadata.get("tags", []))
    ]
    for slide in chapters[page]:
        for cell in contents(slide)[1]:
            assert cell.source not in hidden
            assert sum(bool(line.strip()) for line in cell.source.split("\n")) <= 12
            assert "assert" not in cell.source
            assert bool(cell.source) != bool(cell.outputs)


@pytest.mark.parametrize("page", PAGES)
def test_no_solution_is_on_a_slide(page, chapters):
    kept, solved = handout.split_solutions(plain_myst.read(page).cells)
    elsewhere = "\n".join(cell.source for cell in kept)
    lines = {li.strip() for c in solved for li in c.source.split("\n") if len(li.strip()) > 30}
    shown = "\n".join(
        text + "\n".join(cell.source for cell in cells) + "\n".join(slide.notes)
        for slide in chapters[page]
        for text, cells in [contents(slide)]
    )
    assert not [line for line in lines if line in shown and line not in elsewhere]


def test_alt_texts_are_those_of_the_chapter():
    html = slides.html_of(slides.deck("test", ["book/part1/gated-model"]))
    assert html.count("Two scatter plots of the same 300 labels") == 1


def test_notes_have_minutes_and_the_first_paragraph(chapters):
    slide = chapters["book/part1/gated-model"][1]
    assert slide.title == "Three lines in one cloud"
    assert slide.minutes == 4
    assert "The draw depends on\nwhere you stand, and nobody writes it down." in slide.notes[0]


# --- packing --------------------------------------------------------------------------------------


def item(height, kind="statement"):
    return slide_items.Item(kind, f"{height}", height)


def test_items_that_do_not_fit_go_on_the_next_slide():
    packed = slides.pack("T", [item(300), item(200), item(100), item(400, "question")], None)
    assert [[i.height for i in slide.items] for slide in packed] == [[300, 200], [100], [400]]


def test_long_statements_are_cut():
    body = "\n\n".join(f"Paragraph {i}. " + "word " * 60 for i in range(8))
    source = f"```{{prf:lemma}} Long\n:label: lem\n{body}\n```"
    (block,) = plain_myst.blocks(source)
    boxes = slide_items.statement(block, (lambda match: "", {"lem": "Lemma 1"}))
    assert len(boxes) > 1 and all(box.height <= 1.1 * slide_items.ROOM for box in boxes)
    assert all(box.content.startswith("> **Lemma 1** (Long)") for box in boxes)
    text = "".join(box.content for box in boxes)
    assert [text.count(f"Paragraph {i}.") for i in range(8)] == [1] * 8


def test_opening_takes_whole_sentences():
    text = "One is $a. b$ here. Two follows (see {prf:ref}`x`). Three:"
    assert slide_items.opening(text, 4) == "One is $a. b$ here."
    assert slide_items.opening(text, 99).endswith("Three.")


def test_missing_packages_are_named():
    with pytest.raises(SystemExit, match="no-such-package is not installed"):
        slides.package_files("no-such-package", "static")


# --- in a browser ---------------------------------------------------------------------------------

LOOK = """() => {
  const slide = Reveal.getCurrentSlide(), box = slide.getBoundingClientRect();
  const scale = Reveal.getScale(), seen = e => !e.closest("aside, mjx-assistive-mml");
  const parts = [...slide.querySelectorAll("*")].filter(e => seen(e) && e.getClientRects().length);
  const outer = parts.filter(e => !e.parentElement.closest("svg"));
  const rects = outer.map(e => e.getBoundingClientRect());
  const texts = parts.filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
  const zoom = e => (e.closest("figure.explore") || {}).currentCSSZoom || 1;
  const letters = texts.filter(e => !e.closest("svg, script, style"));
  const images = [...slide.querySelectorAll("img")];
  return {
    title: slide.querySelector("h1, h2").innerText, height: slide.scrollHeight, scale,
    left: box.left, top: box.top, onScreen: getComputedStyle(slide).visibility == "visible",
    bottom: Math.max(...rects.map(r => (r.bottom - box.top) / scale)),
    right: Math.max(...rects.map(r => (r.right - box.left) / scale)),
    letters: Math.min(...letters.map(e => parseFloat(getComputedStyle(e).fontSize) * zoom(e))),
    raw: letters.some(e => !e.closest("code, pre") && /\\$|\\\\[a-z]{2}|\\]`/.test(e.innerText)),
    formulaErrors: slide.querySelectorAll("mjx-merror, [data-mjx-error]").length,
    noAlt: images.filter(i => !i.alt.trim() || i.alt.startsWith("No description")).length,
    broken: images.filter(i => i.complete && !i.naturalWidth).length,
    notes: slide.querySelectorAll("aside.notes").length,
  };
}"""


def problems_of(seen):
    """What is wrong with one slide."""
    found = {
        "too high": seen["height"] > 720 or seen["bottom"] > 721,
        "too wide": seen["right"] > 1281,
        "not on the screen": not seen["onScreen"] or seen["scale"] < 0.9 or abs(seen["left"]) > 40,
        "letters too small": seen["letters"] < LEAST_PIXELS,
        "a raw formula": seen["raw"],
        "a formula that MathJax refuses": seen["formulaErrors"],
        "an image without alt": seen["noAlt"],
        "an image that does not show": seen["broken"],
        "no notes": seen["notes"] != 1,
    }
    return [f"{seen['title']}: {what}" for what, bad in found.items() if bad]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("slides")
    slides.copy_scripts(out)
    return out


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium) to test the slides")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def walk(browser, path):
    """Open a deck and press the space bar to the end; what was seen, and all problems."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    seen, problems = [], []
    loud = ("error", "warning")
    page.on("console", lambda m: problems.append(m.text) if m.type in loud else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda r: problems.append(r.url) if r.url.startswith("http") else None)
    page.route(re.compile("^https?:"), lambda route: route.abort())
    page.goto(path.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()", timeout=60_000)
    total = page.evaluate("Reveal.getTotalSlides()")
    for _ in range(total):
        seen.append(page.evaluate(LOOK))
        problems += problems_of(seen[-1])
        page.keyboard.press("Space")
    if not page.evaluate("Reveal.isLastSlide()"):
        problems.append("the space bar does not lead to the end")
    page.close()
    return seen, problems


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(PARTS) + 1))
def test_deck_in_a_browser(number, folder, browser, chapters):
    caption, pages = PARTS[number - 1]
    path = folder / f"part{number}.html"
    path.write_text(slides.html_of(slides.deck(caption, pages)))
    seen, problems = walk(browser, path)
    assert not problems, "\n".join(problems)
    assert len(seen) == 1 + sum(len(chapters[page]) for page in pages)
    assert len({slide["title"] for slide in seen}) > 5


@pytest.mark.slow
def test_slider_moves_on_a_slide(folder, browser):
    path = folder / "moving.html"
    path.write_text(slides.html_of(slides.deck("test", ["book/part3/landscape"])))
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(path.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()", timeout=60_000)
    while not page.query_selector("section.present:not(.stack) figure.explore"):
        assert not page.evaluate("Reveal.isLastSlide()")
        page.keyboard.press("Space")
    figure = page.query_selector("section.present:not(.stack) figure.explore")
    slide, alt = page.evaluate("Reveal.getIndices()"), "f => f.querySelector('img').alt"
    before = figure.evaluate(alt)
    figure.query_selector("input[type=range]").press("ArrowRight")
    assert figure.evaluate(alt) != before
    assert page.evaluate("Reveal.getIndices()") == slide
    page.close()


GIF = "R0lGODlhAQABAAAAACwAAAAAAQABAAA="


def planted(text, folder):
    """A deck with one good slide and one with this text."""
    items = [[slide_items.Item("lead", part, 0)] for part in ("a", text)]
    made = [slides.Slide(title, item) for title, item in zip("AB", items)]
    cells = [cell for slide in made for cell in slides.cells_of(slide, "slide", 2)]
    path = folder / "planted.html"
    path.write_text(slides.html_of(new_notebook(cells=cells, metadata={"title": "planted"})))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A formula $x^2$.", None),
        ("\n\n".join("word " * 40 for _ in range(40)), "too high"),
        ("$$ " + " + ".join(f"x_{{{i}}}" for i in range(99)) + " $$", "too wide"),
        (
            f"<img src='data:image/gif;base64,{GIF}' width=1>",
            "without alt",
        ),
        ("<img src='none.png' alt='none'>", "does not show"),
        ("<img src='https://example.org/a.png' alt='far'>", "https://example.org/a.png"),
        ("A formula $\\nosuchthing{x}$.", "raw formula"),
        ("A formula $x^1^2$.", "MathJax refuses"),
        ("A price of \\$5.", "raw formula"),
        ("<p style='font-size:9px'>small</p>", "too small"),
        ("<script>none()</script>", "none is not defined"),
        ("<div style='position:fixed;left:1300px;width:9px'>out</div>", "too wide"),
    ],
)
def test_a_bad_slide_is_seen(text, problem, folder, browser):
    _, problems = walk(browser, planted(text, folder))
    if problem is None:
        assert not problems
    else:
        assert any(problem in found for found in problems), problems


@pytest.mark.slow
def test_a_deck_off_the_screen_is_seen(folder, browser):
    path = planted("x", folder)
    style = "<style>main { height: 0 !important; }</style>"
    path.write_text(path.read_text().replace("</head>", f"{style}</head>"))
    _, problems = walk(browser, path)
    assert any("not on the screen" in found for found in problems)


def test_nothing_is_loaded_from_another_host():
    html = slides.html_of(new_notebook(cells=[new_markdown_cell("# T")], metadata={"title": "T"}))
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", html)
    assert not re.findall(r"https?://", (ROOT / "book/_static/slides.css").read_text())
