"""What a finished fit says of new inputs: answers, gates, intervals, draws."""

import numpy as np

from moelib.estimator.checks import as_random_generator
from moelib.estimator.inputs import Inputs
from moelib.model import GatedModel
from moelib.predictive import cdf, quantiles
from moelib.validation import as_count, as_labels, as_probability


class Predictions(Inputs):
    """Predictions of a finished fit: a part of ``MixtureOfExperts``."""

    model_: GatedModel

    def predict(self, X):
        """Conditional mean of y: (n, d) -> (n,).

        Between two regimes the mean may lie where no label does: see :meth:`predict_interval`.
        """
        X = self._design(X)
        return self.model_._mean(X)

    def gate_probabilities(self, X):
        """Probability that each expert answers, before the label is seen: (n, d) -> (n, k)."""
        X = self._design(X)
        return np.exp(self.model_._log_gate_probabilities(X))

    def expert_answers(self, X):
        """What each expert answers: (n, d) -> (n, k)."""
        X = self._design(X)
        return self.model_._expert_means(X)

    def posterior(self, X, y):
        """Probability that each expert produced each label: (n, d), (n,) -> (n, k)."""
        X = self._design(X)
        return self.model_._posterior(X, as_labels(y, len(X)))

    def log_density(self, X, y):
        """Log-density of each label given its input: (n, d), (n,) -> (n,)."""
        X = self._design(X)
        return self.model_._log_density(X, as_labels(y, len(X)))

    def cdf(self, X, y):
        """Probability of a label of at most y: (n, d), (n,) -> (n,).

        On new data from the fitted model it is uniform between 0 and 1.
        """
        X = self._design(X)
        return cdf(self.model_, X, as_labels(y, len(X)))

    def quantile(self, X, q):
        """Quantiles of the label given its input: (n, d), number or (m,) -> (n,) or (n, m)."""
        X = self._design(X)
        found = quantiles(self.model_, X, np.atleast_1d(q))
        return found[:, 0] if np.ndim(q) == 0 else found

    def predict_interval(self, X, level=0.9):
        """Where the label will lie with this probability: (n, d) -> (n, 2).

        Between the quantiles (1 - level) / 2 and (1 + level) / 2 of the fitted law. That the
        parameters are estimates is left out: with few samples intervals are a little too short.
        """
        level = as_probability(level, "level")
        return self.quantile(X, [(1 - level) / 2, (1 + level) / 2])

    def sample(self, X, n_draws=None, random_state=None):
        """Draw labels for inputs: (n, d) -> (n,), or (n_draws, n)."""
        X, rng = self._design(X), as_random_generator(random_state)
        if n_draws is None:
            return self.model_.sample_labels(X, rng)[0]
        draws = range(as_count(n_draws, "n_draws"))
        return np.array([self.model_.sample_labels(X, rng)[0] for _ in draws])
