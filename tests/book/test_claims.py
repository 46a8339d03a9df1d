"""The claims ledger on the page is the one the notebooks give."""

import claims
import nbformat
import nbformat.v4 as v4

PAGE = """\
```{prf:lemma} Signs
:label: lem-signs

Text.
```

```{prf:proof}
Done.
```

```{prf:theorem}
:label: thm-open
```

```{prf:theorem} Folded
:label: thm-folded
```

```{admonition} Proof
:class: dropdown

Done.
```

```{prf:lemma} Not folded
:label: lem-remark
```

```{admonition} Proof idea
Not one.
```
"""


def test_committed_ledger_is_up_to_date():
    committed = (claims.ROOT / "book/claims.md").read_text()
    assert committed == claims.ledger(), "run `make claims` and commit book/claims.md"


def test_ledger_of_a_small_book(tmp_path):
    tags = [["claim-lem-signs"], ["illustrates-thm-open", "illustrates-lem-signs"]]
    cells = [v4.new_markdown_cell(PAGE)] + [
        v4.new_code_cell("assert True", execution_count=i, metadata={"tags": names})
        for i, names in enumerate(tags, 1)
    ]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    (tmp_path / "_toc.yml").write_text("root: a\n")
    rows = claims.ledger(tmp_path).splitlines()
    assert "Statements: 4. With at least one check: 1." in rows
    signs = next(row for row in rows if "lem-signs" in row)
    assert (
        "on the page" in signs
        and "not on the page" not in signs
        and "| {doc}`/a` [1] | {doc}`/a` [2] |" in signs
    )
    for label in ("thm-open", "lem-remark"):
        assert "not on the page | **no check** |" in next(row for row in rows if label in row)
    assert next(row for row in rows if "thm-open" in row).endswith("| {doc}`/a` [2] |")
    assert "| on the page |" in next(row for row in rows if "thm-folded" in row)


def test_labels_of_every_kind():
    text = "(sec-a)=\n# A\n$$x$$ (eq-b)\n```{math}\n:label: eq-c\n```"
    assert claims.labels(text) == {"sec-a", "eq-b", "eq-c"}
