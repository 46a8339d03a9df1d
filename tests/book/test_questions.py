"""The question bank: six graded questions a chapter, with keys whose numbers are computed."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
CHAPTERS = sorted([*(path.stem for path in BOOK.glob("part*/*.ipynb")), "your-own-data"])
BANK = BOOK / "assignments" / "questions"
HEADING = re.compile(
    r"^## (\d) ([A-Z][a-z ]+): (.+) \((\d+) points, (\d+) minutes\)$", re.MULTILINE
)
KINDS = ["Transfer", "Why", "Limits", "Spot the error", "Practice", "Transfer"]
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def questions(chapter):
    """Pairs (heading, body) of a chapter's questions."""
    text = (BANK / f"{chapter}.md").read_text()
    found = list(HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(match, text[match.end() : end]) for match, end in zip(found, ends)]


def test_there_is_a_file_for_each_chapter_and_no_other():
    assert len(CHAPTERS) == 19
    assert sorted(path.stem for path in BANK.glob("*.md")) == CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_six_questions_of_the_five_kinds_with_keys_and_points(chapter):
    found = questions(chapter)
    assert [match[2] for match, _ in found] == KINDS
    assert [int(match[1]) for match, _ in found] == [1, 2, 3, 4, 5, 6]
    for match, body in found:
        question, mark, key = body.partition("### Key")
        assert mark and len(question.split()) > 20 and len(key.split()) > 25, match[0]
        (line,) = re.findall(r"^Points: (.+(?:\n.+)*)", key, re.MULTILINE)
        earned = [int(n) for n in re.findall(r"\b(\d+) for\b", line)]
        assert sum(earned) == int(match[4]), (match[0], earned)
        assert 3 <= int(match[4]) <= 8 and 4 <= int(match[5]) <= 15


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_numbers_of_the_keys_are_computed(chapter):
    keys = [body.partition("### Key")[2] for _, body in questions(chapter)]
    checked = [key for key in keys if any("assert" in code for code in CODE.findall(key))]
    assert len(checked) >= 3
    for code in (code for key in keys for code in CODE.findall(key)):
        exec(compile(code, f"{chapter}.md", "exec"), {})
