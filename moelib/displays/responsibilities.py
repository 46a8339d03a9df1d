"""How sure the fit is of who answered."""

from dataclasses import dataclass

import numpy as np

from moelib.displays.drawing import look, panel_for_each_expert, title_above
from moelib.displays.reading import Reading, as_counts, as_inputs
from moelib.displays.words import counted, percent, sentence
from moelib.validation import as_labels, as_probability

LEAST = 1e-4  # smaller responsibilities are left out, as flexmix does


@dataclass(kw_only=True, eq=False)
class ResponsibilitiesDisplay:
    """Rootograms of the responsibilities, one for each expert.

    The responsibility of an expert is the probability that it produced a label, given the label. A
    panel counts the samples by the responsibility of its expert, on a square root scale so that
    small counts are seen; responsibilities below 0.0001 are left out. The full part of a bar counts
    samples whose most likely expert this is, the pale part those of another one. Experts that can
    be told apart have bars at the two ends only: what stands between is in doubt.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    counts : (k, b) array
        Samples in each bin.
    own : (k, b) array
        Those of them whose most likely expert this is.
    edges : (b + 1,) array
        Ends of the bins, from 0 to 1.
    shares : (k,) array
        Share of the samples whose most likely expert this is.
    doubts : (k,) array
        Of these, the share whose largest responsibility is below ``sure``.
    sure : float
        Where doubt ends.

    Attributes
    ----------
    axes_ : (k,) array of Axes
        The panels.
    ax_ : Axes
        The first of them.
    figure_ : Figure
        Where they stand.

    References
    ----------
    Leisch (2004), FlexMix: the same picture in R.

    Examples
    --------
    >>> from moelib import GatedModel, MixtureOfExperts
    >>> model = GatedModel([[1.0], [-1.0]], [[3.0]], 0.1)
    >>> X, y = model.sample(300, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(2, random_state=0).fit(X, y)
    >>> display = ResponsibilitiesDisplay.from_estimator(fit, X, y)
    >>> display.counts.shape, bool(display.doubt < 0.1)
    ((2, 20), True)
    """

    counts: np.ndarray
    own: np.ndarray
    edges: np.ndarray
    shares: np.ndarray
    doubts: np.ndarray
    sure: float

    @classmethod
    def from_estimator(cls, estimator, X, y, *, sure=0.9, bins=20, sample_weight=None, ax=None):
        """Compute and draw.

        Parameters
        ----------
        estimator : MixtureOfExperts, or a pipeline or search around one
            A fitted one.
        X : (n, d) array or DataFrame
            Inputs, as they are given to ``predict``.
        y : (n,) array
            Labels.
        sure : float
            A sample is in doubt while no responsibility reaches this.
        bins : int
            Number of bars.
        sample_weight : (n,) array, optional
            How often each sample counts.
        ax : Axes, optional
            Where to draw; its place is divided. Default: a new figure.

        Returns
        -------
        ResponsibilitiesDisplay

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            When ``sure`` is not between 0 and 1.
        """
        reading, X, sure = Reading(estimator), as_inputs(X), as_probability(sure, "sure")
        posterior = reading.posterior(X, as_labels(y, len(X)))
        w = as_counts(sample_weight, len(X))
        likely, best = posterior.argmax(axis=1), posterior.max(axis=1)
        edges = np.linspace(0, 1, bins + 1)
        counts, own, shares, doubts = [], [], [], []
        for i, r in enumerate(posterior.T):
            mine = w * (likely == i)
            counts.append(np.histogram(r, edges, weights=w * (r >= LEAST))[0])
            own.append(np.histogram(r, edges, weights=mine)[0])
            shares.append(mine.sum() / w.sum())
            doubts.append((mine * (best < sure)).sum() / (mine.sum() or 1.0))
        numbers = dict(counts=counts, own=own, edges=edges, shares=shares, doubts=doubts)
        return cls(**{name: np.array(value) for name, value in numbers.items()}, sure=sure).plot(ax)

    @property
    def doubt(self):
        """Share of all samples in doubt."""
        return float(self.shares @ self.doubts)

    @property
    def alt(self):
        """What is seen, in words."""
        k = len(self.shares)
        each = [
            f"expert {i + 1} is the most likely one for {percent(self.shares[i])} of the samples, "
            f"and {percent(self.doubts[i])} of these are in doubt"
            for i in range(k)
        ]
        return (
            sentence(f"{counted(k, 'histogram')} of responsibilities: {'; '.join(each)}")
            + f" In all, {percent(self.doubt)} of the samples have no responsibility of "
            f"{self.sure:g} or more."
        )

    def plot(self, ax=None):
        """Draw, into the place of an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; its place is divided.
        """
        axes = panel_for_each_expert(ax, len(self.shares), "responsibility", "samples")
        left, width = self.edges[:-1], np.diff(self.edges)
        for i, panel in enumerate(axes):
            color = look(i)["color"]
            bar = dict(width=width, align="edge", edgecolor=color, linewidth=0.8)
            panel.bar(left, self.counts[i], facecolor=f"{color}30", **bar)
            panel.bar(left, self.own[i], facecolor=color, **bar)
            share, doubt = percent(self.shares[i]), percent(self.doubts[i])
            of_all = [f"expert {i + 1}: {share} of samples", f"expert {i + 1}: {share}"]
            title_above(panel, of_all, [f"{doubt} of them in doubt", f"{doubt} in doubt"])
            panel.axvline(self.sure, color="0.4", lw=1, ls=(0, (4, 2)))
        axes[0].set_yscale("function", functions=(_root, np.square))
        top = max(self.counts.max(), 1)
        axes[0].set(
            xlim=(0, 1), ylim=(0, 1.05 * top), xticks=[0, 0.5, 1], yticks=_round_counts(top)
        )
        self.ax_, self.axes_, self.figure_ = axes[0], np.array(axes), axes[0].figure
        return self


def _round_counts(top):
    """Zero and round numbers up to a height, far enough apart on a square root scale."""
    chosen, gap = [0.0], 0.15 * np.sqrt(top)
    for power in range(10):
        for digit in (1, 2, 5):
            count = float(digit * 10**power)
            if count <= 1.05 * top and np.sqrt(count) - np.sqrt(chosen[-1]) >= gap:
                chosen.append(count)
    return chosen


def _root(values):
    return np.sqrt(np.maximum(values, 0))
