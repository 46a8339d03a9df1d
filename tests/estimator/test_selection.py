"""How many experts: twins, nesting, restarts and criteria."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    GatedModel,
    MixtureOfExperts,
    choose_n_experts,
)
from moelib.estimator import with_twin
from moelib.estimator.selection import _nested_fits
from moelib.estimator.twins import _divided
from moelib.validation import as_sample

DATA = Path(__file__).parents[2] / "book" / "data"


@pytest.fixture(scope="module")
def exhaust():
    table = pd.read_csv(DATA / "ethanol_exhaust.csv", comment="#")
    return table[["Equivalence"]].to_numpy(), table["NO"].to_numpy()


@pytest.mark.parametrize("i", range(3))
def test_a_twin_changes_nothing(i):
    rng = np.random.default_rng(i)
    model = GatedModel(
        rng.standard_normal((3, 2)),
        rng.standard_normal((2, 2)),
        0.5,
        expert_intercepts=rng.standard_normal(3),
        gate_intercepts=rng.standard_normal(2),
    )
    X, y = model.sample(50, rng)
    wider = with_twin(model, i)
    assert wider.n_experts == 4
    np.testing.assert_allclose(wider.log_density(X, y), model.log_density(X, y), atol=1e-12)


def test_larger_models_are_not_worse_and_the_warning_says_which(exhaust):
    """One random start, hard data: some climb gets stuck below a smaller model."""
    stuck = 0
    for seed in range(4):
        template = MixtureOfExperts(noise="shared", n_init=1, random_state=seed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(template, *exhaust, n_experts=(2, 3, 4))
        assert np.all(np.diff(found.table["log_likelihood"]) >= -1e-4)
        assert all(str(w.message).startswith("k = ") for w in caught)
        said = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
        named = [
            k for k in (3, 4) if any(f"{k} experts fitted worse" in str(w.message) for w in said)
        ]
        assert named == list(found.table.index[found.table["restarted"]])
        stuck += len(named)
    assert stuck > 0


def test_choice_finds_the_true_number(standard):
    settings = dict(n_init=2, tol=1e-6)
    for seed in range(3):
        _, X, y = standard(1000, seed, d=5, n_experts=3, noise=0.3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            template = MixtureOfExperts(random_state=seed, **settings)
            found = choose_n_experts(template, X, y, n_experts=(2, 3, 4))
        assert found.best_k == 3 and found.best is found.fits[3]
        assert found.table["icl"].idxmin() == 3


@pytest.fixture(scope="module")
def few():
    """So few samples that AIC takes an expert more than BIC does."""
    model = GatedModel(np.eye(2), [[1.0, -1.0]], 0.5)
    return model.sample(60, np.random.default_rng(1))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_criterion_is_what_is_minimised(few):
    template = MixtureOfExperts(noise="shared", n_init=3, random_state=0)
    chosen = {}
    for criterion in ("aic", "bic", "icl"):
        found = choose_n_experts(template, *few, n_experts=(3, 2), criterion=criterion)
        chosen[criterion] = found.best_k
        assert found.best_k == found.table[criterion].idxmin()
        for k, fit in found.fits.items():
            assert found.table.loc[k, criterion] == pytest.approx(getattr(fit, criterion)(*few))
    assert chosen == {"aic": 3, "bic": 2, "icl": 2}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_weights_are_repetitions(few):
    X, y = few
    counts = 1 + np.arange(60) % 2
    template = MixtureOfExperts(n_init=2, random_state=0)
    weighted = choose_n_experts(template, X, y, n_experts=(2, 3), sample_weight=counts).table
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    repeated = choose_n_experts(template, X, y, n_experts=(2, 3)).table
    for column in ("log_likelihood", "aic", "bic", "icl"):
        np.testing.assert_allclose(weighted[column], repeated[column], rtol=1e-5)


def test_models_without_gate_intercepts_are_not_nested(standard):
    """At x = 0 two experts share in halves, three in thirds: no three match two."""
    _, X, y = standard(8000, d=5, n_experts=2, noise=0.3)
    template = MixtureOfExperts(fit_intercept=False, noise="shared", n_init=3, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = choose_n_experts(template, X, y, n_experts=(2, 3)).table
    assert table.loc[3, "log_likelihood"] < table.loc[2, "log_likelihood"] - 100
    assert not table["restarted"].any()
    assert not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def test_no_nesting_is_claimed_under_a_ridge(exhaust):
    """Twins would pay the ridge twice, so a larger model may fit worse: no warning, no restart."""
    settings = dict(noise="shared", n_init=1, gate_ridge=0.05, tol=1e-6)
    for seed in range(4):
        template = MixtureOfExperts(random_state=seed, **settings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(template, *exhaust, n_experts=(2, 3, 4))
        assert not found.table["restarted"].any()
        assert not any("fitted worse" in str(w.message) for w in caught)


def test_restarts_do_not_see_samples_of_weight_zero(exhaust):
    X, y = exhaust
    template = MixtureOfExperts(noise="shared", n_init=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        fit = template.fit(X, y)
    twins, outliers = with_twin(fit.model_, 1), np.arange(len(y)) < 5
    for value in (1e3, -1e3):
        spoiled = np.where(outliers, value, y)
        start = _divided(twins, as_sample(X, spoiled, np.where(outliers, 0.0, 1.0)), fit.free_)
        assert np.abs(start.expert_intercepts).max() < 100 and start.noise < 1


def test_a_fit_is_not_measured_by_a_smaller_one_whose_noise_has_collapsed(few):
    """Which is likelier than any that is sound."""
    X, y = few
    fits = {k: MixtureOfExperts(k, n_init=3, random_state=0) for k in (1, 2, 3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        results = {k: (fit.fit(X, y), []) for k, fit in fits.items()}
        fits[2].sound_, fits[2].log_likelihood_ = False, 1e4
        assert fits[3].sound_
        found, restarted = _nested_fits(results, (X, y, None))
    assert restarted == {1: False, 2: False, 3: False} and found[3] is fits[3]
    fits[3].log_likelihood_ = fits[1].log_likelihood_ - 1  # but by one that is sound
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found, restarted = _nested_fits(results, (X, y, None))
    assert restarted[3] and found[3].log_likelihood_ >= fits[1].log_likelihood_ - 1e-6


def test_selection_that_cannot_be_made(standard):
    _, X, y = standard(300, d=5, n_experts=2, noise=0.3)
    with pytest.raises(ValueError, match="criterion must be one of 'bic', 'icl', 'aic'"):
        choose_n_experts(MixtureOfExperts(), X, y, criterion="mdl")
    for sizes in ((), 0, -2):
        with pytest.raises(ValueError, match="n_experts must name integers of at least 1 to try"):
            choose_n_experts(MixtureOfExperts(), X, y, n_experts=sizes)
    for sizes in ((2.0, 3.0), (0, 1)):
        with pytest.raises(ValueError, match="n_experts must be an integer of at least 1, got"):
            choose_n_experts(MixtureOfExperts(), X, y, n_experts=sizes)
    with pytest.raises(ValueError, match="estimator must be a MixtureOfExperts .* got Pipeline"):
        choose_n_experts(make_pipeline(StandardScaler(), make_pipeline(LinearRegression())), X, y)
    with pytest.raises(ValueError, match="y must hold a label for each sample, got None"):
        choose_n_experts(MixtureOfExperts(), X, None)
    with pytest.raises(ValueError, match="criteria compare maxima"):
        choose_n_experts(MixtureOfExperts(method="two-loss", refine=False), X, y, n_experts=(2,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # not a word of each k before an error that is of all
        with pytest.raises(ValueError, match="y is constant"):
            choose_n_experts(MixtureOfExperts(), X, np.ones(300))
