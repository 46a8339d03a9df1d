"""The estimator: a mixture of experts as a scikit-learn regressor."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from moelib.baselines import SOLVERS, gradient_em, joint_likelihood, least_squares
from moelib.diagnostics import check_two_loss_inputs
from moelib.em import EMFit, expectation_maximization
from moelib.experts import learn_experts
from moelib.gates import learn_gates
from moelib.labels import KINDS
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.refine import maximum_likelihood, standard_errors
from moelib.spectral import learn_experts_spectral
from moelib.starts import STARTS, make_start
from moelib.streaming import BATCH_SIZE, learn_experts_sgd, shuffled_batches
from moelib.validation import ConvergenceWarning, as_choice, as_positive

MOMENT_METHODS = ["two-loss", "l4-sgd", "spectral"]
METHODS = [*MOMENT_METHODS, "em", "gradient-em", "likelihood", "least-squares"]
LEAST_SGD_STEPS = 300


class MixtureOfExperts(RegressorMixin, BaseEstimator):
    r"""Mixture of experts regression with a softmax gate and Gaussian noise.

    .. math:: P(y \mid x) = \sum_i p_i(x)\, N(y; g(\langle a_i, x\rangle + b_i), \sigma^2)

    Parameters
    ----------
    n_experts : int             k, at least 2
    method : {"two-loss", "l4-sgd", "spectral", "em", "gradient-em", "likelihood", "least-squares"}
        ``"two-loss"`` learns the experts with L4 and then the gates by likelihood. It needs
        standard normal inputs, unit experts orthogonal to the gates, k <= d, and many samples
        (some 1e4 for k = 3, 1e6 for k = 10); it then works from any start. ``"l4-sgd"`` learns the
        experts by stochastic gradients on L4 instead, ``"spectral"`` from the third moment; gates
        and refinement are the same. ``"em"`` climbs the
        likelihood from random starts; it needs none of that, but with many experts it can stop
        at a poor maximum. The others are there for comparison: ``"gradient-em"`` takes gradient
        steps in place of EM's M-step, ``"likelihood"`` and ``"least-squares"`` descend their loss
        in all parameters at once. Least squares does not recover the parameters, unless the
        refinement does.
    link : str, callable or Link
    noise : float, optional     known noise; learned if not given
    fit_intercept : bool        learn intercepts of experts and gates
    constant_gate : bool        make the gate constant in x: a plain mixture of regressions
    n_init : int                random starts; the best loss or likelihood wins
    init : {"random", "responsibilities", "kmeans"}
        Kind of start for the methods without moments, see :func:`moelib.make_start`.
    anneal : bool               EM with known noise: come down to it from the labels' spread
    solver : {"lbfgs", "adam"}  for ``"likelihood"`` and ``"least-squares"``
    refine : bool               finish at a maximum of the likelihood in all parameters
    mu : float                  weight of the diagonal term of L4, between 0 and 1
    transforms : {"polynomial", "optimal", "in-span"}      kind of label transform, see
                                :func:`moelib.label_transform`
    max_iter : int              iterations of a climb and of refinement, each
    tol : float                 stop below this gain in log-likelihood per sample
    verbose : bool              show progress over the starts
    random_state : int, numpy.random.Generator, RandomState or None

    Attributes
    ----------
    experts_ : (k, d) array,  gates_ : (k-1, d) array,  noise_ : float
    expert_intercepts_ : (k,) array,  gate_intercepts_ : (k-1,) array
    n_parameters_ : int           number of parameters learned
    log_likelihood_ : float       of the training data, summed, in nats
    standard_errors_ : StandardErrors, or None where the likelihood was not maximised
    model_ : GatedModel           the fitted model
    n_iter_ : int                 iterations of the likelihood climb (of gates without one)
    converged_ : bool
    history_ : dict               stage -> list of its objective: ``"experts"`` (L4), ``"gates"``
                                  (loss per sample), the method's name, and ``"refine"``
                                  (log-likelihood per sample; squared error for least squares)
    expert_fit_, gate_fit_        results of the two stages; methods with moments only
    start_objectives_ : (n_init,) array           the last value of every start's history; the
                                                  methods without moments only
    n_features_in_ : int,  feature_names_in_ : (d,) array of str

    Raises
    ------
    ValueError
        From ``fit``, when an argument or the data cannot be used; the message says what to do.

    Warns
    -----
    ConvergenceWarning
        From ``fit``, when something did not converge.
    AssumptionWarning
        From ``fit``, when an assumption looks violated or the data do not determine a parameter.

    References
    ----------
    Jordan & Jacobs (1994); in the spirit of Makkuva, Oh, Kannan & Viswanath (2020).
    Taught in: "The whole pipeline".

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
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y):
        """Learn experts, gates and noise from X (n, d) and y (n,); return the estimator."""
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        self._check_data(X, y)
        rng = _as_generator(self.random_state)
        stages = self._two_loss if self.method in MOMENT_METHODS else self._best_of_starts
        fit = stages(X, y, rng)
        self.model_ = fit.model
        self.experts_, self.gates_, self.noise_ = (
            fit.model.experts,
            fit.model.gates,
            fit.model.noise,
        )
        self.expert_intercepts_ = fit.model.expert_intercepts
        self.gate_intercepts_ = fit.model.gate_intercepts
        self.n_parameters_ = self._free.count(*fit.model.experts.shape)
        self.converged_ = fit.converged
        self.n_iter_ = len(fit.history) - 1
        self.log_likelihood_ = float(np.sum(self.model_.log_density(X, y)))
        at_maximum = self.refine or self.method in ("em", "gradient-em", "likelihood")
        self.standard_errors_ = (
            standard_errors(self.model_, X, y, self._free) if at_maximum else None
        )
        return self

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

    def bic(self, X, y):
        """Bayesian information criterion on (X, y); lower is better (Schwarz 1978)."""
        return float(-2 * self.log_density(X, y).sum() + self.n_parameters_ * np.log(len(y)))

    def aic(self, X, y):
        """Akaike information criterion on (X, y); lower is better."""
        return float(-2 * self.log_density(X, y).sum() + 2 * self.n_parameters_)

    @property
    def _free(self):
        return FreeParameters(
            intercepts=self.fit_intercept,
            noise=self.noise is None,
            gate_slopes=not self.constant_gate,
        )

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _check_parameters(self):
        as_choice(self.method, "method", METHODS)
        as_link(self.link)
        for name, least in (("n_experts", 2), ("n_init", 1), ("max_iter", 1)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
        as_positive(self.tol, "tol")
        if self.noise is not None:
            as_positive(self.noise, "noise")
        as_choice(self.init, "init", STARTS)
        as_choice(self.solver, "solver", SOLVERS)
        as_choice(self.transforms, "transforms", KINDS)
        if self.method not in ("em", "gradient-em") and self.constant_gate:
            raise ValueError(
                f"constant_gate=True needs method='em': {self.method!r} learns gates in x"
            )
        if self.anneal and (self.method != "em" or self.noise is None):
            raise ValueError("anneal=True needs method='em' and a known noise=: free noise anneals")
        if self.method in MOMENT_METHODS and self.fit_intercept and not self.refine:
            raise ValueError(
                f"fit_intercept=True with method={self.method!r} needs refine=True: the moments "
                "know no intercepts, only the refinement learns them"
            )

    def _check_data(self, X, y):
        n, d = X.shape
        needed = self._free.count(self.n_experts, d) + 1
        if n < needed:
            plural = "s" if n > 1 else ""
            raise ValueError(
                f"{n} sample{plural} (n_samples={n}) are too few for {self.n_experts} experts and "
                f"{d} feature(s), which have {needed - 1} free parameters: at least {needed} "
                "samples or fewer experts are needed"
            )
        if np.ptp(y) == 0:
            raise ValueError(f"y is constant ({y[0]:g}): there is nothing to learn from it")

    def _best_of_starts(self, X, y, rng):
        fits = []
        for _ in tqdm(range(self.n_init), desc=f"{self.method} starts", disable=not self.verbose):
            start = make_start(
                X, y, self.n_experts, rng, self.init, self.link, self._free, self.noise
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # only the best start matters
                fits.append(self._climb(X, y, start))
        self.start_objectives_ = np.array([fit.history[-1] for fit in fits])
        sign = -1 if self.method == "least-squares" else 1
        best = fits[int(np.argmax(sign * self.start_objectives_))]
        self.history_ = {self.method: best.history}
        return self._refined(X, y, best)

    def _climb(self, X, y, start):
        free, max_iter = self._free, self.max_iter
        if self.method == "em":
            hot = float(np.std(y)) if self.anneal else None
            return expectation_maximization(X, y, start, free, max_iter, self.tol, hot)
        if self.method == "gradient-em":
            return gradient_em(X, y, start, free, max_iter, self.tol)
        descend = joint_likelihood if self.method == "likelihood" else least_squares
        return descend(X, y, start, free, self.solver, max_iter)

    def _two_loss(self, X, y, rng):
        check_two_loss_inputs(X, y, self.n_experts, self.link)
        experts = self._learn_experts(X, y, rng)
        gates = learn_gates(X, y, experts.experts, self.link, self.noise)
        self.expert_fit_, self.gate_fit_ = experts, gates
        self.history_ = {"experts": experts.history, "gates": gates.history}
        model = GatedModel(experts.experts, gates.gates, gates.noise, self.link)
        return self._refined(X, y, EMFit(model, gates.history, gates.converged))

    def _learn_experts(self, X, y, rng):
        k, link, noise, kind = self.n_experts, self.link, self.noise, self.transforms
        if self.method == "spectral":
            return learn_experts_spectral(X, y, k, rng, link, noise, self.n_init, kind)
        if self.method == "two-loss":
            return learn_experts(
                X, y, k, rng, link, noise, mu=self.mu, n_init=self.n_init, kind=kind
            )
        batches = shuffled_batches(X, y, rng)
        n_epochs = -(-LEAST_SGD_STEPS // max(len(y) // BATCH_SIZE, 1))
        return learn_experts_sgd(
            batches, k, rng, link, noise, self.mu, self.n_init, n_epochs, None, kind, self.verbose
        )

    def _refined(self, X, y, fit):
        if not self.refine:
            if not fit.converged:
                warnings.warn(
                    "the fit did not converge: raise max_iter", ConvergenceWarning, stacklevel=4
                )
            return fit
        refined = maximum_likelihood(X, y, fit.model, self._free, self.max_iter, self.tol)
        self.history_["refine"] = refined.history
        return refined


def _as_generator(random_state):
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, dtype=np.uint64))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "random_state must be None, a non-negative integer, a numpy.random.Generator or a "
            f"RandomState; got {random_state!r}"
        ) from error
