"""What a fit leaves, and when: nothing before it is over, and its own settings, not the present."""

import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from moelib import MixtureOfExperts, standard_errors, standard_model
from moelib.estimator import stages
from moelib.validation import AssumptionWarning

QUICK = dict(n_init=1, random_state=0)
THEORY = QUICK | dict(method="two-loss", fit_intercept=False, noise="shared")


@pytest.fixture(scope="module")
def data():
    return standard_model(d=3, n_experts=2, noise=0.3).sample(400, np.random.default_rng(0))


def state(estimator):
    return sorted(name for name in vars(estimator) if name.endswith("_"))


def calls(X, y):
    return {
        "predict": lambda fit: fit.predict(X),
        "summary": lambda fit: fit.summary(),
        "posterior": lambda fit: fit.posterior(X, y),
        "log_density": lambda fit: fit.log_density(X, y),
        "gate_probabilities": lambda fit: fit.gate_probabilities(X),
        "expert_answers": lambda fit: fit.expert_answers(X),
        "cdf": lambda fit: fit.cdf(X, y),
        "quantile": lambda fit: fit.quantile(X, 0.5),
        "predict_interval": lambda fit: fit.predict_interval(X),
        "sample": lambda fit: fit.sample(X),
        "bic": lambda fit: fit.bic(X, y),
        "aic": lambda fit: fit.aic(X, y),
        "icl": lambda fit: fit.icl(X, y),
        "score": lambda fit: fit.score(X, y),
        "relabel": lambda fit: fit.relabel([1, 0]),
    }


def assert_not_fitted(estimator, X, y):
    assert state(estimator) == []
    for call in calls(X, y).values():
        with pytest.raises(NotFittedError):
            call(estimator)


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [QUICK, THEORY])
def test_a_fit_that_fails_leaves_nothing(data, settings):
    X, y = data
    estimator = MixtureOfExperts(2, **settings)
    assert_not_fitted(estimator, X, y)
    failures = [
        (X, np.ones(400)),
        (X, y[:-1]),
        (np.full_like(X, np.nan), y),
        (X[:, :2], y * np.nan),
    ]
    for bad in failures:
        with pytest.raises(ValueError):
            estimator.fit(*bad)
        assert_not_fitted(estimator, X, y)
        estimator.fit(X, y)
        with pytest.raises(ValueError):
            estimator.fit(*bad)
        assert_not_fitted(estimator, X, y)


@pytest.mark.parametrize("settings", [QUICK, THEORY])
@pytest.mark.parametrize("where", ["_run", "_likelier", "_finished"])
def test_an_interrupted_fit_leaves_nothing(data, monkeypatch, settings, where):
    X, y = data
    estimator = MixtureOfExperts(2, **settings).fit(X, y)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, where, interrupt)
    reached = where == "_run" or (where == "_likelier") == (settings is THEORY)
    if not reached:
        estimator.fit(X, y)
        return
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert_not_fitted(estimator, X, y)


def test_warnings_that_are_made_errors_leave_nothing(data):
    X, y = data
    estimator = MixtureOfExperts(2, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AssumptionWarning, match="determine each other"):
            estimator.fit(np.hstack([X, X]), y)
    assert_not_fitted(estimator, X, y)


def test_a_refit_leaves_nothing_of_the_fit_before(data):
    X, y = data
    estimator = MixtureOfExperts(2, **THEORY).fit(X, y)
    assert {"expert_fit_", "gate_fit_"} <= set(state(estimator))
    estimator.set_params(method="em").fit(X[:, :2], y)
    fresh = MixtureOfExperts(2, **(THEORY | {"method": "em"})).fit(X[:, :2], y)
    assert state(estimator) == state(fresh) and estimator.n_features_in_ == 2


def test_summary_is_of_the_fit_and_not_of_the_parameters(data):
    X, y = data
    fit = MixtureOfExperts(2, **QUICK).fit(X, y)
    before, facts = fit.summary(), dict(fit.summary().facts)
    fit.set_params(
        n_experts=5, method="least-squares", link="relu", noise="shared", fit_intercept=False
    )
    assert fit.summary().facts == facts
    assert str(fit.summary()) == str(before)
    assert facts["experts"] == 2 and facts["method"] == "em" and facts["link"] == "identity"
    np.testing.assert_array_equal(fit.predict(X), fit.model_.mean(X))


def test_summary_does_not_need_the_data_again(data):
    X, y = (array.copy() for array in data)
    fit = MixtureOfExperts(2, **QUICK).fit(X, y)
    before = str(fit.summary())
    X[:], y[:] = 0, 0
    assert str(fit.summary()) == before


@pytest.mark.parametrize(
    "copied",
    [lambda fit: pickle.loads(pickle.dumps(fit)), copy.deepcopy, lambda fit: fit],
)
def test_a_fit_can_be_copied_and_stored(data, copied, tmp_path):
    X, y = data
    fit = MixtureOfExperts(2, **QUICK).fit(X, y)
    joblib.dump(fit, tmp_path / "fit.joblib")
    for other in (copied(fit), joblib.load(tmp_path / "fit.joblib")):
        np.testing.assert_array_equal(other.predict(X), fit.predict(X))
        assert str(other.summary()) == str(fit.summary()) and state(other) == state(fit)
    assert state(clone(fit)) == []


def test_remarks_hold_what_was_warned_of_by_the_fit(data):
    X, y = data
    wide = np.hstack([X, X[:, :1], np.full((400, 1), 3.0)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = MixtureOfExperts(3, max_iter=2, refine=False, **QUICK).fit(wide, y)
    assert fit.remarks_ == [str(warning.message) for warning in caught]
    assert len(set(fit.remarks_)) == len(fit.remarks_) >= 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        silent = MixtureOfExperts(3, max_iter=2, refine=False, **QUICK).fit(wide, y)
    assert silent.remarks_ == fit.remarks_


@pytest.mark.filterwarnings("ignore::moelib.AssumptionWarning")
def test_remarks_hold_what_the_stages_of_a_fit_warned_of():
    """Moments of labels that are noise, and a category with a single level."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((500, 3)), rng.standard_normal(500)
    fit = MixtureOfExperts(2, **THEORY).fit(X, y)
    assert any("the second moment has only" in remark for remark in fit.remarks_)
    frame = pd.DataFrame(X, columns=list("abc")).assign(shop="one")
    fit = MixtureOfExperts(2, **QUICK).fit(frame, y)
    assert any("column 'shop' has one level" in remark for remark in fit.remarks_)


def test_fits_in_threads_keep_their_own_remarks(data):
    """And the filters of warnings are as they were."""
    X, y = data
    wide = np.hstack([X, X[:, :1]])
    gate = threading.Barrier(2)

    def one(inputs):
        gate.wait()
        return MixtureOfExperts(2, **QUICK).fit(inputs, y).remarks_

    filters = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [MixtureOfExperts(2, **QUICK).fit(inputs, y).remarks_ for inputs in (X, wide)]
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(one, (X, wide)))
    assert together == alone and alone[0] == [] and alone[1] != []
    assert list(warnings.filters) == filters


# --- standard errors of both kinds ----------------------------------------------------------------


def test_robust_errors_are_those_of_the_sandwich(data):
    X, y = data
    fit = MixtureOfExperts(2, **QUICK).fit(X, y)
    for kind in ("observed", "robust"):
        table = fit.summary(errors=kind).table
        errors = standard_errors(fit.model_, X, y, free=fit.free_, errors=kind)
        assert table.loc[("expert", "1", "x2"), "s.e."] == pytest.approx(errors.experts[0, 1])
        assert table.loc[("gate", "1", "intercept"), "s.e."] == pytest.approx(
            errors.gate_intercepts[0]
        )
        assert fit.summary(errors=kind).facts["standard errors"] == kind


@pytest.mark.filterwarnings("ignore::moelib.AssumptionWarning")
def test_robust_errors_cover_where_the_noise_depends_on_the_input():
    """One regression, its noise growing with the input: HC0 of least squares, and 150 draws."""
    estimates, robust, observed = [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(300)
        y = 1 + 2 * x + np.abs(x) * rng.standard_normal(300)
        fit = MixtureOfExperts(1).fit(x[:, None], y)
        estimates.append(fit.experts_[0, 0])
        robust.append(fit.robust_standard_errors_.experts[0, 0])
        observed.append(fit.standard_errors_.experts[0, 0])
    spread = np.std(estimates)
    assert np.mean(robust) == pytest.approx(spread, rel=0.15)
    assert np.mean(observed) < 0.7 * spread
    covered = np.abs(np.array(estimates) - 2) < norm.ppf(0.975) * np.array(robust)
    assert covered.mean() > 0.89


# --- relabel --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three():
    model = standard_model(d=5, n_experts=3, noise=0.3)
    X, y = model.sample(900, np.random.default_rng(0))
    return X, y, MixtureOfExperts(3, n_init=3, random_state=0).fit(X, y)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]])
def test_relabelled_experts_have_the_same_law_and_their_own_errors(three, order):
    """Standard errors of the reordered model, computed anew."""
    X, y, fit = three
    moved = copy.deepcopy(fit).relabel(order)
    np.testing.assert_array_equal(moved.experts_, fit.experts_[order])
    np.testing.assert_array_equal(moved.noises_, fit.noises_[order])
    np.testing.assert_allclose(moved.predict(X), fit.predict(X), atol=1e-12)
    np.testing.assert_allclose(moved.posterior(X, y), fit.posterior(X, y)[:, order], atol=1e-12)
    for kind, errors in (
        ("observed", moved.standard_errors_),
        ("robust", moved.robust_standard_errors_),
    ):
        anew = standard_errors(moved.model_, X, y, free=fit.free_, errors=kind)
        for part in ("experts", "gates", "noise", "expert_intercepts", "gate_intercepts"):
            np.testing.assert_allclose(
                getattr(errors, part), getattr(anew, part), rtol=1e-6, err_msg=part
            )
    back = moved.relabel(np.argsort(order))
    np.testing.assert_allclose(
        back.standard_errors_.covariance, fit.standard_errors_.covariance, rtol=1e-8, atol=1e-14
    )


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [0, 1, 3], [[0, 1, 2]], [0.5, 1, 2]])
def test_orders_that_are_none_are_refused(three, order):
    _, _, fit = three
    with pytest.raises(ValueError, match="order must hold each of 0 to 2 once"):
        fit.relabel(order)


def test_relabel_keeps_infinite_errors_infinite():
    """The last expert is the gates' reference: what is undetermined moves with the others."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-2, -1, 100), rng.uniform(1, 2, 100)])
    y = np.where(x > 0, 5 + x, -x) + 0.2 * rng.standard_normal(200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = MixtureOfExperts(2, n_init=2, random_state=0).fit(x[:, None], y)
    assert np.all(np.isinf(fit.standard_errors_.gates))
    finite = fit.standard_errors_.experts.copy()
    fit.relabel([1, 0])
    assert np.all(np.isinf(fit.standard_errors_.gates))
    np.testing.assert_allclose(fit.standard_errors_.experts, finite[::-1])
    lines = LinearRegression().fit(x[x > 0, None], y[x > 0]).coef_[0]
    assert np.min(np.abs(fit.experts_ - lines)) < 1e-6
