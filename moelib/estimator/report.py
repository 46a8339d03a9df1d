"""What a fitted mixture can say of itself: a summary table and information criteria."""

import numpy as np
from scipy.special import entr
from sklearn.utils.validation import check_is_fitted, validate_data

from moelib.estimator.summary import Summary, parameter_table
from moelib.likelihood.maximum import StandardErrors
from moelib.links import Link, as_link
from moelib.model import GatedModel
from moelib.parameters import FreeParameters


class Report:
    """Mixin of :class:`moelib.MixtureOfExperts`: everything here reads a finished fit."""

    method: str
    n_experts: int
    link: Link
    model_: GatedModel
    free_: FreeParameters
    standard_errors_: StandardErrors | None
    n_parameters_: int
    n_samples_: float
    log_likelihood_: float
    converged_: bool

    def predict(self, X):
        """Conditional mean of y: (n, d) -> (n,)."""
        X = self._validated(X)
        return self.model_.mean(X)

    def log_density(self, X, y):
        """Log-density of each label given its input: (n, d), (n,) -> (n,)."""
        X = self._validated(X)
        return self.model_.log_density(X, y)

    def posterior(self, X, y):
        """Probability that each expert produced each label: (n, d), (n,) -> (n, k)."""
        X = self._validated(X)
        return self.model_.posterior(X, y)

    def summary(self, level=0.95):
        """Estimates, standard errors, z and intervals: a :class:`moelib.estimator.Summary`.

        Raises
        ------
        ValueError
            When the fit is not at a maximum of the likelihood and so has no standard errors.
        """
        check_is_fitted(self)
        if self.standard_errors_ is None:
            raise ValueError(
                "standard errors need a maximum of the likelihood: fit with refine=True"
            )
        names = getattr(self, "feature_names_in_", None)
        table = parameter_table(self.model_, self.standard_errors_, self.free_, names, level)
        fit = -2 * self.log_likelihood_
        facts = {
            "method": self.method,
            "experts": self.n_experts,
            "link": as_link(self.link).name,
            "samples": f"{self.n_samples_:g}",
            "parameters": self.n_parameters_,
            "log-likelihood": f"{self.log_likelihood_:.2f}",
            "AIC": f"{fit + 2 * self.n_parameters_:.2f}",
            "BIC": f"{fit + self.n_parameters_ * np.log(self.n_samples_):.2f}",
            "converged": "yes" if self.converged_ else "no",
        }
        return Summary(table, facts, level)

    def bic(self, X, y, sample_weight=None):
        """Bayesian information criterion on (X, y); lower is better (Schwarz 1978)."""
        n = len(y) if sample_weight is None else np.sum(sample_weight)
        fit = -2 * self._total_log_density(X, y, sample_weight)
        return fit + self.n_parameters_ * float(np.log(n))

    def aic(self, X, y, sample_weight=None):
        """Akaike information criterion on (X, y); lower is better (Akaike 1974)."""
        return -2 * self._total_log_density(X, y, sample_weight) + 2.0 * self.n_parameters_

    def icl(self, X, y, sample_weight=None):
        """Integrated completed likelihood on (X, y): BIC plus twice the entropy of who answered.

        Lower is better (Biernacki, Celeux & Govaert 2000, with the entropy of the posterior in
        place of their hard assignment).
        """
        entropy = entr(self.posterior(X, y)).sum(axis=1)
        weights = 1.0 if sample_weight is None else np.asarray(sample_weight)
        return self.bic(X, y, sample_weight) + 2 * float(np.sum(weights * entropy))

    def _total_log_density(self, X, y, sample_weight):
        weights = 1.0 if sample_weight is None else np.asarray(sample_weight)
        return float(np.sum(weights * self.log_density(X, y)))

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)
