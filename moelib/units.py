r"""Centred and scaled coordinates, in which every fit is done, and the way back.

A column of calendar years is two thousand standard deviations from zero; a label may be counted in
billions. Neither says anything about the data, both ruin the arithmetic: sums of squares lose the
digits that carry the slope. So a fit is done with

.. math:: z_j = (x_j - m_j) / s_j, \qquad u = (y - m) / s,

and carried back. The model is the same law in either coordinates, with

.. math:: a_j = \frac{s}{s_j} \tilde a_j, \qquad b = m + s\, \tilde b - \sum_j a_j m_j, \qquad
          w_j = \frac{\tilde w_j}{s_j}, \qquad c = \tilde c - \sum_j w_j m_j, \qquad
          \sigma = s\, \tilde\sigma .

Nothing can be centred that has no intercept to take up the shift. Labels are scaled where the link
has g(c t) = c g(t), and centred where it is the identity. All noises are scaled alike.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag

from moelib.climb import Climb
from moelib.model import GatedModel
from moelib.validation import Sample

CONSTANT = 1e-14  # spread of a column, in units of its mean, that is no more than rounding


@dataclass(frozen=True, eq=False)
class Units:
    """Where columns and labels are centred, and what is one unit of them.

    Attributes
    ----------
    centre, scale : (d,) array
        Of the columns of X.
    label_centre, label_scale : float
        Of the labels.
    """

    centre: np.ndarray
    scale: np.ndarray
    label_centre: float
    label_scale: float

    @classmethod
    def of(cls, sample, free, link):
        """The units of a ``Sample``, for what is to be learned and a link.

        With intercepts: means and standard deviations. Without, nothing is centred and scales are
        rounded to powers of two, which no number's last digit feels.
        """
        scaled = link.is_homogeneous
        if free.intercepts:
            centre, scale = _centre_and_scale(sample, sample.X)
            label_centre, label_scale = _centre_and_scale(sample, sample.y)
            if link.name != "identity":
                label_centre, label_scale = 0.0, np.sqrt(sample.mean(sample.y**2)) or 1.0
            return cls(centre, scale, float(label_centre), float(label_scale) if scaled else 1.0)
        scale = _power_of_two(np.sqrt(sample.mean(sample.X**2)))
        label_scale = _power_of_two(np.sqrt(sample.mean(sample.y**2))) if scaled else 1.0
        return cls(np.zeros(len(scale)), scale, 0.0, float(label_scale))

    @property
    def are_plain(self):
        """Whether nothing is moved or scaled."""
        unit = np.all(self.centre == 0) and np.all(self.scale == 1)
        return bool(unit and self.label_centre == 0 and self.label_scale == 1)

    def inputs(self, X):
        """Columns (n, d) in these units."""
        return (X - self.centre) / self.scale

    def sample(self, sample):
        """A ``Sample`` in these units."""
        if self.are_plain:
            return sample
        y = (sample.y - self.label_centre) / self.label_scale
        return Sample(self.inputs(sample.X), y, sample.weights, sample.total)

    def inward(self, model):
        """A model of the data as they are, in these units."""
        offsets = model.expert_intercepts + model.experts @ self.centre - self.label_centre
        return GatedModel(
            model.experts * self.scale / self.label_scale,
            model.gates * self.scale,
            model.noise / self.label_scale,
            model.link,
            offsets / self.label_scale,
            model.gate_intercepts + model.gates @ self.centre,
        )

    def outward(self, model):
        """A model in these units, of the data as they are."""
        experts = model.experts * (self.label_scale / self.scale)
        gates = model.gates / self.scale
        offsets = self.label_centre + self.label_scale * model.expert_intercepts
        return GatedModel(
            experts,
            gates,
            model.noise * self.label_scale,
            model.link,
            offsets - experts @ self.centre,
            model.gate_intercepts - gates @ self.centre,
        )

    def inward_free(self, free):
        """What is learned, its ridge in these units."""
        return self._with_ridge(free, 1 / self.scale**2)

    def outward_free(self, free):
        """What is learned, its ridge in the units of the data as they are."""
        return self._with_ridge(free, self.scale**2)

    def _with_ridge(self, free, factor):
        if not np.any(free.gate_ridge) or np.all(factor == 1):
            return free
        return replace(free, gate_ridge=tuple(np.asarray(free.gate_ridge) * factor))

    def outward_climb(self, climb, *, squares=False, known_noise=None):
        """A climb in these units, of the data as they are.

        Parameters
        ----------
        climb : Climb
            Of a log-likelihood, or of minus a squared error.
        squares : bool
            Whether it is the latter.
        known_noise : float, optional
            A noise of the data as they are that was not learned: it comes back to its last digit.

        Returns
        -------
        Climb
        """
        if self.are_plain:
            return climb
        factor, shift = (self.label_scale**2, 0.0) if squares else (1.0, np.log(self.label_scale))
        history = [float(factor * value - shift) for value in climb.history]
        path = [self.outward(model) for model in climb.path]
        if known_noise is not None:
            path = [replace(model, noise=known_noise) for model in path]
        return Climb(path[-1], history, climb.converged, path)

    def jacobian(self, free, n_experts):
        """Derivatives of the free parameters as they are by those in these units, (q, q)."""
        d = len(self.scale)
        expert = _rows_outward(self, free.expert_columns(d), free.intercepts) * self.label_scale
        gate = _rows_outward(self, free.gate_columns(d), free.gate_intercepts)
        noises = np.eye(free.n_noises(n_experts))
        return block_diag(*[expert] * n_experts, *[gate] * (n_experts - 1), noises)


def in_units(climb, sample, init, free, *, squares=False, **options):
    """Run a climb in the sample's own units, and carry it back.

    Parameters
    ----------
    climb : callable
        Takes a ``Sample``, the first model, ``free`` and the options; returns a ``Climb``.
    sample : Sample
        The data.
    init : GatedModel
        Where to start.
    free : FreeParameters
        What to learn.
    squares : bool
        Whether the objective is minus a squared error, and not a log-likelihood.
    **options : dict
        For the climb.

    Returns
    -------
    Climb
        Its first model is ``init`` itself, where it begins there, without slopes on columns that
        experts or gates may not use.

    Raises
    ------
    ValueError
        When one noise is to be learned from a model that has a noise for each expert.
    """
    if free.noise is True and not squares:
        free.one_noise(init)
    init = free.restricted(init)
    units = Units.of(sample, free, init.link)
    if units.are_plain:
        return climb(sample, init, free=free, **options)
    first, known = units.inward(init), None
    if not (free.noise or squares or np.ndim(init.noise)):
        known = init.noise
    found = climb(units.sample(sample), first, free=units.inward_free(free), **options)
    back = units.outward_climb(found, squares=squares, known_noise=known)
    path = [init if before is first else after for before, after in zip(found.path, back.path)]
    return replace(back, model=path[-1], path=path)


def _centre_and_scale(sample, values):
    """Mean and standard deviation; of what is constant the constant itself, and one."""
    mean = sample.mean(values)
    spread = np.sqrt(sample.mean((values - mean) ** 2))
    varies = spread > CONSTANT * np.abs(mean)
    constant = values[0 if sample.weights is None else np.argmax(sample.weights)]
    return np.where(varies, mean, constant), np.where(varies, spread, 1.0)


def _power_of_two(size):
    """The power of two next to a size, from the side of one; one for zero."""
    return 2.0 ** np.trunc(np.log2(np.where(size > 0, size, 1.0)))


def _rows_outward(units, columns, intercept):
    """How a row's slopes and intercept as they are depend on those in these units."""
    scale, centre = units.scale[columns], units.centre[columns]
    rows = np.diag(np.append(1 / scale, np.ones(int(intercept))))
    if intercept:
        rows[-1, :-1] = -centre / scale
    return rows
