r"""Figures that move: one drawing function, a slider, and two ways to show it.

A reader with a kernel gets ipywidgets sliders that call the drawing function again. A reader of
the published page gets frames drawn beforehand behind plain ``<input type="range">`` sliders: no
kernel, no library, no network; without scripts the first frame stays, with its description. Both
come from two pure functions of the sliders' values, ``draw`` (a figure) and ``alt`` (a sentence).
"""

import base64
import hashlib
import io
import itertools
import json
import math
import sys
from functools import cached_property
from html import escape
from importlib.util import find_spec

__all__ = ["Explore", "explore"]

MAX_FRAMES = 60
MAX_BYTES = 900_000
WIDGET = "application/vnd.jupyter.widget-view+json"

SLIDER = """\
<label style="display:flex;align-items:center;gap:.8em;margin:.3em 0">
<span style="flex:0 0 8em">{label}</span>
<input type="range" min="0" max="{last}" step="1" value="{place}" autocomplete="off"
 aria-label="{label}" aria-valuetext="{text}"
 style="flex:1 1 0;min-width:0;margin:0;accent-color:#1f6fc5">
<output style="flex:0 0 4em;font-variant-numeric:tabular-nums">{text}</output></label>"""

PAGE = """\
<figure class="explore" id="{name}" style="margin:1em auto;max-width:{width}px;text-align:left">
<img src="{src}" alt="{alt}" width="{width}" height="{height}"
 style="display:block;max-width:100%;height:auto;background:#fff">
<div hidden style="margin:.6em 0">{sliders}</div>
<noscript><p>This figure moves when scripts are allowed; here is its first frame.</p></noscript>
<figcaption aria-live="polite" style="text-align:left;color:inherit;font-weight:inherit">\
{caption} <span>{alt}</span></figcaption>
<script type="application/json">{data}</script>
<script>
for (const figure of document.querySelectorAll("#{name}:not([data-ready])")) {{
  figure.dataset.ready = "yes";
  const {{texts, frames}} = JSON.parse(figure.querySelector("script").textContent);
  const image = figure.querySelector("img"), says = figure.querySelector("figcaption span");
  const sliders = figure.querySelectorAll("input"), shown = figure.querySelectorAll("output");
  const show = () => {{
    let place = 0;
    sliders.forEach((slider, i) => {{
      place = place * texts[i].length + Number(slider.value);
      shown[i].textContent = texts[i][slider.value];
      slider.setAttribute("aria-valuetext", texts[i][slider.value]);
    }});
    image.src = frames[place].src;
    image.alt = says.textContent = frames[place].alt;
  }};
  sliders.forEach(slider => slider.addEventListener("input", show));
  figure.querySelector("div").hidden = false;
}}
</script></figure>"""


def explore(draw, *, alt, caption="", dpi=120, labels=None, formats=None, start=None, **parameters):
    """Make a figure that moves with one to three parameters.

    All frames are drawn at once, so that an error in `draw` or `alt` stops the cell.

    Parameters
    ----------
    draw : function
        ``draw(**values)`` returns a Figure; equal values give equal figures.
    alt : function
        ``alt(**values)`` returns one sentence: what is seen in that frame.
    caption : str
        What holds for all frames, shown before that sentence; plain text.
    dpi : float
        Pixels per inch of the frames; on the page an inch is 96 pixels wide.
    labels : dict of str
        Shown instead of a parameter's name: ``{"sigma": "noise σ"}``.
    formats : dict of str
        How values are written: ``{"sigma": ".2f"}``; floats default to "g".
    start : dict
        Values that show first; a parameter not named starts at its first value.
    **parameters : list
        The values of each parameter, in the order of its slider.

    Returns
    -------
    Explore
        Leave it as the last line of a cell to show it.

    Raises
    ------
    ValueError
        When the lists make no grid of 1 to 60 frames, or one of over 900 kB; when values read the
        same; when `draw` returns no Figure, or `alt` no sentence.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> def draw(slope):
    ...     figure = Figure(figsize=(3, 2))
    ...     _ = figure.subplots().plot([0, 1], [0, slope])
    ...     return figure
    >>> explore(draw, alt=lambda slope: f"A line of slope {slope:g}.", slope=[0.5, 1.0, 2.0])
    Explore(slope: 0.5, 1, 2; 3 frames). First: A line of slope 0.5.
    """
    return Explore(
        draw,
        alt=alt,
        caption=caption,
        dpi=dpi,
        labels=labels or {},
        formats=formats or {},
        start=start or {},
        parameters=parameters,
    )


class Explore:
    """A figure with sliders, as returned by `explore`.

    Attributes
    ----------
    frames : dict
        Maps slider positions to ``src``, ``alt``, ``width`` and ``height`` of a frame.
    start : tuple of int
        The slider positions that show first.
    html : str
        The figure for a page: one ``<figure>`` that needs nothing else.
    widget : VBox
        The figure for a kernel with ipywidgets, made when first asked for.
    """

    def __init__(self, draw, *, alt, caption, dpi, labels, formats, start, parameters):
        check_sliders(parameters, labels=labels, formats=formats, start=start)
        self.draw, self.alt, self.caption, self.dpi = draw, alt, caption, dpi
        self.parameters = {name: list(values) for name, values in parameters.items()}
        self.labels = {name: labels.get(name, name.replace("_", " ")) for name in parameters}
        self.texts = {name: write(name, vs, formats) for name, vs in self.parameters.items()}
        self.start = tuple(vs.index(start.get(n, vs[0])) for n, vs in self.parameters.items())
        self.rows = list(zip(self.labels.values(), self.texts.values(), self.start, strict=True))
        positions = itertools.product(*(range(len(vs)) for vs in self.parameters.values()))
        self.frames = {position: self.frame(position) for position in positions}
        weight = sum(len(frame["src"]) for frame in self.frames.values())
        if weight > MAX_BYTES:
            raise ValueError(
                f"{len(self.frames)} frames take {weight // 1000} kB, over {MAX_BYTES // 1000} kB:"
                f" lower dpi ({dpi:g}), shrink the figure, give fewer values or plot fewer points"
            )
        self.html = page(self)

    def frame(self, position):
        """Draw the frame at a slider position: its ``src``, ``alt``, ``width`` and ``height``."""
        values = {name: vs[i] for (name, vs), i in zip(self.parameters.items(), position)}
        sentence = self.alt(**values)
        if not isinstance(sentence, str) or not sentence.strip():
            raise ValueError(f"alt must return one sentence that says what is seen at {values}")
        return {**picture(self.draw, values, self.dpi), "alt": sentence.strip()}

    @cached_property
    def widget(self):
        """Sliders over `draw`, for a kernel with ipywidgets."""
        return sliders_in_kernel(self)

    def __repr__(self):
        lists = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in self.texts.items())
        first = self.frames[self.start]["alt"]
        return f"Explore({lists}; {len(self.frames)} frames). First: {first}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": repr(self), "text/html": self.html}
        if has_widgets():
            bundle[WIDGET] = self.widget._repr_mimebundle_()[WIDGET]
        return bundle


def check_sliders(parameters, **options):
    """Raise ValueError, saying what to do, unless the lists make a grid of at most 60 frames."""
    if not 1 <= len(parameters) <= 3:
        raise ValueError(f"give one to three parameters, as in sigma=[0.1, 1]; got {parameters}")
    for name, values in parameters.items():
        if isinstance(values, str) or not hasattr(values, "__len__") or len(values) == 0:
            raise ValueError(f"{name} must be a list of at least one value, got {values!r}")
    count = math.prod(len(values) for values in parameters.values())
    if count > MAX_FRAMES:
        raise ValueError(f"{count} frames, more than {MAX_FRAMES}: give fewer or shorter lists")
    for option, given in options.items():
        if not set(given) <= set(parameters):
            raise ValueError(f"{option}={given} must name parameters out of {list(parameters)}")
    for name, value in options["start"].items():
        if value not in list(parameters[name]):
            raise ValueError(f"start: {name}={value!r} is not one of {list(parameters[name])}")


def write(name, values, formats):
    """The values of one parameter as the reader sees them; no two may read the same."""
    texts = [format(v, formats.get(name, "g" if isinstance(v, float) else "")) for v in values]
    if len(set(texts)) < len(texts):
        raise ValueError(f"{name} has values that read the same, {texts}: set formats or drop one")
    return texts


def picture(draw, values, dpi):
    """Call `draw` and return its figure as a PNG address and size; close what it opened."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    from PIL import Image

    open_before, full, small = set(plt.get_fignums()), io.BytesIO(), io.BytesIO()
    try:
        figure = draw(**values)
        drawn = isinstance(figure, Figure)
        if not drawn:
            raise ValueError(f"draw must return a Figure, got {figure!r} at {values}: return fig")
        figure.savefig(full, format="png", dpi=dpi, facecolor="white", bbox_inches=None)
    finally:
        for number in set(plt.get_fignums()) - open_before:
            plt.close(number)
    image = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    src = "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")
    return {"src": src, "width": image.width * 96 // dpi, "height": image.height * 96 // dpi}


def has_widgets():
    """Whether this process is a Jupyter kernel that has ipywidgets."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None


def sliders_in_kernel(figure):
    """Sliders that draw again whenever one of them moves, as an `ipywidgets.VBox`."""
    import ipywidgets

    sliders = [
        ipywidgets.SelectionSlider(
            options=texts,
            index=i,
            description=label,
            style={"description_width": "initial"},
        )
        for label, texts, i in figure.rows
    ]
    view = ipywidgets.HTML()

    def show(frame):
        src, alt = frame["src"], escape(frame["alt"])
        view.value = f'<img src="{src}" alt="{alt}"><p>{escape(figure.caption)} {alt}</p>'

    for slider in sliders:
        slider.observe(lambda _: show(figure.frame([s.index for s in sliders])), names="index")
    show(figure.frames[figure.start])
    return ipywidgets.VBox([*sliders, view])


def page(figure):
    """The figure as HTML with its frames, sliders and script inside; its name is its hash."""
    sliders = [
        SLIDER.format(label=escape(label), last=len(texts) - 1, place=i, text=escape(texts[i]))
        for label, texts, i in figure.rows
    ]
    frames = [{"src": frame["src"], "alt": frame["alt"]} for frame in figure.frames.values()]
    data = json.dumps({"texts": list(figure.texts.values()), "frames": frames}, ensure_ascii=False)
    parts = {key: escape(str(value)) for key, value in figure.frames[figure.start].items()}
    parts |= {"sliders": "\n".join(sliders), "caption": escape(figure.caption)}
    parts["data"] = data.replace("<", "\\u003c")
    name = "explore-" + hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return PAGE.format(name=name, **parts)
