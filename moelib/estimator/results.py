"""What a finished fit leaves: its attributes, its table, and its experts in another order."""

import numpy as np
from scipy.special import entr
from sklearn.utils.validation import check_is_fitted

from moelib.estimator.criteria import Criteria
from moelib.estimator.ordering import reordered_errors
from moelib.estimator.summary import Summary, facts, parameter_table
from moelib.gates.degeneracy import is_sound
from moelib.likelihood.errors import ERRORS, StandardErrors
from moelib.metrics import relabelled
from moelib.validation import as_choice


class Results(Criteria):
    """Attributes and tables of a finished fit: a part of ``MixtureOfExperts``."""

    standard_errors_: StandardErrors | None
    robust_standard_errors_: StandardErrors | None

    def _forget(self):
        """Drop all that an earlier fit has left."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _remember(self, settings, columns, sample, free, found, model):
        """Everything that a fit leaves, but for standard errors, remarks and the model."""
        self.columns_, self.terms_, self.free_ = columns, columns.names, free
        self.method_, self.sound_ = settings.method, is_sound(model, sample, free)
        self.history_ = {name: stage.history for name, stage in found.stages.items()}
        self.path_ = {name: found.stages[name].path for name in self.history_ if name != "experts"}
        if "experts" in found.stages:
            self.expert_fit_, self.gate_fit_ = found.stages["experts"], found.stages["gates"]
        else:
            self.start_objectives_ = found.start_objectives
        self._set_parameters(model)
        posterior = model._posterior(sample.X, sample.y)
        each = np.ndim(model.noise) > 0
        square = sample.mean(posterior) @ model.noises**2
        self.noise_ = float(np.sqrt(square)) if each else model.noise
        self.n_parameters_ = free.count(*model.experts.shape)
        self.converged_ = found.climb.converged
        self.n_iter_ = sum(len(self.history_[stage]) - 1 for stage in self.path_)
        self.n_samples_ = sample.total
        log_density, entropy = model._log_density(sample.X, sample.y), entr(posterior).sum(axis=1)
        self.log_likelihood_, self.entropy_ = (
            float(sample.total * sample.mean(values)) for values in (log_density, entropy)
        )

    def _set_parameters(self, model):
        self.experts_, self.gates_, self.noises_ = model.experts, model.gates, model.noises
        self.expert_intercepts_ = model.expert_intercepts
        self.gate_intercepts_ = model.gate_intercepts

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def relabel(self, order):
        """Number the experts anew, expert ``order[i]`` as number i; return the estimator.

        See :func:`moelib.align_experts` for the order of another fit. History, paths and remarks
        keep the old numbers.
        """
        check_is_fitted(self)
        order, k = np.asarray(order), self.model_.n_experts
        if order.shape != (k,) or not np.array_equal(np.sort(order), np.arange(k)):
            raise ValueError(f"order must hold each of 0 to {k - 1} once, got {order}")
        model = relabelled(self.model_, order)
        for name in ("standard_errors_", "robust_standard_errors_"):
            errors = reordered_errors(getattr(self, name), model, order, self.free_)
            setattr(self, name, errors)
        self._set_parameters(model)
        self.model_ = model
        return self

    def summary(self, level=0.95, errors="observed"):
        """Estimates, standard errors, z and intervals: a :class:`moelib.estimator.Summary`.

        Parameters
        ----------
        level : float
            Coverage of the intervals.
        errors : {"observed", "robust"}
            From the observed information, or from the sandwich, which holds also where the noise is
            not normal or not the same everywhere.

        Raises
        ------
        ValueError
            When the fit is not at a maximum of the likelihood and so has no standard errors.
        """
        check_is_fitted(self)
        as_choice(errors, "errors", ERRORS)
        if self.standard_errors_ is None:
            raise ValueError("standard errors need a maximum of the likelihood: use refine=True")
        found = self.standard_errors_ if errors == "observed" else self.robust_standard_errors_
        options = dict(free=self.free_, names=self.terms_, level=level)
        return Summary(parameter_table(self.model_, found, **options), facts(self, errors), level)
