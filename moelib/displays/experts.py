"""Experts and gates over one input."""

from dataclasses import dataclass

import numpy as np

from moelib.displays.drawing import (
    divided,
    draw_samples,
    ink,
    legend_above,
    look,
    name_axes,
    one_axes,
    tidy,
)
from moelib.displays.reading import (
    Reading,
    as_inputs,
    column,
    feature_names,
    feature_number,
    is_number,
    label_name,
    typical_rows,
    with_column,
)
from moelib.displays.words import change, counted, listed, percent, sentence, short
from moelib.validation import as_labels

SEEN = 0.05  # where the gate gives an expert less, its band is left out


@dataclass(kw_only=True, eq=False)
class ExpertsDisplay:
    r"""What each expert answers along one input, and how often the gate calls it.

    Above: labels, each with the marker of its most likely expert and the fainter the less sure that
    is; each expert's answer as a line, thick where the gate calls the expert and thin where it does
    not, in a band of one standard deviation of its noise. Below: the gate's probabilities, stacked.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    feature : str
        Name of the input.
    grid : (m,) array
        Its values.
    answers : (m, k) array
        What each expert answers there.
    gates : (m, k) array
        Probability that each expert answers there.
    noises : (k,) array
        Standard deviation of each expert's noise.
    x, y : (n,) array or None
        The input and the labels of the samples, if labels were given.
    posterior : (n, k) array or None
        Probability that each expert produced each label.
    label : str
        Name of the labels.

    Attributes
    ----------
    ax_ : Axes
        The upper panel.
    axes_ : (2,) array of Axes
        The upper panel and the strip below.
    figure_ : Figure
        Where they stand.

    Notes
    -----
    All other columns stand at one typical value: numbers at their median, categories (and true and
    false) at the commonest one. Where they matter, labels lie off the lines: ``adjust=True`` draws
    each label as far from the line of its most likely expert as it is from that expert's answer to
    the sample's own inputs.

    Examples
    --------
    >>> from moelib import GatedModel, MixtureOfExperts
    >>> model = GatedModel([[1.0], [-1.0]], [[3.0]], 0.1)
    >>> X, y = model.sample(300, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(2, random_state=0).fit(X, y)
    >>> display = ExpertsDisplay.from_estimator(fit, X, y, feature=0)
    >>> display.alt
    'Two lines over x1: ...'
    """

    feature: str
    grid: np.ndarray
    answers: np.ndarray
    gates: np.ndarray
    noises: np.ndarray
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    posterior: np.ndarray | None = None
    label: str = "y"

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, feature=0, adjust=False, grid_resolution=200, ax=None
    ):
        """Compute and draw.

        Parameters
        ----------
        estimator : MixtureOfExperts, or a pipeline or search around one
            A fitted one.
        X : (n, d) array or DataFrame
            Inputs, as they are given to ``predict``.
        y : (n,) array, optional
            Labels. Without them only lines are drawn.
        feature : str or int
            The input along the axis: name or number of a column of X that holds numbers.
        adjust : bool
            Whether to move labels to where the typical values of the other columns would put them.
        grid_resolution : int
            Number of points on each line.
        ax : Axes, optional
            Where to draw; its lower fifth becomes the strip. Default: a new figure.

        Returns
        -------
        ExpertsDisplay

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            When there is no such column, or it holds categories.
        """
        reading, X = Reading(estimator), as_inputs(X)
        names = feature_names(X, estimator)
        j = feature_number(feature, names)
        if not is_number(column(X, j)):
            raise ValueError(
                f"feature must hold numbers, and {names[j]!r} holds categories: choose another one "
                "and fix this one by the rows of X, or use GateDependenceDisplay"
            )
        x = np.asarray(column(X, j), dtype=float)
        grid = np.linspace(x.min(), x.max(), grid_resolution)
        typical = with_column(typical_rows(X, grid_resolution), j, grid)
        found = dict(answers=reading.answers(typical), gates=reading.gates(typical))
        if y is not None:
            labels = as_labels(y, len(x))
            posterior = reading.posterior(X, labels)
            if adjust:
                own, rows = posterior.argmax(axis=1), np.arange(len(x))
                there = with_column(typical_rows(X, len(x)), j, x)
                labels = labels + (reading.answers(there) - reading.answers(X))[rows, own]
            label = f"{'adjusted ' * adjust}{label_name(y)}"
            found |= dict(x=x, y=labels, posterior=posterior, label=label)
        return cls(feature=names[j], grid=grid, noises=reading.noises, **found).plot(ax)

    @property
    def alt(self):
        """What is seen, in words."""
        k = self.answers.shape[1]
        lines = [f"expert {i + 1} {change(self.answers[:, i])}" for i in range(k)]
        text = sentence(f"{counted(k, 'line')} over {self.feature}: {listed(lines)}")
        if k > 1:
            text += " " + sentence(self._leaders())
        noises = {short(noise) for noise in self.noises}
        if len(noises) == 1:
            return f"{text} The noise is {noises.pop()}."
        return f"{text} The noises are {listed(map(short, self.noises))}."

    def _leaders(self):
        """Whom the gate calls most, from left to right."""
        first = self.gates.argmax(axis=1)
        starts = np.flatnonzero(np.diff(first, prepend=-1))
        words = [f"expert {first[0] + 1}"]
        words += [f"from {short(self.grid[at])} on expert {first[at] + 1}" for at in starts[1:]]
        text = f"from left to right the gate calls most often {', '.join(words)}"
        for i in sorted(set(range(self.gates.shape[1])) - set(first)):
            text += f"; expert {i + 1} at most in {percent(self.gates[:, i].max())} of the cases"
        return text

    def plot(self, ax=None):
        """Draw, into an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; its lower fifth becomes the strip.
        """
        top, strip = divided(one_axes(ax, (7, 5)), 2, 1, 2, height_ratios=[4, 1], gaps=(0.08, 0))
        tidy(top)
        tidy(strip)
        for i in range(self.answers.shape[1]):
            self._draw_expert(top, i)
        self._draw_numbers(top)
        self._set_limits(top)
        if self.answers.shape[1] > 1:
            legend_above(top, 1.7)
        name_axes(top, y=self.label)
        top.tick_params(labelbottom=False)
        self._draw_strip(strip)
        self.ax_, self.axes_, self.figure_ = top, np.array([top, strip]), top.figure
        return self

    def _draw_expert(self, ax, i):
        from matplotlib.collections import LineCollection

        style, line, p = look(i), self.answers[:, i], self.gates[:, i]
        color, noise = style["color"], self.noises[i]
        if self.x is not None and self.y is not None and self.posterior is not None:
            mine = self.posterior.argmax(axis=1) == i
            sure = self.posterior[mine, i] ** 2
            draw_samples(ax, self.x[mine], self.y[mine], sure, len(self.y), i)
        ax.fill_between(
            self.grid, line - noise, line + noise, where=p >= SEEN, color=color, alpha=0.16, lw=0
        )
        points = np.column_stack([self.grid, line])
        middle = (p[1:] + p[:-1]) / 2
        for extra, ground in ((1.6, "white"), (0, color)):  # a white edge keeps lines apart
            pieces = LineCollection(
                list(np.stack([points[:-1], points[1:]], axis=1)),
                linewidths=0.7 + 3 * middle + extra * (middle > 0.05),
                colors=ground,
                capstyle="round",
            )
            ax.add_collection(pieces, autolim=False)
        name = f"expert {i + 1} ± {short(noise)}"
        ax.plot([], [], color=color, marker=style["marker"], lw=2.5, label=name)

    def _home(self, i):
        """Place on the grid where the gate calls expert i most: the middle of it."""
        p, m = self.gates[:, i], len(self.grid)
        called = np.flatnonzero(p >= 0.9 * p.max())
        return int(np.clip(np.median(called), m // 25, m - 1 - m // 25))

    def _draw_numbers(self, ax):
        """The number of each expert, on its line where the gate calls it most."""
        for i in range(self.answers.shape[1]):
            at, color = self._home(i), look(i)["color"]
            ax.annotate(
                str(i + 1),
                (self.grid[at], self.answers[at, i]),
                ha="center",
                va="center",
                fontsize="small",
                fontweight="bold",
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": color},
            )

    def _set_limits(self, ax):
        """Show the labels, and the lines where the gate calls them."""
        called = self.gates >= SEEN
        ends = [(self.answers - self.noises)[called], (self.answers + self.noises)[called]]
        shown = np.concatenate([*ends, [] if self.y is None else self.y])
        margin = 0.04 * (np.ptp(shown) or 1.0)
        ax.set_ylim(shown.min() - margin, shown.max() + margin)

    def _draw_strip(self, ax):
        k = self.gates.shape[1]
        colors = [look(i)["color"] for i in range(k)]
        ax.stackplot(self.grid, self.gates.T, colors=colors, ec="white", lw=0.8)
        heights = np.cumsum(self.gates, axis=1) - self.gates / 2
        for i in range(k):
            at = self._home(i)
            if self.gates[at, i] > 0.25:
                place = self.grid[at], heights[at, i]
                options = dict(ha="center", va="center", fontsize="small", color=ink(colors[i]))
                ax.text(*place, str(i + 1), **options)
        margin = 0.015 * (self.grid[-1] - self.grid[0]) or 0.5
        ax.set(xlim=(self.grid[0] - margin, self.grid[-1] + margin))
        ax.set(ylim=(0, 1), yticks=[0, 1], ylabel="gate")
        name_axes(ax, x=self.feature)
        ax.grid(False)
