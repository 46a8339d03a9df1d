"""The table of methods: each of them runs, what its row says is true, and its histories rise."""

import re
import warnings

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    MixtureOfExperts,
    maximum_likelihood,
    regressor_error,
    standard_model,
)
from moelib.estimator.methods import METHODS
from moelib.gates.loss import gate_gradient, log_normal_density
from moelib.likelihood import score_moments

DESIGN = dict(d=5, n_experts=2, noise=0.3)
THEORY = dict(fit_intercept=False, noise="shared", n_init=1, random_state=0)
CLIMBS = [name for name, method in METHODS.items() if method.climb]


@pytest.fixture(scope="module")
def data(standard):
    return standard(3000, **DESIGN)


def fitted(data, method, sample_weight=None, **settings):
    _, X, y = data
    """A fit in the theory's setting, changed by ``settings``."""
    estimator = MixtureOfExperts(2, method, **(THEORY | settings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return estimator.fit(X, y, sample_weight)


def mean_of(values, weights):
    return np.average(values, weights=weights)


# --- every method runs ----------------------------------------------------------------------------


def test_the_estimator_says_which_methods_there_are():
    said = re.search(r"method : str(.*?)\n    link :", MixtureOfExperts.__doc__, re.S).group(1)
    assert sorted(re.findall(r'``"([^"]+)"``', said)) == sorted(["auto", *METHODS])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_recovers_the_experts_and_names_its_stages(data, method):
    with_moments = METHODS[method].learn is not None
    assert with_moments == (METHODS[method].climb is None)
    stages = ["experts", "gates"] if with_moments else [method]
    fit = fitted(data, method)
    assert list(fit.history_) == [*stages, "refine"] and fit.converged_
    assert regressor_error(fit.experts_, data[0].experts) < 1e-3
    blind = fitted(data, method, refine=False)
    assert list(blind.history_) == stages
    assert blind.log_likelihood_ < fit.log_likelihood_
    for found in (fit, blind):
        assert hasattr(found, "expert_fit_") == hasattr(found, "gate_fit_") == with_moments
        assert hasattr(found, "start_objectives_") == (not with_moments)


@pytest.mark.parametrize("method", CLIMBS)
def test_the_best_of_the_starts_is_kept(data, method):
    _, X, y = data
    fit = fitted(data, method, refine=False, n_init=3)
    assert len(fit.start_objectives_) == 3
    assert fit.history_[method][-1] == pytest.approx(np.max(fit.start_objectives_), rel=1e-12)
    again = fitted(data, method, n_init=3)
    assert again.log_likelihood_ >= fit.log_likelihood_
    gap = fit.start_objectives_ - again.start_objectives_  # what is refined climbs less close
    assert np.all(gap > -1e-12) and np.all(gap < 1e-4)


@pytest.mark.parametrize("method", ["em", "likelihood"])
def test_mixed_starts_are_random_ones_and_a_last_one_from_clusters(data, method):
    """A single one is random, as the theory has it."""
    settings = dict(refine=False, tol=1e-5)
    mixed = fitted(data, method, init="mixed", n_init=3, **settings).start_objectives_
    random = fitted(data, method, init="random", n_init=3, **settings).start_objectives_
    np.testing.assert_array_equal(mixed[:2], random[:2])
    assert mixed[2] != random[2]
    single = [fitted(data, method, init=kind, **settings) for kind in ("mixed", "random", "kmeans")]
    np.testing.assert_array_equal(single[0].experts_, single[1].experts_)
    assert single[2].start_objectives_[0] != single[0].start_objectives_[0]


# --- what the table says --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_what_knows_weights_takes_them_for_repetitions(data, method):
    model, X, y = data
    counts = np.random.default_rng(1).integers(0, 3, len(y))
    if not METHODS[method].knows_weights:
        with pytest.raises(ValueError, match=f"method='{method}' knows no weights"):
            fitted(data, method, counts)
        return
    weighted = fitted(data, method, counts)
    repeated = fitted((model, np.repeat(X, counts, axis=0), np.repeat(y, counts)), method)
    near = 1e-6 if "sgd" not in method else 1e-4  # other batches: two ways to one maximum
    np.testing.assert_allclose(weighted.experts_, repeated.experts_, atol=near)
    np.testing.assert_allclose(weighted.gates_, repeated.gates_, atol=10 * near)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-7)
    assert weighted.bic(X, y, counts) == pytest.approx(repeated.bic(X, y, counts), rel=1e-7)
    np.testing.assert_allclose(
        weighted.standard_errors_.experts, repeated.standard_errors_.experts, rtol=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_what_knows_a_ridge_ends_where_the_penalised_gradient_of_the_gates_is_zero(data, method):
    _, X, y = data
    row = METHODS[method]
    if not row.knows_ridge:
        with pytest.raises(ValueError, match=f"gate_ridge=0.1 needs .*'{method}' does not know it"):
            fitted(data, method, gate_ridge=0.1)
        return
    fit = fitted(data, method, gate_ridge=0.1, refine=False)
    log_normals = log_normal_density((y[:, None] - X @ fit.experts_.T) ** 2, fit.noise_**2)
    gradient = gate_gradient(fit.gates_, X, log_normals)
    near = 1e-4 if "-sgd" not in method or row.learn else 2e-2  # a batch of 64 knows no better
    np.testing.assert_allclose(gradient, -0.1 * X.var(axis=0) * fit.gates_, atol=near)
    assert np.linalg.norm(fit.gates_) > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_what_knows_a_constant_gate_learns_the_shares(data, method):
    if not METHODS[method].knows_constant_gate:
        with pytest.raises(ValueError, match="constant_gate=True needs one of 'em', 'em-pruned'"):
            fitted(data, method, constant_gate=True)
        return
    _, X, y = data
    fit = fitted(data, method, constant_gate=True, tol=1e-12, refine=False)
    np.testing.assert_array_equal(fit.gates_, 0)
    shares = np.exp(np.append(fit.gate_intercepts_, 0))
    near = 1e-4 if "sgd" not in method else 1e-2
    np.testing.assert_allclose(shares / shares.sum(), fit.posterior(X, y).mean(axis=0), atol=near)
    assert fit.n_parameters_ == 2 * 5 + 1 + 1


@pytest.mark.parametrize("method", METHODS)
def test_what_anneals_has_left_its_start_when_the_history_begins(data, method):
    if not METHODS[method].anneals:
        with pytest.raises(ValueError, match="anneal=True needs method='em'"):
            fitted(data, method, noise=0.3, anneal=True)
        return
    model, _, _ = data
    settings = dict(noise=0.3, init=model, refine=False)
    cold = fitted(data, method, **settings)
    np.testing.assert_allclose(cold.path_[method][0].experts, model.experts, rtol=1e-12)
    hot = fitted(data, method, **settings, anneal=True)
    assert np.abs(hot.path_[method][0].experts - model.experts).max() > 1e-4
    assert hot.noise_ == cold.noise_ == 0.3
    assert hot.log_likelihood_ == pytest.approx(cold.log_likelihood_, abs=1e-3)


def test_orthonormal_rows_find_what_rows_on_spheres_collapse_on():
    X, y = standard_model(d=16, n_experts=8, noise=0.05).sample(40_000, np.random.default_rng(0))
    found = {}
    for solver in ("lbfgs", "orthonormal"):
        settings = dict(method="two-loss", transforms="in-span", refine=False, solver=solver)
        settings |= dict(fit_intercept=False, noise="shared", random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit = MixtureOfExperts(8, **settings).fit(X, y)
        found[solver] = regressor_error(fit.experts_, np.eye(8, 16))
    assert found["orthonormal"] < min(0.03, found["lbfgs"])


def test_annealing_a_noise_that_is_learned_lets_it_fall_by_at_most_a_hundredth(data):
    noises = [
        np.array([one.noise for one in fitted(data, "em", noise="shared", **more).path_["em"]])
        for more in (dict(anneal=True, refine=False), dict(refine=False))
    ]
    slow, plain = (np.min(path[1:] / path[:-1]) for path in noises)
    assert slow == pytest.approx(0.99) and plain < 0.97


def test_annealing_from_a_random_start_finds_the_experts(data):
    fit = fitted(data, "em", noise=0.3, anneal=True)
    assert regressor_error(fit.experts_, data[0].experts) < 1e-2


@pytest.mark.parametrize("method", METHODS)
def test_what_ends_at_a_maximum_has_no_score_and_standard_errors(data, method):
    _, X, y = data
    fit = fitted(data, method, refine=False)
    score, J = score_moments(fit.model_, X, y)
    gain = score @ np.linalg.solve(J, score) / 2  # nats per sample that one step would bring
    if METHODS[method].at_maximum:
        assert gain < 1e-7 and fit.standard_errors_ is not None
    else:
        assert gain > 1e-7 and fit.standard_errors_ is None
        with pytest.raises(ValueError, match="use refine=True"):
            fit.summary()


def test_the_refinement_also_begins_with_indifferent_gates_and_keeps_the_likelier_end(standard):
    """With few samples gates learned with poor experts lead astray on some of the data sets."""
    gains = []
    for seed in range(6):
        data = standard(150, d=10, n_experts=3, seed=seed)
        _, X, y = data
        fit = MixtureOfExperts(3, "two-loss", transforms="in-span", truncate=3, **THEORY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit.fit(X, y)
            learned = maximum_likelihood(X, y, fit.gate_fit_.model)
        gains.append(fit.log_likelihood_ / len(y) - learned.objective)
    assert min(gains) > -1e-6 and max(gains) > 0.01


def test_shorter_tails_reach_the_moments(data):
    plain, cut = (fitted(data, "two-loss", truncate=t).expert_fit_ for t in (None, 3.0))
    assert np.abs(plain.tensor - cut.tensor).max() > 1e-3


# --- histories ------------------------------------------------------------------------------------


def by_hand(stage, model, X, y, weights, ridge):
    """The objective of a stage at a model, from the public face of the model."""
    if stage.startswith("least-squares"):
        return -mean_of((y - model.mean(X)) ** 2, weights)
    spread = np.average((X - np.average(X, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    penalty = ridge / 2 * np.sum(spread * model.gates**2)
    return mean_of(model.log_density(X, y), weights) - penalty


def variants(method):
    """Settings that the method knows, with and without weights."""
    row = METHODS[method]
    yield {}
    yield {"noise": 0.3}
    if row.knows_ridge:
        yield {"gate_ridge": 0.02}
    if row.knows_weights:
        yield {"sample_weight": np.arange(3000) % 4}
    yield {"fit_intercept": True, "noise": "per-expert"}


@pytest.mark.parametrize("method", METHODS)
def test_histories_rise_and_belong_to_their_paths(data, method):
    _, X, y = data
    for settings in variants(method):
        fit = fitted(data, method, **settings)
        weights, ridge = settings.get("sample_weight"), settings.get("gate_ridge", 0.0)
        assert set(fit.path_) == set(fit.history_) - {"experts"}
        for stage, history in fit.history_.items():
            assert history[0] < history[-1], (stage, settings)
            path = fit.path_.get(stage, [])
            values = [by_hand(stage, model, X, y, weights, ridge) for model in path]
            assert stage == "experts" or len(path) == len(history)
            np.testing.assert_allclose(values, history if path else [], atol=1e-10)
        assert fit.path_["refine"][-1] is fit.model_
        last = by_hand("refine", fit.model_, X, y, weights, ridge)
        assert fit.history_["refine"][-1] == pytest.approx(last, abs=1e-10)
        steps = {stage: len(history) - 1 for stage, history in fit.history_.items()}
        assert fit.n_iter_ == sum(steps[stage] for stage in steps if stage != "experts")


def l4(T, V, mu=0.5):
    """The loss L4 of unit rows, entry by entry."""
    k, total = len(V), 0.0
    for i in range(k):
        for j in range(k):
            value = np.einsum("abcd,a,b,c,d->", T, V[i], V[i], V[j], V[j])
            total += -mu * value if i == j else value
    return total


def test_the_first_stage_ends_at_minus_its_loss(data):
    """L4 by sums over its definition; for stochastic gradients on the tensor they do not form."""
    exact = fitted(data, "two-loss").expert_fit_
    loss = l4(exact.tensor, exact.directions)
    assert exact.history[-1] == -exact.loss == pytest.approx(-loss, abs=1e-10)
    noisy = fitted(data, "l4-sgd").expert_fit_
    assert noisy.history[-1] == -noisy.loss
    assert noisy.history[-1] == pytest.approx(-l4(exact.tensor, noisy.directions), abs=0.1)


def test_the_spectral_stage_counts_the_eigenvalues_found(data):
    """T[v, v, v] of each direction, less what those before it have taken away."""
    fit = fitted(data, "spectral").expert_fit_
    values: list = []
    for m, v in enumerate(fit.directions):
        value = np.einsum("abc,a,b,c->", fit.tensor, v, v, v)
        taken = [s * (u @ v) ** 3 for s, u in zip(values, fit.directions[:m], strict=True)]
        values.append(value - sum(taken))
    np.testing.assert_allclose(fit.history, np.cumsum(values), atol=1e-10)
