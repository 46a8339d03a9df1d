"""The estimator: a mixture of experts as a scikit-learn regressor."""

from sklearn.base import BaseEstimator, RegressorMixin

from moelib.estimator.certificate import certificate_of
from moelib.estimator.checks import as_random_generator, check_data, check_parameters, resolved
from moelib.estimator.diagnostics import diagnosed, remarks_before
from moelib.estimator.inputs import free_parameters
from moelib.estimator.ordering import check_rule, expert_order
from moelib.estimator.remarks import say
from moelib.estimator.results import Results
from moelib.estimator.stages import run
from moelib.estimator.trimming import trimmed
from moelib.metrics import relabelled
from moelib.threads import one_blas_thread
from moelib.validation import listening


class MixtureOfExperts(Results, RegressorMixin, BaseEstimator):
    r"""Mixture of experts regression with a softmax gate and Gaussian noise.

    .. math:: P(y \mid x) = \sum_i p_i(x)\, N(y; g(\langle a_i, x\rangle + b_i), \sigma_i^2)

    Parameters
    ----------
    n_experts : int
        Number of experts k; one is a plain regression.
    method : str
        From several starts: ``"em"``; EM that repairs its ends, ``"em-split-merge"`` and
        ``"em-pruned"``; ``"likelihood-sgd"``, minibatch Adam, cheap with many experts; and
        ``"auto"``, which takes one of them by the number of experts. With moments, all followed by
        the gates and a refinement: ``"two-loss"``, ``"l4-sgd"``, ``"spectral"`` and
        ``"spectral-4"`` (the experts by L4, by stochastic gradients on it, by the power method of
        order 3 and 4). They depend on no start, and need standard normal inputs, unit experts
        orthogonal to the gates, k <= d and many samples (some 1e4 for k = 3, 1e6 for k = 10). For
        comparison ``"gradient-em"``, ``"likelihood"``, and ``"least-squares"`` and
        ``"least-squares-sgd"``, which see the conditional mean only.
    link : str, callable or Link
        The link :math:`g`.
    noise : {"per-expert", "shared"} or float, optional
        A noise for each expert, one for all, or a known one. If not given: one for each where the
        method climbs the likelihood, and one for all, as in the theory, with moments.
    fit_intercept : bool
        Whether to learn intercepts of experts and gates. The theory has none.
    expert_features, gate_features : list of str or int, or callable, optional
        Columns of X that experts and gates may use; all if not given.
    formula : str, optional
        Terms of the experts and, after a bar, of the gates, for a DataFrame:
        ``"price * promo | season"``.
    constant_gate : bool
        Whether the gate is constant in x: a plain mixture of regressions.
    n_init : int
        Starts; the best loss or likelihood wins. A fit whose noise has collapsed never wins over
        one that is sound.
    init : {"mixed", "random", "responsibilities", "kmeans"} or GatedModel
        Kind of start for the methods without moments, see :func:`moelib.make_start`; mixed ones are
        random, but for the last of several, which is from k-means. Or the model to start from.
    anneal : bool
        Whether EM cools slowly: with a known noise it comes down to that from the labels' spread,
        and one that is learned may fall by at most 1 % an iteration.
    solver : {"lbfgs", "adam", "orthonormal"}
        How to descend, for ``"likelihood"`` and ``"least-squares"``; orthonormal rows are for
        ``"two-loss"``, and better where experts are many.
    refine : bool
        Whether to finish at a maximum of the likelihood in all parameters.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.
    transforms : {"polynomial", "optimal", "in-span"}
        Kind of label transform, see :func:`moelib.label_transform`.
    truncate : float, optional
        Shorten the moments' tails, see :class:`moelib.Moments`; 3 is a good value.
    gate_ridge : float
        Weight of a penalty on the gates' slopes for inputs of unit spread, see
        :class:`moelib.FreeParameters`. It keeps gates finite that separate the samples; 1/n is a
        standard normal prior.
    trim : float
        Share of the samples to leave out, below a half: those that the fit explains worst, found
        again after each fit until they stay the same. For outliers: of normal noise it cuts the
        tails too, and what is kept looks less noisy than it is, by a fifth at 0.1.
    order_by : {"share", "answer", "noise"} or str, optional
        Number the experts by their share of the samples, by their answer to mean inputs, by their
        noise, or by their slope on a column of this name; from the smallest up.
    max_iter : int
        Iterations of a climb, of the gates' stage and of refinement, each.
    tol : float
        Stop below this gain in log-likelihood per sample.
    verbose : bool
        Whether to show progress over the starts.
    random_state : int, numpy.random.Generator, RandomState or None
        For the starts.

    Attributes
    ----------
    experts_ : (k, p) array
        The experts, in rows, for the p columns ``terms_``.
    gates_ : (k-1, p) array
        The gates, in rows; the last gate is zero and left out.
    noise_ : float
        Standard deviation of labels about the experts that gave them: the one noise, or the root
        mean square of all over the samples.
    noises_ : (k,) array
        Standard deviation of each expert.
    expert_intercepts_, gate_intercepts_ : (k,) and (k-1,) array
        Intercepts, zero if not fitted.
    terms_ : list of str
        Names of the model's columns: those of X, with a column for each level of a category but the
        first.
    free_ : FreeParameters
        What was learned.
    n_parameters_ : int
        Number of parameters learned.
    log_likelihood_ : float
        Log-likelihood of the training data, summed, in nats.
    entropy_ : float
        Entropy of who answered, summed over the training data, in nats.
    n_samples_ : float
        Number of samples, or the sum of their weights.
    standard_errors_, robust_standard_errors_ : StandardErrors or None
        From the observed information, and from the sandwich; None where the likelihood was not
        maximised.
    model_ : GatedModel
        The fitted model.
    method_ : str
        The method that was run.
    kept_ : (n,) bool array
        Which samples were not trimmed, if any were to be; likelihood, standard errors and criteria
        are theirs.
    sound_ : bool
        Whether the likelihood may be compared with that of other fits: no noise has collapsed.
    remarks_ : list of str
        Everything that the fit warned of.
    n_iter_ : int
        Iterations of all stages but the experts' moments.
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
    >>> import numpy as np
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> fit = MixtureOfExperts(n_experts=2, random_state=0).fit(X, y)
    >>> regressor_error(fit.experts_, model.experts) < 1e-3
    True
    """

    def __init__(
        self,
        n_experts=2,
        method="em",
        *,
        link="identity",
        noise=None,
        fit_intercept=True,
        expert_features=None,
        gate_features=None,
        formula=None,
        constant_gate=False,
        n_init=10,
        init="mixed",
        anneal=False,
        solver="lbfgs",
        refine=True,
        mu=0.5,
        transforms="polynomial",
        truncate=None,
        gate_ridge=0.0,
        trim=0.0,
        order_by=None,
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
        self.expert_features = expert_features
        self.gate_features = gate_features
        self.formula = formula
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
        self.trim = trim
        self.order_by = order_by
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state

    @one_blas_thread
    def fit(self, X, y, sample_weight=None):
        """Learn experts, gates and noise from X (n, d) and y (n,); return the estimator.

        A sample of weight two counts as two; moments need weighted inputs that are standard normal.
        A fit that fails leaves the estimator as if it had never been fitted.

        Parameters
        ----------
        X : (n, d) array or DataFrame
            Inputs; a DataFrame may hold categories.
        y : (n,) array
            Labels.
        sample_weight : (n,) array, optional
            How often each sample counts.
        """
        self._forget()
        try:
            with listening() as remarks:
                self._learn(X, y, sample_weight)
        except BaseException:  # an interrupt too
            self._forget()
            raise
        self.remarks_ = remarks
        return self

    def _learn(self, X, y, sample_weight):
        check_parameters(self)
        columns, sample = self._read(X, y, sample_weight)
        settings = resolved(self)
        free = free_parameters(settings, columns, sample)
        check_data(settings, sample, free)
        if self.order_by is not None:
            used = free.expert_columns(len(columns.names))
            check_rule(self.order_by, [columns.names[j] for j in used])
        for sentence in remarks_before(settings, sample, free, columns.names):
            say(sentence)
        found = run(settings, sample, free, as_random_generator(self.random_state))
        if self.trim:
            found, part = trimmed(found, settings, sample, free)
            self.kept_, sample = part.kept, part.sample
        model = found.climb.model
        if self.order_by is not None:
            model = relabelled(model, expert_order(model, sample, self.order_by, columns.names))
        remarks, errors = diagnosed(model, sample, free, columns.names, found)
        self._remember(settings, columns, sample, free, found, model)
        self.standard_errors_, self.robust_standard_errors_ = errors
        for sentence in remarks:
            say(sentence)
        self.model_ = model

    def certify(self, X, y, sample_weight=None, *, n_draws=None, level=0.05, random_state=None):
        """Whether the labels follow the fit, given the data that it was made with.

        Nothing is assumed of the inputs, and no truth is needed: see
        :func:`moelib.estimator.certificate_of` for arguments, errors and warnings. Returns a
        :class:`moelib.estimator.Certificate`. A trimmed fit, whose law is another, is refused.
        """
        X, rng = self._design(X), as_random_generator(random_state)
        if self.trim:
            raise ValueError("a certificate needs all samples: fit again without trim")
        asked = dict(sample_weight=sample_weight, n_draws=n_draws, level=level)
        return certificate_of(self.model_, X, y, rng, free=self.free_, **asked)
