"""The certificate: means that a fit foretells, their covariance, its level, and what it refuses."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    MixtureOfExperts,
    maximum_likelihood,
    standard_model,
)
from moelib.estimator import certificate
from moelib.estimator.certificate import WORDS, Certificate, certificate_from_sample, certificate_of
from moelib.estimator.conditional_tests import chi_squared, holm, judged, orthogonal
from moelib.estimator.moment_functions import CUT, mean_of_cut_he4, moment_functions, whitening
from moelib.estimator.twins import with_twin
from moelib.likelihood.score import scores
from moelib.validation import as_sample

WIDE = FreeParameters(intercepts=True, noise="per-expert")


def uneven(link="tanh"):
    """Three experts of very different noise, with intercepts."""
    A, W = [[1.0, 0.5, 0], [-0.5, 1, 0.8], [0.2, 0.2, 2]], [[1.5, -1, 0.5], [0, 1, 0]]
    return GatedModel(A, W, [0.05, 0.8, 0.3], link, [1.0, -1, 0], [0.3, 0.2])


def skewed(model, n, seed):
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(n, model.n_features))
    return X, model.sample_labels(X, rng)[0]


def joined(model):
    """The truth with two experts in one: where a fit of too few experts may start."""
    A, W = model.experts, np.vstack([model.gates, np.zeros(model.n_features)])
    A, W = np.vstack([(A[0] + A[1]) / 2, A[2:]]), np.vstack([(W[0] + W[1]) / 2, W[2:]])
    return GatedModel(A, (W - W[-1])[:-1], 0.5, model.link)


@pytest.mark.parametrize("link", ["identity", "relu", "tanh"])
def test_functions_have_conditional_mean_zero(link):
    """By a fine grid of labels; to the error of the trapezoidal rule at a kink."""
    model = uneven(link)
    X, y = skewed(model, 30, seed=0)
    functions = moment_functions(model, as_sample(X, y))
    grid = np.linspace(-12, 12, 120_001) + y.mean()
    for row in range(3):
        at = np.full(len(grid), row)
        here = np.repeat(X[[row]], len(grid), axis=0)
        h = functions.values(grid, model.posterior(here, grid), at)
        density = np.exp(model.log_density(here, grid))[:, None]
        mean = np.trapezoid(h * density, grid, axis=0)
        size = np.sqrt(np.trapezoid(h**2 * density, grid, axis=0))
        assert np.all(np.abs(mean) < 1e-3 * np.maximum(size, 1e-3))
        assert size.max() > 0.1


def test_mean_of_a_cut_polynomial():
    def cut(t):
        t = np.clip(t, -CUT, CUT)
        return (t**4 - 6 * t**2 + 3) * norm.pdf(t if abs(t) < CUT else CUT)

    inside = quad(cut, -CUT, CUT)[0]
    beyond = 2 * norm.sf(CUT) * (CUT**4 - 6 * CUT**2 + 3)
    np.testing.assert_allclose(mean_of_cut_he4(), inside + beyond, atol=1e-6)


def test_means_and_covariance_by_regression_on_the_scores(standard):
    """Sigma is the second moment of what a regression of h on the scores leaves."""
    model, X, y = standard(400, d=4, n_experts=2, noise=0.4)
    functions, rng = moment_functions(model, as_sample(X, y)), np.random.default_rng(1)
    h, s = [], []
    for _ in range(5):
        label = model.sample_labels(X, rng)[0]
        h.append(functions.values(label, model.posterior(X, label)))
        s.append(scores(model, X, label))
    H, S = np.vstack(h), np.vstack(s)
    weights, *_ = np.linalg.lstsq(S, H, rcond=None)
    left, size = H - S @ weights, np.sqrt(np.mean(H**2, axis=0))
    size[size == 0] = 1
    both = np.hstack([H, S])
    here = np.hstack([functions.values(y, model.posterior(X, y)), scores(model, X, y)])
    m = len(functions)
    shifted, covariance, distance = orthogonal(here.mean(axis=0), both.T @ both / len(H), m)
    expected = (here[:, :m] - here[:, m:] @ weights).mean(axis=0) / size
    np.testing.assert_allclose(shifted, expected, atol=1e-9)
    np.testing.assert_allclose(covariance, left.T @ left / len(H) / np.outer(size, size), atol=1e-9)
    mean = here[:, m:].mean(axis=0)
    J = S.T @ S / len(S)
    np.testing.assert_allclose(distance, mean @ np.linalg.solve(J, mean), rtol=1e-8)


def test_a_small_error_of_the_estimate_changes_little(standard):
    """Moved by a standard error, raw means move by their own errors, the shifted ones hardly."""
    model, X, y = standard(20_000, d=4, n_experts=2, noise=0.4)
    free, n = FreeParameters(), len(y)
    rng = np.random.default_rng(0)

    def means(one):
        functions = moment_functions(one, as_sample(X, y))
        label = one.sample_labels(X, np.random.default_rng(1))[0]
        grams = []
        for labels in (y, label):
            h = functions.values(labels, one.posterior(X, labels))
            both = np.hstack([h, scores(one, X, labels)])
            grams.append((both.mean(axis=0), both.T @ both / n))
        size = np.sqrt(np.diag(grams[1][1])[: len(functions)])
        raw = grams[0][0][: len(functions)] / np.where(size > 0, size, 1)
        return raw, orthogonal(grams[0][0], grams[1][1], len(functions))[0]

    raw, shifted = means(model)
    J = scores(model, X, y).T @ scores(model, X, y) / n
    moves = []
    for _ in range(5):
        step = rng.multivariate_normal(np.zeros(len(J)), np.linalg.inv(J) / n)
        other = means(free.moved(model, step))
        moves.append([np.linalg.norm(other[0] - raw), np.linalg.norm(other[1] - shifted)])
    raw_move, shifted_move = np.mean(moves, axis=0) * np.sqrt(n)
    assert raw_move > 0.5 and shifted_move < 0.3 * raw_move


def test_level_on_skewed_inputs_with_a_noise_for_each():
    """One hundred right fits at a level of 5 %: at most 14 refusals, and some small p-values.

    Of 100 at a true level of 6 % more than 14 come in less than one case in a thousand.
    """
    truth = GatedModel([[1.0, 0.5], [-0.5, 1]], [[1.5, -1.0]], [0.3, 0.8], "identity", [1.0, -1])
    p_values = []
    for seed in range(100):
        X, y = skewed(truth, 500, seed)
        fit = maximum_likelihood(X, y, truth, free=WIDE).model
        found, _ = certificate_from_sample(fit, as_sample(X, y), WIDE, np.random.default_rng(seed))
        p_values.append(found.table["p_value"])
    parts = pd.DataFrame(p_values)
    assert (4 * parts.min(axis=1) < 0.05).sum() <= 14
    assert parts.mean().between(0.35, 0.65).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_missing_expert_is_seen_and_a_copy_is_not(standard, seed):
    model, X, y = standard(1500, seed=seed, d=5, n_experts=3, noise=0.1)
    rng = np.random.default_rng(seed)
    fit = maximum_likelihood(X, y, joined(model)).model
    missing = certificate_of(fit, X, y, rng)
    assert missing.p_value < 1e-6 and not missing.agrees
    assert "two regimes" in str(missing)
    free = FreeParameters(intercepts=True)
    for one in (model, with_twin(model, 0)):
        assert certificate_of(one, X, y, rng, free=free).p_value > 1e-4


def test_functions_of_a_split_are_its_second_derivative():
    """Expert i doubled, the copies moved apart by t u: r_i (e_i^2 - 1) <u, x>^2 / sigma_i^2."""
    model = uneven("identity")
    X, y = skewed(model, 50, seed=1)
    u, i, t = np.array([0.3, -1.0, 0.5]), 1, 1e-3
    split = with_twin(model, i)
    twins = np.flatnonzero(np.all(split.experts == model.experts[i], axis=1))
    assert len(twins) == 2
    apart = split.experts.copy()
    apart[twins] += t * np.array([[1.0], [-1.0]]) * u
    gain = replace(split, experts=apart).log_density(X, y) - model.log_density(X, y)
    e = (y - model.expert_means(X)[:, i]) / model.noises[i]
    second = model.posterior(X, y)[:, i] * (e**2 - 1) * (X @ u) ** 2 / model.noises[i] ** 2
    np.testing.assert_allclose(2 * gain / t**2, second, atol=1e-3 * np.abs(second).max())


def test_units_and_offsets_change_nothing():
    truth = GatedModel([[1.0, 0.5], [-0.5, 1]], [[1.5, -1.0]], [0.3, 0.8], "identity", [1.0, -1])
    X, y = skewed(truth, 600, seed=2)
    fit = MixtureOfExperts(2, n_init=3, random_state=0).fit(X, y)
    here = fit.certify(X, y, random_state=0)
    far, labels = X * [100.0, 0.01] + [2000.0, -3.0], 50 * y - 7
    other = MixtureOfExperts(2, n_init=3, random_state=0).fit(far, labels)
    there = other.certify(far, labels, random_state=0)
    np.testing.assert_allclose(there.table["statistic"], here.table["statistic"], rtol=0.01)


def test_the_numbers_of_the_experts_change_nothing(standard):
    """But for the draws: 300 a sample move a statistic by 3 %."""
    _, X, y = standard(500, d=4, n_experts=2, noise=0.4)
    fit = MixtureOfExperts(2, n_init=3, random_state=0).fit(X, y)
    one = fit.certify(X, y, random_state=0, n_draws=300)
    two = fit.relabel([1, 0]).certify(X, y, random_state=1, n_draws=300)
    assert one.table["df"].equals(two.table["df"])
    np.testing.assert_allclose(two.table["statistic"], one.table["statistic"], rtol=0.25)
    z = two.functions.set_index("expert").loc[[2, 1], "z"].to_numpy()
    old = one.functions.set_index("expert").loc[[1, 2], "z"].to_numpy()
    np.testing.assert_allclose(np.delete(z, [4, 7]), np.delete(old, [4, 7]), atol=0.3)


def test_a_weight_of_two_is_two_samples(standard):
    model, X, y = standard(600, d=4, n_experts=2, noise=0.4)
    rng, counts = np.random.default_rng(0), np.repeat([2, 1, 0], 200)
    fit = maximum_likelihood(X, y, model, sample_weight=counts).model
    light = certificate_of(fit, X, y, rng, sample_weight=counts, n_draws=300)
    rows = np.repeat(np.arange(600), counts)
    heavy = certificate_of(fit, X[rows], y[rows], rng, n_draws=300)
    assert light.n_samples == heavy.n_samples == 600
    np.testing.assert_allclose(light.table["statistic"], heavy.table["statistic"], rtol=0.25)


def test_the_method_reads_frames_and_keeps_its_seed(standard):
    model, X, y = standard(500, d=3, n_experts=2, noise=0.4)
    frame = pd.DataFrame(X, columns=list("abc"))
    fit = MixtureOfExperts(2, n_init=2, random_state=0).fit(frame, y)
    first, again = (fit.certify(frame, y, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    rng = np.random.default_rng(3)
    plain = certificate_of(fit.model_, X, y, rng, free=fit.free_)
    np.testing.assert_allclose(plain.table["statistic"], first.table["statistic"], rtol=1e-6)
    assert "Nothing speaks against" in str(first) or "do not follow" in str(first)


def test_one_expert_has_no_gate(standard):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 2))
    line = X @ [1.0, 2.0] + rng.standard_normal(500)
    fit = MixtureOfExperts(1).fit(X, line)
    table = fit.certify(X, line, random_state=0).table
    assert "gates" not in table.index and fit.certify(X, line, random_state=0).p_value > 1e-3
    two = np.where(rng.random(500) < 0.5, line, line - 8 * X[:, 0])
    assert MixtureOfExperts(1).fit(X, two).certify(X, two, random_state=0).p_value < 1e-4


def test_few_samples_are_scaled_by_what_refits_say_and_many_are_not(standard):
    """Right fits with four samples a parameter: statistics are above their degrees of freedom.

    Of 120 such data sets the mean factor is 1.12; the mean of twelve is above 1.02.
    """
    factors = []
    for seed in range(12):
        model, X, y = standard(60, seed=seed, d=4, n_experts=2, noise=0.3)
        fit = maximum_likelihood(X, y, model).model
        found = certificate_of(fit, X, y, np.random.default_rng(seed))
        factors.append(found.factor)
    assert min(factors) >= 1 and np.mean(factors) > 1.02
    model, X, y = standard(1400, d=4, n_experts=2, noise=0.3)
    assert certificate_of(model, X, y, np.random.default_rng(0)).factor == 1


def test_one_factor_divides_all_statistics(monkeypatch, standard):
    model, X, y = standard(300, d=4, n_experts=2, noise=0.4)
    tables = []
    for factor in (1.0, 4.0):
        monkeypatch.setattr(certificate, "_factor", lambda *a, f=factor: f)
        tables.append(certificate_of(model, X, y, np.random.default_rng(0)))
    plain, scaled = tables
    np.testing.assert_allclose(scaled.table["statistic"], plain.table["statistic"] / 4)
    np.testing.assert_allclose(scaled.functions["z"], plain.functions["z"] / 2)
    assert scaled.factor == 4 and scaled.table["df"].equals(plain.table["df"])


def test_the_fit_is_the_truth_of_its_refits(monkeypatch, standard):
    """Without an error of the estimate, and with many samples, the factor is near one."""
    model, X, y = standard(2000, d=4, n_experts=2, noise=0.4)
    data, rng = as_sample(X, y), np.random.default_rng(0)
    monkeypatch.setattr(certificate, "REFITS", 20)
    assert 1 <= certificate._factor(model, data, FreeParameters(), rng, 10) < 1.3


def test_refusals(standard):
    model, X, y = standard(500, d=5, n_experts=2)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="too few for a certificate: this fit has 33"):
        certificate_of(model, X[:30], y[:30], rng)
    flat = replace(model, noise=1e-9)
    with pytest.raises(ValueError, match="noise of expert 1 has collapsed"):
        certificate_of(flat, X, y, rng)
    with pytest.raises(ValueError, match="without trim"):
        MixtureOfExperts(2, trim=0.1, n_init=1, random_state=0).fit(X, y).certify(X, y)
    with pytest.raises(ValueError, match="level"):
        certificate_of(model, X, y, rng, level=1.5)
    with pytest.raises(ValueError, match="n_draws"):
        certificate_of(model, X, y, rng, n_draws=0)


def test_warnings(standard):
    model, X, y = standard(500, d=5, n_experts=2)
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate_of(model, X, y, rng)
    with pytest.warns(AssumptionWarning, match="far from a maximum"):
        certificate_of(replace(model, noise=0.1), X, y, rng)
    few = standard(90, d=10, n_experts=3)
    with pytest.warns(AssumptionWarning, match="fewer than 2 for each"):
        certificate_of(*few, rng)
    with pytest.warns(AssumptionWarning, match="whole number"):
        certificate_of(model, X, y, rng, sample_weight=np.full(500, 1.0001))


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.09, 0.09, 0.5])
    np.testing.assert_allclose(holm(np.array([0.4, 0.9])), [0.8, 0.9])


@pytest.mark.parametrize("nearly_none", [1e-9, 0.005])
def test_a_direction_with_hardly_any_variance_is_left_out(nearly_none):
    covariance = np.diag([1.0, nearly_none, 0.25])
    statistic, df = chi_squared(np.array([1.0, 5.0, 1.0]), covariance)
    assert df == 2 and np.isclose(statistic, 1 + 4)
    parts = pd.Series(["one", "one", "two"])
    table = judged(np.array([0.2, 5.0, 0.1]), covariance, parts, 100)
    np.testing.assert_allclose(table["statistic"], [4.0, 4.0])
    assert table["df"].tolist() == [1, 1]
    assert np.allclose(table["adjusted"], 2 * table["p_value"].min())


def test_whitened_inputs_are_uncorrelated_also_with_weights_and_a_constant_column():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.exponential(size=(200, 3)) @ rng.standard_normal((3, 3)), np.ones(200)]
    )
    sample = as_sample(X, X[:, 0], rng.integers(1, 4, 200))
    Z = (X - sample.mean(X)) @ whitening(sample)
    assert Z.shape == (200, 3)
    np.testing.assert_allclose((sample.weights[:, None] * Z).T @ Z / 200, np.eye(3), atol=1e-9)


def test_every_function_has_words(standard):
    model, X, y = standard(500, d=5, n_experts=2)
    functions = moment_functions(model, as_sample(X, y)).names
    table = pd.DataFrame({"p_value": [1e-9], "adjusted": [1e-9]}, index=["gates"])
    assert set(functions["function"]) == set(WORDS)
    for i in range(len(functions)):
        z = np.zeros(len(functions))
        z[i] = 9
        part = pd.DataFrame(table).set_axis([functions["part"][i]])
        said = str(Certificate(part, functions.assign(z=z), 500, 3, 0.05))
        assert said.startswith("The labels do not follow this fit (p = 1e-09): ")
        assert f" {functions['expert'][i]}" in said or functions["expert"][i] == 0


def test_standard_model_has_the_degrees_of_freedom_of_its_design():
    """k + 1 and k; gates: 2 k along less the last, k - 1 lengths; experts: 3 k less the noise."""
    for k in (2, 3):
        model = standard_model(8, k, 0.3)
        X, y = model.sample(1500, np.random.default_rng(k))
        found = certificate_of(model, X, y, np.random.default_rng(0))
        assert found.table["df"].tolist() == [k + 1, k, 3 * k - 2, 3 * k - 1]
