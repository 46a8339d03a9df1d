"""The table that a statistician expects: estimates, standard errors, z and intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from moelib.estimator.criteria import aic, bic
from moelib.estimator.diagnostics import parameter_names
from moelib.parameters import FreeParameters
from moelib.validation import as_probability

COLUMNS = ["part", "row", "term"]


@dataclass(frozen=True, eq=False)
class Summary:
    """A fit at a glance; prints as text, shows as a table in a notebook.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each learned parameter, with an index of part (``"expert"``, ``"gate"``,
        ``"noise"``), row (numbered from 1) and term; columns ``estimate``, ``s.e.``, ``z``,
        ``low``, ``high``.
    facts : dict
        What stands above the table: method, numbers, criteria.
    level : float
        Level of the intervals.
    """

    table: pd.DataFrame
    facts: dict
    level: float

    def __str__(self):
        head = "\n".join(f"{name + ':':<18}{value}" for name, value in self.facts.items())
        body = self.table.to_string(float_format="%.4g", na_rep="")
        return f"{head}\n\n{body}\n\n{self.note}"

    __repr__ = __str__

    @property
    def note(self):
        """What the columns mean, in one line."""
        return (
            f"z: estimate over s.e.; {self.level:.0%} intervals, for the noise on a log scale; "
            "gates are relative to the last expert; an infinite s.e. has no z: the data do not "
            "determine that parameter"
        )

    def _repr_html_(self):
        head = " &middot; ".join(f"{name}: {value}" for name, value in self.facts.items())
        body = self.table.to_html(float_format="%.4g", na_rep="")
        return f"<p>{head}</p>{body}<p>{self.note}</p>"


def facts(fit, errors="observed"):
    """What stands above the table of a finished ``MixtureOfExperts``: a dict of words."""
    reached = fit.log_likelihood_, fit.n_parameters_
    noise = "one for each" if fit.free_.noise_per_expert else "one for all"
    return {
        "method": fit.method_,
        "experts": fit.model_.n_experts,
        "link": fit.model_.link.name,
        "noise": noise if fit.free_.noise else "known",
        "standard errors": errors,
        "samples": f"{fit.n_samples_:g}",
        "parameters": fit.n_parameters_,
        "log-likelihood": f"{fit.log_likelihood_:.2f}",
        "AIC": f"{aic(*reached):.2f}",
        "BIC": f"{bic(*reached, fit.n_samples_):.2f}",
        "converged": "yes" if fit.converged_ else "no",
    }


def parameter_table(model, errors, *, free=FreeParameters(), names=None, level=0.95):
    r"""Estimates, standard errors, z and Wald intervals of all learned parameters.

    The interval of an expert's or a gate's parameter is :math:`\hat\theta \pm z_{1 - \alpha/2}\,
    \mathrm{s.e.}`. That of the noise, which is positive, is
    :math:`\hat\sigma \exp(\pm z_{1 - \alpha/2}\, \mathrm{s.e.} / \hat\sigma)`; z, a test against
    zero, is left out there.

    Parameters
    ----------
    model : GatedModel
        A model at a maximum of the likelihood.
    errors : StandardErrors
        Standard errors, from :func:`moelib.standard_errors`.
    free : FreeParameters
        Which parameters were learned.
    names : list of str, optional
        Names of the inputs; x1, x2, ... if not given.
    level : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        See :class:`Summary`.

    Examples
    --------
    >>> from moelib import standard_errors, standard_model
    >>> model = standard_model(d=4, n_experts=2)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> table = parameter_table(model, standard_errors(model, X, y))
    >>> list(table.loc[("expert", "1", "x1")].round(2).to_dict())
    ['estimate', 's.e.', 'z', 'low', 'high']

    References
    ----------
    Taught in: :ref:`ch-whole-pipeline`.
    """
    level = as_probability(level, "level")
    k, d = model.experts.shape
    names = [f"x{j + 1}" for j in range(d)] if names is None else [str(name) for name in names]
    index = parameter_names(model, free, names)
    estimate = free.vector(model)
    error = np.sqrt(np.maximum(np.diag(errors.covariance), 0.0))
    error[errors.undetermined] = np.inf
    margin = norm.ppf((1 + level) / 2) * error
    low, high = estimate - margin, estimate + margin
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(errors.undetermined, np.nan, estimate / error)
    noise = slice(len(estimate) - free.n_noises(k), None)  # on a log scale
    with np.errstate(over="ignore"):
        estimate[noise], low[noise], high[noise] = np.exp(
            [estimate[noise], low[noise], high[noise]]
        )
    error[noise], z[noise] = error[noise] * estimate[noise], np.nan
    return pd.DataFrame(
        {"estimate": estimate, "s.e.": error, "z": z, "low": low, "high": high},
        index=pd.MultiIndex.from_tuples(index, names=COLUMNS),
    )
