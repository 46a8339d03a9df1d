"""The estimator: a mixture of experts as a scikit-learn regressor."""

import numpy as np
from scipy.special import entr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from moelib.estimator.checks import as_random_generator, check_data, check_parameters
from moelib.estimator.methods import METHODS, run
from moelib.estimator.selection import aic, bic, icl
from moelib.estimator.summary import Summary, facts, parameter_table
from moelib.gates.degeneracy import degeneracies_from_sample
from moelib.likelihood.maximum import errors_from_sample
from moelib.parameters import FreeParameters
from moelib.validation import AssumptionWarning, Sample, as_vector, as_weights, warn


class MixtureOfExperts(RegressorMixin, BaseEstimator):
    r"""Mixture of experts regression with a softmax gate and Gaussian noise.

    .. math:: P(y \mid x) = \sum_i p_i(x)\, N(y; g(\langle a_i, x\rangle + b_i), \sigma^2)

    Parameters
    ----------
    n_experts : int
        Number of experts k, at least 2.
    method : str
        With moments, all followed by the gates and a refinement: ``"two-loss"``, ``"l4-sgd"``,
        ``"spectral"`` and ``"spectral-4"`` (the experts by L4, by stochastic gradients on it, by
        the power method of order 3 and 4). They need standard normal inputs, unit experts
        orthogonal to the gates, k <= d and many samples (some 1e4 for k = 3, 1e6 for k = 10), and
        do not depend on a start. From a start, with none of that: ``"em"``; EM that
        repairs its ends, ``"em-split-merge"`` and ``"em-pruned"``; and ``"likelihood-sgd"``,
        minibatch Adam, cheap with many experts. For comparison ``"gradient-em"``, ``"likelihood"``,
        and ``"least-squares"`` and ``"least-squares-sgd"``, which see the conditional mean only.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Known noise; learned if not given.
    fit_intercept : bool
        Whether to learn intercepts of experts and gates.
    constant_gate : bool
        Whether the gate is constant in x: a plain mixture of regressions.
    n_init : int
        Random starts; the best loss or likelihood wins.
    init : {"random", "responsibilities", "kmeans"} or GatedModel
        Kind of start for the methods without moments, see :func:`moelib.make_start`; or the model
        to start from.
    anneal : bool
        Whether EM with known noise comes down to it from the labels' spread.
    solver : {"lbfgs", "adam"}
        How to descend, for ``"likelihood"`` and ``"least-squares"``.
    refine : bool
        Whether to finish at a maximum of the likelihood in all parameters.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.
    transforms : {"polynomial", "optimal", "in-span"}
        Kind of label transform, see :func:`moelib.label_transform`.
    truncate : float, optional
        Shorten the moments' tails, see :class:`moelib.Moments`; 3 is a good value.
    gate_ridge : float
        Weight of a penalty on the gates' slopes, see :class:`moelib.FreeParameters`. It keeps gates
        finite that separate the samples; small: its unit is that of the inputs.
    max_iter : int
        Iterations of a climb and of refinement, each.
    tol : float
        Stop below this gain in log-likelihood per sample.
    verbose : bool
        Whether to show progress over the starts.
    random_state : int, numpy.random.Generator, RandomState or None
        For the starts.

    Attributes
    ----------
    experts_ : (k, d) array
        The experts, in rows.
    gates_ : (k-1, d) array
        The gates, in rows; the last gate is zero and left out.
    noise_ : float
        Standard deviation.
    expert_intercepts_, gate_intercepts_ : (k,) and (k-1,) array
        Intercepts, zero if not fitted.
    free_ : FreeParameters
        What was learned.
    n_parameters_ : int
        Number of parameters learned.
    log_likelihood_ : float
        Log-likelihood of the training data, summed, in nats.
    standard_errors_ : StandardErrors or None
        None where the likelihood was not maximised.
    model_ : GatedModel
        The fitted model.
    n_iter_ : int
        Iterations of the likelihood climb (of gates without one).
    converged_ : bool
        Whether the fit stopped before its iterations ran out.
    history_ : dict
        Maps a stage to the list of its objective, larger is better: ``"experts"`` (minus L4),
        ``"gates"`` and ``"refine"`` (log-likelihood per sample), or the method's name (the same;
        minus the squared error for least squares). With a ridge, each less its penalty.
    path_ : dict
        Maps a stage to the models that its history belongs to; all stages but ``"experts"``.
    expert_fit_ : ExpertFit
        Result of the first stage; methods with moments only, as the next.
    gate_fit_ : Climb
        Result of the second stage.
    start_objectives_ : (n_init,) array
        The last objective of every start; methods without moments only.
    n_features_in_, feature_names_in_ : int and (d,) array of str
        Number and names of the columns of X.

    Raises
    ------
    ValueError
        From ``fit``, when an argument or the data cannot be used; the message says what to do.

    Warns
    -----
    ConvergenceWarning
        From ``fit``, when something did not converge.
    AssumptionWarning
        From ``fit``, when an assumption looks violated, the data do not determine a parameter, or
        the fit is degenerate, see :func:`moelib.find_degeneracies`.

    References
    ----------
    Jordan & Jacobs (1994); in the spirit of Makkuva, Oh, Kannan & Viswanath (2020).
    Taught in: :ref:`ch-whole-pipeline`.

    Examples
    --------
    >>> from moelib import gate_error, regressor_error, standard_model
    >>> model = standard_model(d=10, n_experts=3)
    >>> X, y = model.sample(8000, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(n_experts=3, random_state=0).fit(X, y)
    >>> regressor_error(fit.experts_, model.experts) < 1e-3
    True
    """

    def __init__(
        self,
        n_experts=2,
        method="two-loss",
        *,
        link="identity",
        noise=None,
        fit_intercept=False,
        constant_gate=False,
        n_init=1,
        init="random",
        anneal=False,
        solver="lbfgs",
        refine=True,
        mu=0.5,
        transforms="polynomial",
        truncate=None,
        gate_ridge=0.0,
        max_iter=1000,
        tol=1e-9,
        verbose=False,
        random_state=None,
    ):
        self.n_experts = n_experts
        self.method = method
        self.link = link
        self.noise = noise
        self.fit_intercept = fit_intercept
        self.constant_gate = constant_gate
        self.n_init = n_init
        self.init = init
        self.anneal = anneal
        self.solver = solver
        self.refine = refine
        self.mu = mu
        self.transforms = transforms
        self.truncate = truncate
        self.gate_ridge = gate_ridge
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Learn experts, gates and noise from X (n, d) and y (n,); return the estimator.

        A sample of weight two counts as two; moments need weighted inputs that are standard normal.

        Parameters
        ----------
        X : (n, d) array
            Inputs.
        y : (n,) array
            Labels.
        sample_weight : (n,) array, optional
            How often each sample counts.
        """
        check_parameters(self)
        sample = self._sample(X, y, sample_weight)
        self.free_ = FreeParameters(
            intercepts=self.fit_intercept,
            noise=self.noise is None,
            gate_slopes=not self.constant_gate,
            gate_ridge=float(self.gate_ridge),
        )
        check_data(self, sample, self.free_)
        found = run(self, sample, self.free_, as_random_generator(self.random_state))
        self.history_ = {name: stage.history for name, stage in found.stages.items()}
        self.path_ = {name: found.stages[name].path for name in self.history_ if name != "experts"}
        if METHODS[self.method].learn:
            self.expert_fit_, self.gate_fit_ = found.stages["experts"], found.stages["gates"]
        else:
            self.start_objectives_ = found.start_objectives
        self.model_ = model = found.climb.model
        self.experts_, self.gates_, self.noise_ = model.experts, model.gates, model.noise
        self.expert_intercepts_ = model.expert_intercepts
        self.gate_intercepts_ = model.gate_intercepts
        self.n_parameters_ = self.free_.count(*model.experts.shape)
        self.converged_, self.n_iter_ = found.climb.converged, len(found.climb.history) - 1
        log_density = model._log_density(sample.X, sample.y)
        self.log_likelihood_ = float(sample.total * sample.mean(log_density))
        self.n_samples_ = sample.total
        self._judge(sample)
        return self

    def _sample(self, X, y, sample_weight):
        """The data, checked once by scikit-learn's rules."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y, total = np.asarray(y, dtype=np.float64), float(len(y))
        if sample_weight is not None:
            options = dict(dtype=np.float64, ensure_non_negative=True)
            sample_weight = _check_sample_weight(sample_weight, X, **options)
            total = float(np.sum(sample_weight))
        return Sample(X, y, as_weights(sample_weight, len(y)), total)

    def _judge(self, sample):
        """Standard errors, and a warning for everything that is degenerate."""
        self.standard_errors_, covariance = None, None
        if self.refine or METHODS[self.method].at_maximum:
            self.standard_errors_ = errors_from_sample(self.model_, sample, self.free_)
            covariance = self.standard_errors_.covariance
        options = dict(free=self.free_, covariance=covariance)
        for sentence in degeneracies_from_sample(self.model_, sample, **options):
            warn(sentence, AssumptionWarning)

    def predict(self, X):
        """Conditional mean of y: (n, d) -> (n,)."""
        X = self._inputs(X)
        return self.model_._mean(X)

    def log_density(self, X, y):
        """Log-density of each label given its input: (n, d), (n,) -> (n,)."""
        X = self._inputs(X)
        return self.model_._log_density(X, as_vector(y, "y", len(X)))

    def posterior(self, X, y):
        """Probability that each expert produced each label: (n, d), (n,) -> (n, k)."""
        X = self._inputs(X)
        return self.model_._posterior(X, as_vector(y, "y", len(X)))

    def summary(self, level=0.95):
        """Estimates, standard errors, z and intervals: a :class:`moelib.estimator.Summary`.

        Raises
        ------
        ValueError
            When the fit is not at a maximum of the likelihood and so has no standard errors.
        """
        check_is_fitted(self)
        if self.standard_errors_ is None:
            raise ValueError("standard errors need a maximum of the likelihood: use refine=True")
        names = getattr(self, "feature_names_in_", None)
        options = dict(free=self.free_, names=names, level=level)
        table = parameter_table(self.model_, self.standard_errors_, **options)
        return Summary(table, facts(self), level)

    def bic(self, X, y, sample_weight=None):
        """Bayesian information criterion on (X, y); lower is better (Schwarz 1978)."""
        n = len(y) if sample_weight is None else np.sum(sample_weight)
        return bic(self._total(self.log_density(X, y), sample_weight), self.n_parameters_, n)

    def aic(self, X, y, sample_weight=None):
        """Akaike information criterion on (X, y); lower is better (Akaike 1974)."""
        return aic(self._total(self.log_density(X, y), sample_weight), self.n_parameters_)

    def icl(self, X, y, sample_weight=None):
        """Integrated completed likelihood on (X, y): BIC plus twice the entropy of who answered.

        Lower is better (Biernacki, Celeux & Govaert 2000, with the entropy of the posterior in
        place of their hard assignment).
        """
        entropy = entr(self.posterior(X, y)).sum(axis=1)
        return icl(self.bic(X, y, sample_weight), self._total(entropy, sample_weight))

    def _total(self, values, sample_weight):
        return float(np.sum(values if sample_weight is None else sample_weight * values))

    def _inputs(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)
