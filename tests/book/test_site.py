"""The book builds without a warning, its links resolve, and its pages work in a browser."""

import os
import re
import shutil
import subprocess
from urllib.parse import unquote, urlsplit

import claims
import pytest
from bs4 import BeautifulSoup

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Run `make book` into a temporary folder; `-o` keeps make from touching the environment."""
    out = tmp_path_factory.mktemp("book")
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", "-o", ".venv/.installed", "book", f"BOOK_OUT={out}"]
    done = subprocess.run(command, cwd=claims.ROOT, env=env, capture_output=True, text=True)
    return out / "_build/html", done


@pytest.fixture(scope="module")
def site(build):
    html, done = build
    if done.returncode:
        pytest.fail(f"the book does not build:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return html


@pytest.fixture(scope="module")
def soups(site):
    """The parsed pages, by path."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.resolve(): BeautifulSoup(path.read_text(), "html.parser") for path in paths}


def test_builds_without_warnings(build):
    html, done = build
    log = done.stdout + done.stderr
    warnings = [
        line for line in log.splitlines() if re.search(r"\b(WARNING|ERROR|CRITICAL):", line)
    ]
    assert not warnings, "\n".join(warnings)
    assert done.returncode == 0, log[-3000:]
    assert str(html / "index.html") in done.stdout


def test_every_page_of_the_contents_exists(site):
    missing = [page for page in claims.pages() if not (site / f"{page}.html").exists()]
    assert not missing


def test_every_image_has_alt_text(soups):
    bad = [
        f"{path.name}: {img.get('src', '')[:60]}"
        for path, soup in soups.items()
        for img in soup.select("main img")
        if not (img.get("alt") or "").strip() or img["alt"].startswith(("_images/", "../_images/"))
    ]
    assert not bad


def test_internal_links_resolve(site, soups):
    ids = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in soups.items()}
    bad = []
    for path, soup in soups.items():
        for tag in soup.find_all(["a", "img", "script", "link"]):
            url = urlsplit(tag.get("href") or tag.get("src") or "")
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                bad.append(f"{path.name}: {url.geturl()}")
            elif url.fragment and target in ids and unquote(url.fragment) not in ids[target]:
                bad.append(f"{path.name}: no id {url.geturl()}")
    assert not bad, "\n".join(sorted(set(bad)))


def test_pages_load_nothing_from_the_web_but_mathjax(soups):
    urls = {
        tag.get("src") or tag.get("href")
        for soup in soups.values()
        for tag in soup.select("script[src], img[src], link[rel=stylesheet]")
    }
    outside = {url for url in urls if url.startswith(("http:", "https:", "//"))}
    assert all("mathjax" in url for url in outside), outside


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium) to test the pages")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def offline(browser):
    """A context in which only files of the built site can be loaded."""
    context = browser.new_context()
    context.route(re.compile("^https?:"), lambda route: route.abort())
    yield context
    context.close()


@pytest.mark.parametrize("name", claims.pages())
def test_page_in_a_browser(name, site, offline):
    page, errors = offline.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / f"{name}.html").as_uri())
    assert not errors
    for figure in page.query_selector_all("figure.explore"):
        move_every_slider(figure)
    assert not errors
    page.close()


def test_figures_show_without_scripts(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name in claims.pages():
        page.goto((site / f"{name}.html").as_uri())
        for figure in page.query_selector_all("figure.explore"):
            assert visible_images(figure), f"{name}: an interactive figure is empty without scripts"
    context.close()


def visible_images(figure):
    """Source and alt text of the images that a reader sees."""
    images = [img for img in figure.query_selector_all("img") if img.is_visible()]
    return [(img.get_attribute("src"), img.get_attribute("alt")) for img in images]


def move_every_slider(figure):
    """Each slider, moved by keyboard, changes the image, its alt text and the spoken caption."""
    sliders = figure.query_selector_all("input[type=range]")
    caption = figure.query_selector("figcaption[aria-live]")
    assert sliders and caption and visible_images(figure)
    for slider in sliders:
        before = visible_images(figure), caption.inner_text()
        at_end = slider.evaluate("s => Number(s.value) >= Number(s.max)")
        slider.focus()
        slider.press("ArrowLeft" if at_end else "ArrowRight")
        after = visible_images(figure), caption.inner_text()
        for (src, alt), (new_src, new_alt) in zip(before[0], after[0], strict=True):
            assert src != new_src, "the image did not change"
            assert alt != new_alt, "the alt text did not change"
        assert before[1] != after[1], "the caption did not change"
