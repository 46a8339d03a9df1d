"""Are the stated probabilities of the labels right?"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, kstwo

from moelib.displays.drawing import one_axes, tidy
from moelib.displays.reading import Reading, as_counts, as_inputs
from moelib.displays.words import sentence, short
from moelib.validation import as_labels


@dataclass(kw_only=True, eq=False)
class CalibrationDisplay:
    r"""Histogram of the probability integral transform (PIT) of the labels.

    .. math:: u = P(Y \le y \mid x) = \sum_i p_i(x)\, \Phi\bigl((y - m_i(x)) / \sigma_i\bigr)

    If the fitted law of the labels is the true one, the :math:`u` are uniform and all bars are near
    1. Heaps at both ends: the stated noise is too small. A heap in the middle: it is too large. A
    slope: the answers are too low or too high. Grey: where a bar lies with 95 % probability; one
    bar in twenty may leave it. The Kolmogorov-Smirnov test compares all :math:`u` with the uniform
    law.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    pit : (n,) array
        The transform of each label.
    heights : (b,) array
        Share of the samples in each bin, times the number of bins.
    edges : (b + 1,) array
        Ends of the bins, from 0 to 1.
    low, high : float
        Ends of the band.
    statistic : float
        The largest distance between the distribution of ``pit`` and the uniform one.
    p_value : float
        Of the Kolmogorov-Smirnov test.

    Attributes
    ----------
    ax_ : Axes
        The panel.
    figure_ : Figure
        Where it stands.

    Notes
    -----
    Of the data that the fit has seen, the p value is too large, since the fit has adapted to them:
    give labels that were held out. Labels with few values (ratings, counts, rounded ones) make
    teeth that no model with normal noise can follow.

    References
    ----------
    Dawid (1984); Gneiting, Balabdaoui & Raftery (2007).

    Examples
    --------
    >>> from moelib import GatedModel, MixtureOfExperts
    >>> model = GatedModel([[1.0], [-1.0]], [[3.0]], 0.1)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(300, rng)
    >>> fit = MixtureOfExperts(2, random_state=0).fit(X, y)
    >>> display = CalibrationDisplay.from_estimator(fit, *model.sample(300, rng))
    >>> float(display.heights.mean())
    1.0
    """

    pit: np.ndarray
    heights: np.ndarray
    edges: np.ndarray
    low: float
    high: float
    statistic: float
    p_value: float

    @classmethod
    def from_estimator(cls, estimator, X, y, *, bins=10, sample_weight=None, ax=None):
        """Compute and draw.

        Parameters
        ----------
        estimator : MixtureOfExperts, or a pipeline or search around one
            A fitted one.
        X : (n, d) array or DataFrame
            Inputs, as they are given to ``predict``, best of samples that were held out.
        y : (n,) array
            Labels.
        bins : int
            Number of bars.
        sample_weight : (n,) array, optional
            How often each sample counts.
        ax : Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        CalibrationDisplay

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        """
        reading, X = Reading(estimator), as_inputs(X)
        y = as_labels(y, len(X))
        pit = np.clip(reading.cdf(X, y), 0, 1)
        w = as_counts(sample_weight, len(y))
        n = max(round(w.sum()), 1)
        counts, edges = np.histogram(pit, bins, range=(0, 1), weights=w)
        low, high = binom.ppf([0.025, 0.975], n, 1 / bins) * bins / n
        statistic, p_value = kolmogorov_smirnov(pit, n, w)
        return cls(
            pit=pit,
            heights=counts * bins / w.sum(),
            edges=edges,
            low=float(low),
            high=float(high),
            statistic=statistic,
            p_value=p_value,
        ).plot(ax)

    @property
    def outside(self):
        """Number of bars that leave the band."""
        return int(np.sum(~self._inside()))

    def _inside(self):
        slack = 1e-9  # a bar that reaches an end of the band exactly is inside
        return (self.heights > self.low - slack) & (self.heights < self.high + slack)

    @property
    def alt(self):
        """What is seen, in words."""
        b = len(self.heights)
        ends, middle = (self.heights[0] + self.heights[-1]) / 2, self.heights[1:-1]
        text = (
            f"histogram of the probability integral transform in {b} bars, all between "
            f"{short(self.heights.min())} and {short(self.heights.max())} where 1 is calibrated; "
            f"{self.outside} of {b} leave the 95 % band from {short(self.low)} to "
            f"{short(self.high)}"
        )
        if len(middle):
            text += f"; the two at the ends are {short(ends)} on average"
        return f"{sentence(text)} Kolmogorov-Smirnov p value {_p(self.p_value)}."

    def plot(self, ax=None):
        """Draw, into an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        """
        ax = one_axes(ax, (6, 3.6))
        tidy(ax)
        ax.axhspan(self.low, self.high, color="0.85", lw=0, zorder=0.6)
        inside = self._inside()
        for kind, fill, hatch in ((inside, "#79bcec", ""), (~inside, "#e07b28", "///")):
            ax.bar(
                self.edges[:-1][kind],
                self.heights[kind],
                np.diff(self.edges)[kind],
                align="edge",
                facecolor=f"{fill}b0",
                edgecolor="0.2",
                hatch=hatch,
                linewidth=1,
            )
        ax.axhline(1, color="black", lw=1.2, ls=(0, (4, 2)))
        ax.set(xlim=(0, 1), xlabel="probability of a smaller label, by the fit")
        ax.set(ylabel="density (calibrated: 1)")
        ax.set_title(
            f"Kolmogorov-Smirnov p {_p(self.p_value)}\n"
            f"{self.outside} of {len(self.heights)} bars outside the 95 % band (grey)",
            fontsize="medium",
            loc="left",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def kolmogorov_smirnov(u, n, weights=None):
    """Compare values with the uniform law on (0, 1).

    Parameters
    ----------
    u : (m,) array
        Values.
    n : int
        How many they count for.
    weights : (m,) array, optional
        How much each counts.

    Returns
    -------
    statistic : float
        Largest distance of the two distribution functions.
    p_value : float
        Probability of a distance at least as large.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([0.125, 0.375, 0.625, 0.875]), 4)
    (0.125, 1.0)
    """
    order = np.argsort(u)
    w = np.ones(len(u)) if weights is None else weights[order]
    above = np.cumsum(w) / w.sum()
    distance = max(np.max(above - u[order]), np.max(u[order] - (above - w / w.sum())))
    return float(distance), float(kstwo.sf(distance, n))


def _p(value):
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
