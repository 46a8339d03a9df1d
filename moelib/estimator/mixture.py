"""The estimator: a mixture of experts as a scikit-learn regressor."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, validate_data
from tqdm import tqdm

from moelib.data.batches import BATCH_SIZE, shuffled_batches
from moelib.estimator.assumptions import check_two_loss_inputs
from moelib.estimator.checks import (
    METHODS,
    MOMENT_METHODS,
    as_random_generator,
    check_data,
    check_parameters,
)
from moelib.estimator.report import Report
from moelib.experts.learn import learn_experts
from moelib.experts.sgd import learn_experts_sgd
from moelib.experts.spectral import learn_experts_spectral
from moelib.gates.degeneracy import find_degeneracies
from moelib.gates.learn import learn_gates
from moelib.likelihood.descent import gradient_em, joint_likelihood, least_squares
from moelib.likelihood.em import EMFit, expectation_maximization
from moelib.likelihood.maximum import maximum_likelihood, standard_errors
from moelib.likelihood.starts import make_start
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.validation import AssumptionWarning, ConvergenceWarning

__all__ = ["METHODS", "MOMENT_METHODS", "MixtureOfExperts"]

LEAST_SGD_STEPS = 300


class MixtureOfExperts(Report, RegressorMixin, BaseEstimator):
    r"""Mixture of experts regression with a softmax gate and Gaussian noise.

    .. math:: P(y \mid x) = \sum_i p_i(x)\, N(y; g(\langle a_i, x\rangle + b_i), \sigma^2)

    Parameters
    ----------
    n_experts : int
        Number of experts k, at least 2.
    method : {"two-loss", "l4-sgd", "spectral", "em", "gradient-em", "likelihood", "least-squares"}
        ``"two-loss"`` learns the experts with L4 and then the gates by likelihood. It needs
        standard normal inputs, unit experts orthogonal to the gates, k <= d, and many samples (some
        1e4 for k = 3, 1e6 for k = 10); it then works from any start. ``"l4-sgd"`` learns the
        experts by stochastic gradients on L4 instead, ``"spectral"`` from the third moment; gates
        and refinement are the same. ``"em"`` climbs the likelihood from random starts; it needs
        none of that, but with many experts it can stop at a poor maximum. The others are there for
        comparison: ``"gradient-em"`` takes gradient steps in place of EM's M-step, ``"likelihood"``
        and ``"least-squares"`` descend their loss in all parameters at once. Least squares does not
        recover the parameters, unless the refinement does.
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
    gate_ridge : float
        Weight of a penalty, half of it times the gates' squared slopes, on the log-likelihood per
        sample. It keeps gates finite that separate the samples; 1/n is a standard normal prior.
    max_iter : int
        Iterations of a climb and of refinement, each.
    tol : float
        Stop below this gain in log-likelihood per sample.
    verbose : bool
        Whether to show progress over the starts.
    random_state : int, numpy.random.Generator, RandomState or None
        Source of randomness, for the starts.

    Attributes
    ----------
    experts_ : (k, d) array
        The experts, in rows.
    gates_ : (k-1, d) array
        The gates, in rows; the last gate is zero and left out.
    noise_ : float
        Standard deviation of the noise.
    expert_intercepts_ : (k,) array
        Intercepts of the experts, zero if not fitted.
    gate_intercepts_ : (k-1,) array
        Intercepts of the gates, zero if not fitted.
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
        Maps a stage to the list of its objective: ``"experts"`` (L4), ``"gates"`` (loss per
        sample), the method's name, and ``"refine"`` (log-likelihood per sample; squared error for
        least squares). With a ridge, each less or plus its penalty.
    path_ : dict
        Maps a stage to the list of the models that its history belongs to; all stages but
        ``"experts"``.
    expert_fit_ : ExpertFit
        Result of the first stage; methods with moments only.
    gate_fit_ : GateFit
        Result of the second stage; methods with moments only.
    start_objectives_ : (n_init,) array
        The last value of every start's history; methods without moments only.
    n_features_in_ : int
        Number of inputs.
    feature_names_in_ : (d,) array of str
        Names of the inputs, where ``fit`` was given a table.

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
        self.gate_ridge = gate_ridge
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Learn experts, gates and noise from X (n, d) and y (n,); return the estimator.

        A sample of weight two counts as two samples; methods with moments need weighted inputs that
        are standard normal.

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
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        self.free_ = FreeParameters(
            intercepts=self.fit_intercept,
            noise=self.noise is None,
            gate_slopes=not self.constant_gate,
            gate_ridge=float(self.gate_ridge),
        )
        check_data(self, X, y, sample_weight)
        rng = as_random_generator(self.random_state)
        stages = self._two_loss if self.method in MOMENT_METHODS else self._best_of_starts
        fit = stages(X, y, rng, sample_weight)
        self.model_ = model = fit.model
        self.experts_, self.gates_, self.noise_ = model.experts, model.gates, model.noise
        self.expert_intercepts_ = model.expert_intercepts
        self.gate_intercepts_ = model.gate_intercepts
        self.n_parameters_ = self.free_.count(*model.experts.shape)
        self.converged_ = fit.converged
        self.n_iter_ = len(fit.history) - 1
        self.log_likelihood_ = self._total_log_density(X, y, sample_weight)
        self.n_samples_ = float(len(y) if sample_weight is None else np.sum(sample_weight))
        self._judge(X, y, sample_weight)
        return self

    def _judge(self, X, y, sample_weight):
        """Standard errors, and a warning for everything that is degenerate."""
        at_maximum = self.refine or self.method in ("em", "gradient-em", "likelihood")
        self.standard_errors_, covariance = None, None
        if at_maximum:
            self.standard_errors_ = standard_errors(self.model_, X, y, self.free_, sample_weight)
            covariance = self.standard_errors_.covariance
        found = find_degeneracies(self.model_, X, y, self.free_, covariance, sample_weight)
        for sentence in found:
            warnings.warn(sentence, AssumptionWarning, stacklevel=3)

    def _best_of_starts(self, X, y, rng, sample_weight):
        fits = []
        for _ in tqdm(range(self.n_init), desc=f"{self.method} starts", disable=not self.verbose):
            start = self._start(X, y, rng, sample_weight)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # only the best start matters
                fits.append(self._climb(X, y, start, sample_weight))
        self.start_objectives_ = np.array([fit.history[-1] for fit in fits])
        sign = -1 if self.method == "least-squares" else 1
        best = fits[int(np.argmax(sign * self.start_objectives_))]
        self.history_, self.path_ = {self.method: best.history}, {self.method: best.path}
        return self._refined(X, y, best, sample_weight)

    def _start(self, X, y, rng, sample_weight):
        if isinstance(self.init, GatedModel):
            return self.init if self.noise is None else replace(self.init, noise=self.noise)
        k, free = self.n_experts, self.free_
        return make_start(X, y, k, rng, self.init, self.link, free, self.noise, sample_weight)

    def _climb(self, X, y, start, sample_weight):
        free, max_iter = self.free_, self.max_iter
        if self.method == "em":
            spread = float(np.sqrt(np.cov(y, bias=True, aweights=sample_weight)))
            hot = spread if self.anneal else None
            return expectation_maximization(
                X, y, start, free, max_iter, self.tol, hot, sample_weight
            )
        if self.method == "gradient-em":
            return gradient_em(X, y, start, free, max_iter, self.tol)
        descend = joint_likelihood if self.method == "likelihood" else least_squares
        return descend(X, y, start, free, self.solver, max_iter)

    def _two_loss(self, X, y, rng, sample_weight):
        check_two_loss_inputs(X, y, self.n_experts, self.link, sample_weight)
        experts = self._learn_experts(X, y, rng, sample_weight)
        options = dict(ridge=self.gate_ridge, sample_weight=sample_weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # the final model is judged
            gates = learn_gates(X, y, experts.experts, self.link, self.noise, **options)
        self.expert_fit_, self.gate_fit_ = experts, gates
        path = [
            GatedModel(experts.experts, W, noise, self.link)
            for W, noise in zip(gates.path, gates.noises, strict=True)
        ]
        self.history_ = {"experts": experts.history, "gates": gates.history}
        self.path_ = {"gates": path}
        fit = EMFit(path[-1], gates.history, gates.converged, path)
        return self._refined(X, y, fit, sample_weight)

    def _learn_experts(self, X, y, rng, sample_weight):
        k, link, noise, kind = self.n_experts, self.link, self.noise, self.transforms
        n_init = self.n_init
        if self.method == "spectral":
            return learn_experts_spectral(X, y, k, rng, link, noise, n_init, kind, sample_weight)
        if self.method == "two-loss":
            settings = dict(mu=self.mu, n_init=n_init, kind=kind, sample_weight=sample_weight)
            return learn_experts(X, y, k, rng, link, noise, **settings)
        batches = shuffled_batches(X, y, rng)
        n_epochs = -(-LEAST_SGD_STEPS // max(len(y) // BATCH_SIZE, 1))
        return learn_experts_sgd(
            batches, k, rng, link, noise, self.mu, n_init, n_epochs, None, kind, self.verbose
        )

    def _refined(self, X, y, fit, sample_weight):
        if not self.refine:
            if not fit.converged:
                warnings.warn(
                    "the fit did not converge: raise max_iter", ConvergenceWarning, stacklevel=4
                )
            return fit
        refined = maximum_likelihood(
            X, y, fit.model, self.free_, self.max_iter, self.tol, sample_weight
        )
        self.history_["refine"], self.path_["refine"] = refined.history, refined.path
        return refined
