"""The examples in the README do what their comments say."""

import contextlib
import io
import re

import claims

README = (claims.ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme_examples():
    """One after the other, as a reader runs them; each print has a comment with its output."""
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for example in EXAMPLES:
            exec(example, names)
    text = "\n".join(EXAMPLES)
    said = re.findall(r"^print\(.*\)  # (True|False|\d+)\b", text, re.MULTILINE)
    assert out.getvalue().split() == said
    assert len(said) == len(re.findall(r"^print", text, re.MULTILINE)) >= 4


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links and not [link for link in links if not (claims.ROOT / link).exists()]
