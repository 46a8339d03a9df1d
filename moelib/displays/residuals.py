"""Residuals of each expert."""

from dataclasses import dataclass

import numpy as np

from moelib.displays.drawing import draw_samples, panel_for_each_expert, title_above
from moelib.displays.reading import Reading, as_counts, as_inputs
from moelib.displays.words import counted, percent, sentence, short
from moelib.validation import as_labels

FAINTEST = 0.05  # points with a smaller responsibility are not drawn
PER_BIN = 15  # samples behind a point of the mean line, at least
MOST_BINS = 8


@dataclass(kw_only=True, eq=False)
class ResidualsDisplay:
    r"""Residuals of each expert against its answers, in units of its noise.

    A panel draws :math:`(y - m_i(x)) / \sigma_i` over :math:`m_i(x)`, each point as strong as the
    responsibility :math:`r_i` of the expert for it, below 5 % not at all. Dashed lines: two
    standard deviations. Black: the mean residual, in up to eight bins of equal responsibility. The
    title gives the residual standard deviation,
    :math:`(\sum r_i e_i^2 / \sum r_i)^{1/2}`, also in units of the noise: 1 where the noise is the
    expert's own, more or less than 1 where a noise shared by all does not suit it.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    answers : (n, k) array
        What each expert answers.
    residuals : (n, k) array
        In units of the expert's noise.
    posterior : (n, k) array
        Responsibilities.
    noises : (k,) array
        Standard deviation of each expert's noise.
    sample_weight : (n,) array
        How often each sample counts.

    Attributes
    ----------
    axes_ : (k,) array of Axes
        The panels.
    ax_ : Axes
        The first of them.
    figure_ : Figure
        Where they stand.

    Examples
    --------
    >>> from moelib import GatedModel, MixtureOfExperts
    >>> model = GatedModel([[1.0], [-1.0]], [[3.0]], 0.1)
    >>> X, y = model.sample(300, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(2, random_state=0).fit(X, y)
    >>> ResidualsDisplay.from_estimator(fit, X, y).deviations.round()
    array([1., 1.])
    """

    answers: np.ndarray
    residuals: np.ndarray
    posterior: np.ndarray
    noises: np.ndarray
    sample_weight: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, y, *, sample_weight=None, ax=None):
        """Compute and draw.

        Parameters
        ----------
        estimator : MixtureOfExperts, or a pipeline or search around one
            A fitted one.
        X : (n, d) array or DataFrame
            Inputs, as they are given to ``predict``.
        y : (n,) array
            Labels.
        sample_weight : (n,) array, optional
            How often each sample counts.
        ax : Axes, optional
            Where to draw; its place is divided. Default: a new figure.

        Returns
        -------
        ResidualsDisplay

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        """
        reading, X = Reading(estimator), as_inputs(X)
        y = as_labels(y, len(X))
        answers = reading.answers(X)
        found = dict(
            answers=answers,
            residuals=(y[:, None] - answers) / reading.noises,
            posterior=reading.posterior(X, y),
            noises=reading.noises,
            sample_weight=as_counts(sample_weight, len(y)),
        )
        return cls(**found).plot(ax)

    @property
    def weights(self):
        """What each sample weighs in the panel of each expert: (n, k)."""
        return self.sample_weight[:, None] * self.posterior

    @property
    def deviations(self):
        """Residual standard deviation of each expert, in units of its noise: (k,)."""
        weights = self.weights
        total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
        return np.sqrt((weights * self.residuals**2).sum(axis=0) / total)

    @property
    def outside(self):
        """Share of each expert's samples that lie more than two standard deviations off: (k,)."""
        weights = self.weights
        total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
        return (weights * (np.abs(self.residuals) > 2)).sum(axis=0) / total

    def mean_line(self, i):
        """Mean answer and mean residual of expert i, in bins of equal responsibility.

        Parameters
        ----------
        i : int
            The expert, counted from 0.

        Returns
        -------
        answers : (b,) array
            From small to large.
        residuals : (b,) array
            In units of the noise.
        """
        order = np.argsort(self.answers[:, i], kind="stable")
        w = self.weights[order, i]
        x, e = self.answers[order, i], self.residuals[order, i]
        bins = int(np.clip(w.sum() // PER_BIN, 1, MOST_BINS))
        middle = (np.cumsum(w) - w / 2) / (w.sum() or 1.0)
        place = np.minimum((bins * middle).astype(int), bins - 1)
        total = np.bincount(place, w, bins)
        full = total > 0
        sums = np.bincount(place, w * x, bins), np.bincount(place, w * e, bins)
        return tuple(one[full] / total[full] for one in sums)

    @property
    def alt(self):
        """What is seen, in words."""
        k = len(self.noises)
        each = []
        for i in range(k):
            far = np.abs(self.mean_line(i)[1]).max(initial=0.0)
            each.append(
                f"for expert {i + 1} their standard deviation is {short(self.deviations[i])}, "
                f"{percent(self.outside[i])} lie beyond 2, and the mean line stays within "
                f"{short(far)} of zero"
            )
        text = f"{counted(k, 'panel')} of residuals over answers, in units of the noise"
        return sentence(f"{text}: {'; '.join(each)}")

    def plot(self, ax=None):
        """Draw, into the place of an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; its place is divided.
        """
        k = len(self.noises)
        axes = panel_for_each_expert(ax, k, "answer", "residual / noise", sharex=False)
        highest = 3.0
        for i, panel in enumerate(axes):
            r = self.posterior[:, i]
            shown = r > FAINTEST
            highest = max(highest, np.abs(self.residuals[shown, i]).max(initial=0.0))
            seen = self.answers[shown, i], self.residuals[shown, i]
            draw_samples(panel, *seen, r[shown], len(r), i)
            for height, dashes in ((0, "-"), (2, (0, (4, 2))), (-2, (0, (4, 2)))):
                panel.axhline(height, color="0.35", lw=1, ls=dashes)
            line = self.mean_line(i)
            panel.plot(*line, "-", color="white", lw=4)
            panel.plot(*line, "-o", color="black", lw=1.8, ms=4)
            sd = f"sd {short(self.deviations[i])}"
            title_above(panel, [f"expert {i + 1}"], [f"{sd} × noise {short(self.noises[i])}", sd])
            _leave_room(panel, self.answers[shown, i])
        axes[0].set_ylim(-1.08 * highest, 1.08 * highest)
        self.ax_, self.axes_, self.figure_ = axes[0], np.array(axes), axes[0].figure
        return self


def _leave_room(ax, answers):
    """Leave room beside the answers, also where all are the same, and few ticks."""
    ax.locator_params(axis="x", nbins=3)
    if len(answers):
        middle, half = (answers.max() + answers.min()) / 2, np.ptp(answers) / 2
        half = 1.08 * half if half > 1e-9 * abs(middle) else 0.5 + 1e-3 * abs(middle)
        ax.set_xlim(middle - half, middle + half)
