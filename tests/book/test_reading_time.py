"""Minutes per page: counted by hand on a small notebook, and current on the teaching page."""

import re

import claims
import nbformat
import nbformat.v4 as v4
import pytest
import reading_time as rt

TEXT = """\
(ch-small)=
# Four words in all

```{admonition} A box
:class: tip

See {prf:ref}`lem-one` and `code_span`, where $x = 1$.
```

$$
a + b
$$ (eq-one)

```{prf:lemma} Title
:label: lem-one

$y$ is one.
```

```{prf:proof}
Let $z$ be two, $u$ three.

$$ u = z $$
```

````{admonition} Proof
:class: dropdown

```{prf:proof}
Folded away.
```
````

```python
print("shown")

print("twice")
```
"""

EXERCISES = """\
## Exercises

```{exercise} ★★ Much to say
:label: ex-one

Nothing of this is counted, not even $x$.
```

````{solution-start} ex-one
:class: dropdown
````

Nor is this.
"""

AFTER = """\
````{solution-end}
````

```{exercise} ★★★ The last
:label: ex-two

Prove it.
```

## Further reading

Two words.

## References

```{bibliography}
:filter: docname in docnames
```
"""


def picture(source, mime="image/png", data="", **metadata):
    output = v4.new_output("display_data", {mime: data})
    return v4.new_code_cell(source, outputs=[output], metadata=metadata)


def small():
    slider = '<input type="range" min="0">'
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(TEXT),
            v4.new_code_cell("a = 1\n\nb = 2\nb"),
            v4.new_code_cell("hidden = 1", metadata={"tags": ["hide-input"]}),
            picture("draw()", tags=["hide-input"]),
            picture("explore()", "text/html", slider, tags=["hide-input"]),
            v4.new_markdown_cell(EXERCISES),
            picture("solve()\nagain()"),
            v4.new_markdown_cell(AFTER),
        ]
    )


def test_counts_of_a_small_notebook():
    counts = rt.count(small())
    # the heading; "A box", its text with two roles; "Title", "is one"; two headings and a line
    assert counts.text == rt.Text(words=4 + 2 + 5 + 1 + 2 + 2 + 2 + 1, inline=2, displays=1)
    assert counts.proofs == rt.Text(words=4 + 2, inline=2, displays=1)
    assert counts.lines == 3 + 2
    assert counts.figures == 2
    assert counts.exercises == (2, 3)


def test_a_solution_is_skipped_wherever_it_stands():
    cells = [
        v4.new_markdown_cell("```{exercise} ★ One\nAsk.\n```\n````{solution-start} a\n````\nNo."),
        picture("no()"),
        v4.new_markdown_cell("````{solution-end}\n````\nYes."),
        picture("yes()"),
    ]
    counts = rt.count(v4.new_notebook(cells=cells))
    assert counts == rt.Counts(rt.Text(1), rt.Text(), lines=1, figures=1, exercises=(1,))


@pytest.mark.parametrize(
    "counts, skim, close",
    [
        (rt.Counts(rt.Text(words=300), rt.Text(), 0, 0, ()), 1.5, 2),
        (rt.Counts(rt.Text(), rt.Text(words=60), 0, 0, ()), 0, 1),
        (rt.Counts(rt.Text(inline=20), rt.Text(inline=20), 0, 0, ()), 0, 2),
        (rt.Counts(rt.Text(displays=12), rt.Text(displays=3), 0, 0, ()), 3, 10),
        (rt.Counts(rt.Text(), rt.Text(), 60, 12, ()), 6, 14),
    ],
)
def test_minutes_by_the_rule(counts, skim, close):
    assert counts.skim == pytest.approx(skim)
    assert counts.close == pytest.approx(close)


def test_exercises_by_stars():
    assert rt.Counts(rt.Text(), rt.Text(), 0, 0, (1, 1, 2, 3)).practice == 15 + 15 + 30 + 60


@pytest.fixture(scope="module")
def book():
    return {
        page: nbformat.read(path, as_version=4) for page, path in rt.notebooks(claims.ROOT).items()
    }


def test_every_exercise_of_the_book_is_counted(book):
    assert len(book) == 19
    for page, notebook in book.items():
        text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        stars = [len(s) for s in re.findall(r"^`{3,}\{exercise\} (★*)", text, re.MULTILINE)]
        assert list(rt.count(notebook).exercises) == stars, page
        assert stars and set(stars) <= {1, 2, 3}, page


def test_every_proof_of_the_book_is_counted(book):
    for page, notebook in book.items():
        counts = rt.count(notebook)
        text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        proofs = len(re.findall(r"^`{3,}\{prf:proof\}", text, re.MULTILINE))
        assert counts.proofs.words >= 10 * proofs > 0, page
        assert counts.text.words > counts.proofs.words, page
