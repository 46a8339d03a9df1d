"""Whom the gate calls, along one input."""

from dataclasses import dataclass

import numpy as np

from moelib.displays.drawing import legend_above, look, name_axes, one_axes, tidy
from moelib.displays.reading import (
    Reading,
    as_counts,
    as_inputs,
    column,
    feature_names,
    feature_number,
    is_number,
    levels,
    with_column,
)
from moelib.displays.words import change, counted, listed, percent, sentence


@dataclass(kw_only=True, eq=False)
class GateDependenceDisplay:
    r"""Partial dependence of the gate: mean probability of each expert along one input.

    .. math:: \bar p_i(v) = \frac1n \sum_{t=1}^n p_i(x_t \text{ with input } j \text{ set to } v)

    Make it with :meth:`from_estimator`. Short bars on the axis are the deciles of the input.

    Parameters
    ----------
    feature : str
        Name of the input.
    grid : (m,) array or list
        Its values; of a category, its levels.
    gates : (m, k) array
        Mean probability of each expert.
    deciles : (9,) array or None
        Of the input; None for a category.

    Attributes
    ----------
    ax_ : Axes
        The panel.
    figure_ : Figure
        Where it stands.

    Notes
    -----
    What is predicted along one input needs no display of its own: a mixture is a regressor, so
    ``sklearn.inspection.PartialDependenceDisplay.from_estimator(fit, X, ["x1"])`` draws it.

    References
    ----------
    Friedman (2001), section 8.2.

    Examples
    --------
    >>> from moelib import GatedModel, MixtureOfExperts
    >>> model = GatedModel([[1.0], [-1.0]], [[3.0]], 0.1)
    >>> X, y = model.sample(300, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(2, random_state=0).fit(X, y)
    >>> display = GateDependenceDisplay.from_estimator(fit, X, feature="x1")
    >>> display.gates.shape
    (50, 2)
    """

    feature: str
    grid: np.ndarray
    gates: np.ndarray
    deciles: np.ndarray | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        feature=0,
        grid_resolution=50,
        percentiles=(0.05, 0.95),
        sample_weight=None,
        ax=None,
    ):
        """Compute and draw.

        Parameters
        ----------
        estimator : MixtureOfExperts, or a pipeline or search around one
            A fitted one.
        X : (n, d) array or DataFrame
            Inputs, as they are given to ``predict``; the mean is over its rows.
        y : None
            Not used.
        feature : str or int
            The input along the axis: name or number of a column of X.
        grid_resolution : int
            Number of values; fewer where the input has fewer.
        percentiles : (float, float)
            Where the values begin and end, as shares of the samples.
        sample_weight : (n,) array, optional
            How often each sample counts in the mean.
        ax : Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        GateDependenceDisplay

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            When there is no such column.
        """
        reading, X = Reading(estimator), as_inputs(X)
        names = feature_names(X, estimator)
        j = feature_number(feature, names)
        values = column(X, j)
        weights, deciles = as_counts(sample_weight, len(X)), None
        if is_number(values):
            values = np.asarray(values, dtype=float)
            grid, deciles = np.unique(values), np.quantile(values, np.arange(1, 10) / 10)
            if len(grid) > grid_resolution:
                low, high = np.quantile(values, percentiles)
                grid = np.linspace(low, high, grid_resolution)
        else:
            grid = levels(values)
        means = [
            np.average(reading.gates(with_column(X, j, value)), axis=0, weights=weights)
            for value in grid
        ]
        return cls(feature=names[j], grid=grid, gates=np.array(means), deciles=deciles).plot(ax)

    @property
    def alt(self):
        """What is seen, in words."""
        k = self.gates.shape[1]
        if self.deciles is None:
            each = [
                f"expert {i + 1} has "
                + listed(f"{percent(p)} at {at}" for at, p in zip(self.grid, self.gates[:, i]))
                for i in range(k)
            ]
        else:
            each = [f"expert {i + 1} {change(self.gates[:, i], percent)}" for i in range(k)]
        thing = "line" if self.deciles is not None else "row of points"
        text = f"{counted(k, thing)} over {self.feature}, mean gate probabilities"
        return sentence(f"{text}: {'; '.join(each)}")

    def plot(self, ax=None):
        """Draw, into an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        """
        ax = one_axes(ax)
        tidy(ax)
        number = self.deciles is not None
        places = self.grid if number else np.arange(len(self.grid))
        k, every = self.gates.shape[1], max(1, len(places) // 6)
        for i, p in enumerate(self.gates.T):
            style = look(i) | {"label": f"expert {i + 1}", "linewidth": 2, "markersize": 6}
            if number:
                first = i * every // k
                ax.plot(places, p, **style, markevery=(first, every) if every > 1 else None)
            else:  # side by side, so that none hides another
                beside = places + 0.4 * (i - (k - 1) / 2) / k
                ax.plot(beside, p, **style | {"linestyle": ""})
        if number:
            marks = ax.get_xaxis_transform()
            ax.vlines(self.deciles, 0, 0.03, transform=marks, color="0.3", lw=1.2)
        else:
            _write_levels(ax, [str(level) for level in self.grid])
        ax.set(ylim=(-0.07, 1.03), ylabel="mean gate probability")
        name_axes(ax, x=self.feature)
        legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _write_levels(ax, names):
    crowded = sum(map(len, names)) > 60
    ax.set_xticks(range(len(names)), names, parse_math=False)
    if crowded:
        ax.tick_params(axis="x", rotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.5, len(names) - 0.5)
