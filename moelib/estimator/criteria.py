"""Information criteria: fit against number of parameters; lower is better."""

import numpy as np
from scipy.special import entr

from moelib.estimator.predictions import Predictions
from moelib.validation import as_vector, as_weights


def aic(log_likelihood, n_parameters):
    """Akaike's criterion, -2 L + 2 q; lower is better."""
    return -2 * log_likelihood + 2.0 * n_parameters


def bic(log_likelihood, n_parameters, n):
    """The Bayesian information criterion of n samples, -2 L + q log n; lower is better."""
    return -2 * log_likelihood + n_parameters * float(np.log(n))


def icl(bic, entropy):
    """The integrated completed likelihood: BIC plus twice the entropy of who answered."""
    return bic + 2 * entropy


class Criteria(Predictions):
    """The criteria of a finished fit on any data: a part of ``MixtureOfExperts``."""

    n_parameters_: int

    def bic(self, X, y, sample_weight=None):
        """Bayesian information criterion on (X, y); lower is better (Schwarz 1978)."""
        density = self.log_density(X, y)
        total, n = _total(density, sample_weight)
        return bic(total, self.n_parameters_, n)

    def aic(self, X, y, sample_weight=None):
        """Akaike information criterion on (X, y); lower is better (Akaike 1974)."""
        total, _ = _total(self.log_density(X, y), sample_weight)
        return aic(total, self.n_parameters_)

    def icl(self, X, y, sample_weight=None):
        """Integrated completed likelihood on (X, y): BIC plus twice the entropy of who answered.

        Lower is better (Biernacki, Celeux & Govaert 2000, with the entropy of the posterior in
        place of their hard assignment).
        """
        entropy, _ = _total(entr(self.posterior(X, y)).sum(axis=1), sample_weight)
        return icl(self.bic(X, y, sample_weight), entropy)


def _total(values, sample_weight):
    """Sum of values (n,), weighted if there are weights, and the number of samples."""
    if sample_weight is None:
        return float(np.sum(values)), len(values)
    as_weights(sample_weight, len(values))  # refuses what cannot be weights
    weights = as_vector(sample_weight, "sample_weight", len(values))
    return float(weights @ values), float(weights.sum())
