"""The example in the README does what its comments say."""

import contextlib
import io
import re

import claims


def test_readme_example():
    readme = (claims.ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(example, {})
    assert out.getvalue().split() == re.findall(r"# (True|False)", example)
