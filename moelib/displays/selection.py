"""How many experts: the criteria over k."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from moelib.displays.drawing import legend_above, look, one_axes, tidy
from moelib.displays.words import listed, sentence, short
from moelib.validation import as_choice

CRITERIA = ("bic", "icl", "aic")
LINEAR = 10  # up to here the height axis is linear, beyond logarithmic


@dataclass(kw_only=True, eq=False)
class SelectionDisplay:
    """Information criteria over the number of experts.

    Each criterion is drawn above its lowest value among sound fits, linearly up to 10 and
    logarithmically beyond, since a difference of 10 is already decisive. Hollow: degenerate fits,
    which are never chosen, however low. A grey bar marks the chosen number.

    Make it with :meth:`from_selection`.

    Parameters
    ----------
    table : DataFrame
        A row for each k, as in :class:`moelib.estimator.Selection`.
    best_k : int
        The chosen number.
    criteria : list of str
        What to draw, columns of the table.

    Attributes
    ----------
    ax_ : Axes
        The panel.
    figure_ : Figure
        Where it stands.

    References
    ----------
    Kass & Raftery (1995), on the size of differences in BIC.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = pd.DataFrame({"bic": [310.0, 250.0, 262.0]}, index=[1, 2, 3])
    >>> found = SimpleNamespace(table=table, best_k=2)  # as choose_n_experts returns
    >>> SelectionDisplay.from_selection(found, criteria=["bic"]).alt
    'Fits with 1, 2 and 3 experts; 2 is chosen. BIC, against its lowest: 60 above at 1, ...'
    """

    table: pd.DataFrame
    best_k: int
    criteria: list

    @classmethod
    def from_selection(cls, selection, *, criteria=CRITERIA, ax=None):
        """Draw what :func:`moelib.choose_n_experts` found.

        Parameters
        ----------
        selection : Selection
            With its table and its choice.
        criteria : list of str
            Which to draw, of "bic", "icl" and "aic".
        ax : Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        ValueError
            When the table has no such criterion.
        """
        table = selection.table
        names = [criteria] if isinstance(criteria, str) else list(criteria)
        for name in names:
            as_choice(name, "criteria", [known for known in CRITERIA if known in table])
        return cls(table=table, best_k=selection.best_k, criteria=names).plot(ax)

    @property
    def degenerate(self):
        """Whether the fit of each k is degenerate: a Series of bool."""
        unknown = pd.Series(False, index=self.table.index)
        return self.table.get("degenerate", unknown).astype(bool)

    @property
    def above(self):
        """Each criterion above its lowest value among sound fits: a DataFrame."""
        values = self.table[self.criteria].astype(float)
        sound = values[~self.degenerate]
        return values - (sound if len(sound) else values).min()

    @property
    def alt(self):
        """What is seen, in words."""
        sizes = list(self.table.index)
        words = [f"Fits with {listed(sizes)} experts; {self.best_k} is chosen."]
        for name in self.criteria:
            heights = self.above[name].dropna()
            each = [
                f"{short(abs(h))} {'below' if h < 0 else 'above'} at {k}" if h else f"0 at {k}"
                for k, h in heights.items()
            ]
            words.append(sentence(f"{name.upper()}, against its lowest: {listed(each)}"))
        if self.degenerate.any():
            named = listed(self.table.index[self.degenerate])
            words.append(f"Hollow, since degenerate: {named}.")
        return " ".join(words)

    def plot(self, ax=None):
        """Draw, into an axes or a new figure; return the display.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        """
        ax = one_axes(ax, (6.2, 3.8))
        tidy(ax)
        ax.set_yscale("symlog", linthresh=LINEAR)
        ax.margins(y=0.08)
        above, hollow = self.above, self.degenerate.to_numpy()
        sizes = np.asarray(self.table.index)
        ax.axvspan(
            self.best_k - 0.2, self.best_k + 0.2, color="0.87", lw=0, zorder=0, label="chosen"
        )
        for i, name in enumerate(self.criteria):
            style, heights = look(i), above[name].to_numpy()
            marker = dict(marker=style["marker"], color=style["color"], linestyle="", ms=7)
            ax.plot(sizes, heights, ls=style["linestyle"], color=style["color"], lw=1.8)
            ax.plot(sizes[~hollow], heights[~hollow], **marker)
            ax.plot(sizes[hollow], heights[hollow], mfc="white", mew=1.6, **marker)
            ax.plot([], [], **style, label=name.upper(), lw=1.8)
        if hollow.any():
            ax.plot([], [], "o", mfc="white", mec="0.3", mew=1.6, label="degenerate")
        ax.axhline(0, color="0.35", lw=1)
        ax.yaxis.set_major_formatter(lambda height, place: short(height).replace("-", "−"))
        ax.set_xticks(sizes)
        ax.set(xlabel="number of experts", ylabel="criterion, above its lowest")
        legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
