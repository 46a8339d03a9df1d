"""What a fit says of its data and of itself: said where it must be, and silent on good data."""

import re
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from moelib import FreeParameters, GatedModel, MixtureOfExperts, maximum_likelihood, standard_model
from moelib.estimator.diagnostics import dependent_columns, parameter_names, reach
from moelib.likelihood.wider import score_test
from moelib.links import LINKS, as_link
from moelib.validation import as_sample

QUICK = dict(n_init=3, random_state=0)

# every sentence, by words of its own
SENTENCES = {
    "collapse": "has collapsed",
    "idle": "hardly ever fires",
    "separated": "perfectly: steeper copies",
    "coincide": "coincide as far as these data can tell",
    "alike": "answer alike and differ in their noise only",
    "small": "answers only",
    "undetermined": "are not determined by these data and have infinite",
    "intercept": "have no intercept, and the data ask",
    "noises": "one noise for all experts does not fit",
    "reach": "of the labels lie outside",
    "far out": "further out than one in 1000",
    "few": "fewer than two for each",
    "columns": "^columns? .*(determine each other:|is constant)",
    "digits": "standard deviations from zero",
    "weights": "sample_weight sums to",
    "repeats": "of the rows repeat another",
    "aside": "had collapsed, and were set aside",
    "steps": "did not converge",
}


def kinds(fit):
    """Which sentences a fit has said; every remark is one of them."""
    said = [
        [kind for kind, words in SENTENCES.items() if re.search(words, remark)]
        for remark in fit.remarks_
    ]
    assert all(len(one) == 1 for one in said), fit.remarks_
    return {one[0] for one in said}


def quiet(estimator, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(*data)


# --- silent on data from the model ----------------------------------------------------------------


def regular(rng, k, d, noise, *, link="identity", intercepts=True):
    """A random model in which every expert answers at least a seventh of the samples."""
    while True:
        model = GatedModel(
            rng.standard_normal((k, d)),
            1.5 * rng.standard_normal((k - 1, d)),
            noise,
            link,
            1.5 * intercepts * rng.standard_normal(k),
            0.5 * intercepts * rng.standard_normal(k - 1),
        )
        if model.shares(2000).min() > 0.15:
            return model


CASES = {
    "one expert": (1, dict(noise=0.5), {}),
    "noise for each": (2, dict(noise=[0.3, 0.6]), {}),
    "one noise": (2, dict(noise=0.4), dict(noise="shared")),
    "three experts": (3, dict(noise=[0.2, 0.4, 0.3]), {}),
    "no intercepts": (2, dict(noise=0.3, intercepts=False), dict(fit_intercept=False)),
    "theory": (
        2,
        dict(noise=0.3, intercepts=False),
        dict(fit_intercept=False, noise="shared"),
    ),
    "sigmoid": (2, dict(noise=0.1, link="sigmoid"), dict(link="sigmoid")),
    "relu": (2, dict(noise=0.2, link="relu"), dict(link="relu")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_few_words_on_forty_data_sets_from_the_model(case, n):
    """Each kind of sentence on two of them at most."""
    k, design, settings = CASES[case]
    alarms: Counter = Counter()
    for seed in range(40):
        rng = np.random.default_rng([seed, n])
        X, y = regular(rng, k, 2, **design).sample(n, rng)
        alarms.update(kinds(quiet(MixtureOfExperts(k, **QUICK, **settings), X, y)))
    assert max(alarms.values(), default=0) <= 2, alarms


# --- said where they must be ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_one_noise_for_unequal_noises_is_named_with_their_ratios(seed):
    rng = np.random.default_rng(seed)
    model = replace(standard_model(d=4, n_experts=2), noise=[0.2, 0.8])
    X, y = model.sample(600, rng)
    fit = quiet(MixtureOfExperts(2, noise="shared", **QUICK), X, y)
    (remark,) = [remark for remark in fit.remarks_ if "one noise" in remark]
    said = [float(number) for number in re.search(r"spread ([\d., ]+) times", remark)[1].split(",")]
    r, squares = fit.posterior(X, y), (y[:, None] - fit.expert_answers(X)) ** 2
    spreads = np.sqrt((r * squares).sum(axis=0) / r.sum(axis=0))
    np.testing.assert_allclose(said, spreads / fit.noise_, rtol=0.06)  # two digits are said
    assert kinds(quiet(MixtureOfExperts(2, **QUICK), X, y)) == set()


@pytest.mark.parametrize("seed", range(5))
def test_an_expert_too_many_is_named(seed):
    """It coincides with another, is small, idle or not determined."""
    X, y = standard_model(d=3, n_experts=2, noise=0.5).sample(400, np.random.default_rng(seed))
    fit = quiet(MixtureOfExperts(4, noise="shared", **QUICK), X, y)
    assert kinds(fit) & {"coincide", "small", "idle", "undetermined"}


@pytest.mark.parametrize("noise", ["shared", "per-expert"])
@pytest.mark.parametrize("n", [500, 1000])
def test_shifted_labels_are_named_by_their_rows(noise, n):
    """One in a hundred, shifted by ten noises: all data sets say so, and hardly another row."""
    for seed in range(8):
        rng = np.random.default_rng([seed, n])
        X, y = regular(rng, 2, 2, 0.4).sample(n, rng)
        rows = rng.choice(n, n // 100, replace=False)
        y[rows] += 4.0 * rng.choice([-1, 1], len(rows))
        fit = quiet(MixtureOfExperts(2, noise=noise, **QUICK), X, y)
        assert kinds(fit) & {"far out", "small"}
        for remark in fit.remarks_:
            found = re.search(r"rows ([\d, ]+)", remark)
            named = {int(row) for row in found[1].split(",") if row.strip()} if found else set()
            assert len(named - set(rows)) <= 1


def test_a_few_broad_outliers_are_not_taken_for_a_regime_without_a_word():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((500, 2))
        y = X @ [1.0, -1.0] + 0.3 * rng.standard_normal(500)
        y[:12] += 20 * rng.standard_normal(12)
        fit = quiet(MixtureOfExperts(2, **QUICK), X, y)
        share = fit.posterior(X, y).mean(axis=0).min()
        assert share < 0.05 and kinds(fit) & {"small", "alike"}


def test_few_samples_are_named_and_too_few_refused():
    X, y = standard_model(d=3, n_experts=2, noise=0.3).sample(60, np.random.default_rng(0))
    q = 14  # slopes and intercepts of two experts and a gate, two noises
    assert "few" in kinds(quiet(MixtureOfExperts(2, **QUICK), X[: 2 * q - 1], y[: 2 * q - 1]))
    assert "few" not in kinds(quiet(MixtureOfExperts(2, **QUICK), X[: 2 * q], y[: 2 * q]))


def test_parameters_that_are_not_determined_are_named():
    """A gate that separates: its own parameters, and no others."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-2, -1, 100), rng.uniform(1, 2, 100)])
    y = np.where(x > 0, 5 + x, -x) + 0.2 * rng.standard_normal(200)
    fit = quiet(MixtureOfExperts(2, **QUICK), x[:, None], y)
    assert kinds(fit) == {"separated", "undetermined"}
    remark = " ".join(fit.remarks_)
    assert "2 of 8 parameters" in remark and "(gate 1 x1, gate 1 intercept)" in remark


def test_a_fit_that_did_not_converge_says_nothing_that_only_a_maximum_tells():
    X, y = standard_model(d=3, n_experts=2, noise=0.3).sample(300, np.random.default_rng(0))
    fit = quiet(MixtureOfExperts(2, refine=False, max_iter=1, **QUICK), X, y)
    assert "steps" in kinds(fit) and not kinds(fit) & {"undetermined", "noises", "intercept"}


# --- parts ----------------------------------------------------------------------------------------


def test_reach_of_the_links():
    assert reach(LINKS["identity"]) == reach(LINKS["leaky_relu"]) == (-np.inf, np.inf)
    assert reach(LINKS["relu"]) == (0, np.inf) and reach(LINKS["sigmoid"]) == (0, 1)
    assert reach(LINKS["tanh"]) == (-1, 1)
    for function, ends in [
        (np.exp, (0, np.inf)),
        (np.sinh, (-np.inf, np.inf)),
        (np.square, (0, np.inf)),
        (lambda t: -np.exp(-t), (-np.inf, 0)),
        (lambda t: np.logaddexp(0, t), (0, np.inf)),
        (lambda t: 3 - t, (-np.inf, np.inf)),
    ]:
        assert reach(as_link(function)) == ends
    np.testing.assert_allclose(reach(as_link(np.arctan)), [-np.pi / 2, np.pi / 2], atol=1e-5)
    np.testing.assert_allclose(reach(as_link(np.sin)), [-1, 1], atol=1e-3)


def test_groups_of_columns_that_determine_each_other():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 7))
    X[:, 2] = 3 * X[:, 0] - 7  # with the intercept
    X[:, 5] = X[:, 3] + X[:, 4] + 1e-9 * rng.standard_normal(50)
    names = list("abcdefg")
    groups = dependent_columns(as_sample(X, X[:, 6]), FreeParameters(intercepts=True), names)
    assert sorted(groups) == [["a", "c"], ["d", "e", "f"]]
    without = dependent_columns(as_sample(X, X[:, 6]), FreeParameters(), names)
    assert without == [["d", "e", "f"]]
    some = FreeParameters(intercepts=True, expert_features=(0, 1, 3, 4), gate_features=(2, 5))
    assert dependent_columns(as_sample(X, X[:, 6]), some, names) == []
    weights = np.where(np.arange(50) < 5, 0.0, 1.0)
    X[:5, 2] = 100.0  # not seen
    seen = dependent_columns(as_sample(X, X[:, 6], weights), some, names)
    assert seen == []
    everywhere = FreeParameters(intercepts=True)
    assert ["a", "c"] in dependent_columns(as_sample(X, X[:, 6], weights), everywhere, names)


@pytest.mark.parametrize("noise", [True, False, "per-expert"])
@pytest.mark.parametrize("columns", [None, (2, 0)])
def test_names_of_parameters_stand_where_the_parameters_do(noise, columns):
    """Every parameter moved by itself: its name says where the model has changed."""
    free = FreeParameters(intercepts=True, noise=noise, expert_features=columns, gate_features=(1,))
    model = GatedModel(
        np.zeros((2, 3)), np.zeros((1, 3)), [1.0, 1.0] if noise == "per-expert" else 1
    )
    names = parameter_names(model, free, ["a", "b", "c"])
    assert len(names) == free.count(2, 3)
    for (part, row, term), step in zip(names, np.eye(len(names)), strict=True):
        moved = free.moved(model, step)
        i = int(row) - 1 if row else 0
        if part == "noise":
            assert moved.noises[i] > 1 and (row == "") == (noise is True)
            continue
        slopes, intercepts = {
            "expert": (moved.experts, moved.expert_intercepts),
            "gate": (moved.gates, moved.gate_intercepts),
        }[part]
        changed = intercepts[i] if term == "intercept" else slopes[i, "abc".index(term)]
        assert changed == 1
        total = sum(
            np.sum(np.abs(values))
            for values in (
                moved.experts,
                moved.gates,
                moved.expert_intercepts,
                moved.gate_intercepts,
            )
        )
        assert total == 1


# --- Rao's test -----------------------------------------------------------------------------------

NARROW, WIDE = FreeParameters(intercepts=True), FreeParameters(intercepts=True, noise="per-expert")


def unequal(seed, ratio, n=1500):
    noise = 0.4 * np.array([1.0, ratio])
    model = GatedModel(np.eye(2, 3), 2 * np.eye(1, 3, 2), noise, "identity", [1.0, -1.0])
    X, y = model.sample(n, np.random.default_rng(seed))
    best = maximum_likelihood(X, y, replace(model, noise=0.4), free=NARROW).model
    return X, y, replace(best, noise=np.full(2, best.noise))


def test_score_test_by_scores_from_finite_differences():
    X, y, model = unequal(0, 1.1)
    each = WIDE.derivatives(lambda m: m.log_density(X, y), model)  # (n, q)
    score, J = each.mean(axis=0), each.T @ each / len(y)
    expected = len(y) * score @ np.linalg.solve(J, score)
    statistic, p_value = score_test(model, as_sample(X, y), NARROW, WIDE)
    assert statistic == pytest.approx(expected, rel=1e-4)
    assert p_value == pytest.approx(chi2.sf(expected, 1), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_score_test_is_near_the_likelihood_ratio(seed):
    """They agree to first order; here the ratio of the noises is a little off one."""
    X, y, model = unequal(seed, 1.15)
    wide = maximum_likelihood(X, y, model, free=WIDE)
    ratio = 2 * len(y) * (wide.objective - model.log_density(X, y).mean())
    statistic, _ = score_test(model, as_sample(X, y), NARROW, WIDE)
    assert abs(np.sqrt(statistic) - np.sqrt(ratio)) < 0.5


def test_p_values_are_uniform_where_the_narrower_model_is_right():
    p_values = [
        score_test(model, as_sample(X, y), NARROW, WIDE)[1]
        for X, y, model in (unequal(seed, 1.0, n=800) for seed in range(120))
    ]
    assert kstest(p_values, "uniform").pvalue > 1e-3
