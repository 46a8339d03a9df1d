"""What a student reads: points and reasons, on one page that runs no script and loads nothing."""

from pathlib import Path

from moelib._extras import load
from moelib.classroom.grading import Graded

PAGE = (
    load("jinja2", "feedback")
    .Environment(autoescape=True)
    .from_string(
        """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ g.title or g.assignment }}: {{ g.student }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem;
       padding: 0 1rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
         border-bottom: 1px solid #bbb; }
td.n { text-align: right; white-space: nowrap; }
td.r { overflow-wrap: break-word; }
th[scope=rowgroup] { padding-top: 1.2rem; }
@media (max-width: 36rem) {
  thead { display: none; }
  tr { display: flex; flex-wrap: wrap; justify-content: space-between; }
  td, th { border: 0; }
  td.r { flex-basis: 100%; border-bottom: 1px solid #bbb; min-width: 0; }
}
</style></head><body>
<h1>{{ g.title or g.assignment }}</h1>
<p>{{ g.student }}: <strong>{{ number(g.points) }} of {{ number(g.most - waiting) }} points</strong>
{%- if waiting %} so far; {{ number(waiting) }} more wait for a person{% endif %}.</p>
{% for remark in g.remarks %}<p>Note: {{ remark }}.</p>{% endfor %}
<table>
<thead><tr><th scope="col">Question</th><th scope="col">Points</th><th scope="col">Why</th></tr>
</thead>
<tbody>{% for e in g.earned %}
{%- if e.part and (loop.first or e.part != loop.previtem.part) %}
<tr><th scope="rowgroup" colspan="3">{{ e.part }}</th></tr>
{%- endif %}
<tr><td>{{ e.question }}</td>
<td class="n">{{ number(e.points) }} / {{ number(e.most) }}</td>
<td class="r">{{ e.reason or ("to be read by a person" if e.points is none else "") }}</td></tr>
{%- endfor %}</tbody></table>
<p>Points fall with the error, from all of them to none. Estimates are compared up to the order of
the experts and the base of the gates; signs and lengths count.</p>
</body></html>
"""
    )
)


def write_feedback(graded: Graded, path) -> Path:
    """Write one student's page.

    Parameters
    ----------
    graded : Graded
        The graded submission. Everything in it is escaped: students write parts of the reasons.
    path : path
        Of the HTML file.

    Returns
    -------
    Path
        The same.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = sum(earned.most for earned in graded.earned if earned.points is None)
    text = PAGE.render(g=graded, waiting=waiting, number=_number)
    path.write_text(text, encoding="utf-8")
    return path


def _number(points):
    return "–" if points is None else f"{round(points, 2):g}"
