"""The first loss at work: experts, their signs, batches, options."""

import inspect

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    learn_experts,
    learn_experts_from_batches,
    learn_experts_sgd,
    learn_experts_spectral,
    regressor_error,
    standard_model,
)
from moelib.experts import learn
from moelib.experts.l4 import minimize_l4_gradient, random_unit_rows, tensor_l4
from moelib.experts.moments import Moments
from moelib.experts.orthonormal import largest_overlap
from moelib.experts.reduction import reduce_batches, reduce_checked
from moelib.model import GatedModel
from moelib.validation import as_sample


@pytest.mark.parametrize("link, n", [("identity", 30_000), ("tanh", 100_000), ("relu", 600_000)])
def test_experts_and_signs_are_found(link, n):
    model = standard_model(d=6, n_experts=3, noise=0.1, link=link)
    rng = np.random.default_rng(0)
    fit = learn_experts(*model.sample(n, rng), 3, rng, link=link)
    assert regressor_error(fit.experts, model.experts) < 0.05
    nearest = fit.experts @ model.experts.T
    assert np.all(nearest.max(axis=1) > 0.9)  # signs too: cosines, not their size


def test_an_even_link_is_learned_up_to_sign():
    model = GatedModel(np.eye(5)[:2], [[0, 0, 1.0, 0, 0]], 0.1, np.square)
    rng = np.random.default_rng(0)
    X, y = model.sample(400_000, rng)
    fit = learn_experts(X, y, 2, rng, link=np.square, noise=0.1)
    assert regressor_error(fit.experts, model.experts) < 0.05


def test_label_units_do_not_matter_for_the_linear_link(standard):
    _, X, y = standard(5000, d=6)
    one = learn_experts(X, y, 3, np.random.default_rng(1))
    other = learn_experts(X, 1000 * y, 3, np.random.default_rng(1))
    np.testing.assert_allclose(one.experts, other.experts, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_batches_give_what_the_whole_gives(standard, weighted):
    _, X, y = standard(5000, d=6)
    weights = np.random.default_rng(2).integers(0, 3, 5000).astype(float) if weighted else None
    whole = learn_experts(X, y, 3, np.random.default_rng(1), sample_weight=weights)
    parts = (X, y, weights) if weighted else (X, y)
    cuts = [[part[i : i + 700] for part in parts] for i in range(0, 5000, 700)]
    found = learn_experts_from_batches(lambda: iter(cuts), 3, np.random.default_rng(1))
    np.testing.assert_allclose(found.experts, whole.experts, atol=1e-6)
    np.testing.assert_allclose(found.second_moment, whole.second_moment, atol=1e-10)


def test_one_call_reads_the_data_once(standard, monkeypatch):
    """Whether entries are finite is asked once of X and once of y, whatever the passes."""
    asked = []
    isfinite = np.isfinite
    monkeypatch.setattr(np, "isfinite", lambda a: asked.append(np.shape(a)) or isfinite(a))
    _, X, y = standard(5000, d=6)
    asked.clear()
    learn_experts(X, y, 3, np.random.default_rng(0), link="tanh", truncate=10.0, n_blocks=2)
    assert asked.count((5000, 6)) == asked.count((5000,)) == 1


def test_a_sample_goes_in_by_the_inner_door(standard):
    _, X, y = standard(3000, d=6)
    weights = np.random.default_rng(2).uniform(0, 2, 3000)
    options = dict(link="tanh", mu=0.7, n_init=2)
    one = learn_experts(X, y, 3, np.random.default_rng(1), sample_weight=weights, **options)
    sample, rng = as_sample(X, y, weights), np.random.default_rng(1)
    other = learn.experts_from_sample(sample, 3, rng, **options)
    np.testing.assert_array_equal(one.experts, other.experts)


def test_all_doors_have_the_same_defaults():
    shown = inspect.signature(learn_experts).parameters
    for inner in (learn._learn, reduce_checked):
        for name, parameter in inspect.signature(inner).parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                assert shown[name].default == parameter.default, name


def test_options_reach_the_moments(standard):
    _, X, y = standard(6000, d=6, n_experts=2)
    fits = [
        learn_experts(X, y, 2, np.random.default_rng(0), **options)
        for options in ({}, dict(n_blocks=8), dict(control=True), dict(truncate=3.0))
    ]
    transforms, basis = fits[1].reduction.transforms, fits[1].reduction.basis
    scale = fits[1].reduction.scale
    second = Moments(transforms, fourth=False, n_blocks=8).update(X, y / scale).second_moment
    np.testing.assert_allclose(fits[1].second_moment, second)
    assert not np.allclose(fits[0].second_moment, second)
    np.testing.assert_array_equal(fits[0].second_moment, fits[2].second_moment)
    T = Moments(transforms, fits[2].basis, control=True).update(X, y / scale).fourth_moment
    values = np.einsum("abcd,ia,ib,ic,id->i", T, *[fits[2].reduction.frame @ fits[2].basis] * 4)
    np.testing.assert_allclose(np.diag(fits[2].tensor.reshape(4, 4))[[0, 3]], values, rtol=1e-8)
    assert basis.shape == (6, 2)
    cut = Moments(transforms, fourth=False, truncate=3.0).update(X, y / scale).second_moment
    np.testing.assert_allclose(fits[3].second_moment, cut)


def test_the_fit_keeps_every_start_and_the_best_of_them(standard):
    _, X, y = standard(3000, d=7, n_experts=4, noise=0.5)
    fit = learn_experts(X, y, 4, np.random.default_rng(1), solver="gradient", mu=0.9, n_init=6)
    rng = np.random.default_rng(1)
    runs = [minimize_l4_gradient(fit.tensor, random_unit_rows(4, rng), 0.9) for _ in range(6)]
    np.testing.assert_array_equal(fit.starts, [V for V, _ in runs])
    np.testing.assert_array_equal(fit.losses, [losses[-1] for _, losses in runs])
    assert fit.loss == pytest.approx(min(fit.losses), rel=1e-6)
    assert fit.history[-1] == -fit.loss and np.all(np.diff(fit.history) >= 0)
    best = int(np.flatnonzero(fit.losses == fit.loss)[0])
    np.testing.assert_array_equal(fit.directions, fit.starts[best])
    assert np.all(fit.losses[:best] > fit.loss + 1e-6 * abs(fit.loss))


def test_of_runs_that_end_equally_low_the_first_counts(standard):
    _, X, y = standard(3000, d=6)
    reduction = reduce_batches(lambda: [(X, y)], 3)
    runs = [
        (np.roll(np.eye(3), i, axis=0), [0.0, end]) for i, end in enumerate((-1, -3 + 1e-9, -3))
    ]
    fit = learn.expert_fit(reduction, None, runs)
    np.testing.assert_array_equal(fit.directions, runs[1][0])
    assert fit.loss == -3 + 1e-9 and fit.history == [0, 3 - 1e-9]
    np.testing.assert_array_equal(np.abs(fit.experts), np.abs(reduction.experts(runs[1][0])))


def test_a_warning_names_the_caller(standard):
    _, X, y = standard(300)
    with pytest.warns(AssumptionWarning, match="eigenvalues that stand out") as heard:
        learn_experts(X, y, 5, np.random.default_rng(0), solver="orthonormal")
    assert heard[0].filename == __file__


def test_orthonormal_rows_find_the_experts_whatever_the_weight(standard):
    model, X, y = standard(20_000, d=6)
    fit, other = (
        learn_experts(X, y, 3, np.random.default_rng(1), solver="orthonormal", mu=mu, n_init=2)
        for mu in (0.1, 0.9)
    )
    assert regressor_error(fit.experts, model.experts) < 0.05
    np.testing.assert_allclose(fit.directions @ fit.directions.T, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(fit.starts, other.starts)
    assert fit.loss == pytest.approx(tensor_l4(fit.tensor, fit.directions, 0.1)[0])
    parts = [(X[:7000], y[:7000]), (X[7000:], y[7000:])]
    found = learn_experts_from_batches(
        lambda: iter(parts), 3, np.random.default_rng(1), solver="orthonormal", n_init=2
    )
    np.testing.assert_allclose(found.experts, fit.experts, atol=1e-6)


RELU = standard_model(15, 8, noise=0.05, link="relu")
RELU_OPTIONS = dict(link="relu", transforms="in-span")


def test_a_lower_loss_does_not_win_with_coinciding_rows():
    """ReLU, k = 8, d = 15, n = 40,000: two of five starts go to one direction, below the rest."""
    X, y = RELU.sample(40_000, np.random.default_rng(1))
    fit = learn_experts(X, y, 8, np.random.default_rng(1), **RELU_OPTIONS)
    overlaps = np.array([largest_overlap(V) for V in fit.starts])
    assert largest_overlap(fit.starts[np.argmin(fit.losses)]) > 0.99
    assert largest_overlap(fit.directions) < 0.5
    assert fit.loss > fit.losses.min() + 1
    assert fit.loss == pytest.approx(fit.losses[overlaps < 0.8].min(), rel=1e-6)
    assert regressor_error(fit.experts, RELU.experts) < 0.2


def test_rows_that_coincide_from_every_start_bring_a_warning_and_a_way_out():
    """Another data set of the same model: all five starts collapse; orthonormal rows do not."""
    X, y = RELU.sample(40_000, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="more samples .* solver='orthonormal'") as heard:
        fit = learn_experts(X, y, 8, np.random.default_rng(1), **RELU_OPTIONS)
    assert heard[0].filename == __file__
    assert regressor_error(fit.experts, RELU.experts) > 0.5
    more = dict(RELU_OPTIONS, solver="orthonormal")
    fit = learn_experts(X, y, 8, np.random.default_rng(1), **more)
    assert regressor_error(fit.experts, RELU.experts) < 0.1


@pytest.mark.slow
def test_orthonormal_rows_find_sixteen_relu_experts_where_others_find_none():
    """d = 32, n = 300,000: the lowest of five starts over unit rows is one direction 16 times."""
    model = standard_model(32, 16, noise=0.05, link="relu")
    X, y = model.sample(300_000, np.random.default_rng(0))
    fit = learn_experts(X, y, 16, np.random.default_rng(1), solver="orthonormal", **RELU_OPTIONS)
    assert regressor_error(fit.experts, model.experts) < 0.06
    with pytest.warns(ConvergenceWarning, match="coinciding rows from every start"):
        fit = learn_experts(X, y, 16, np.random.default_rng(1), **RELU_OPTIONS)
    assert regressor_error(fit.experts, model.experts) > 0.5


def test_bad_arguments_are_refused(standard):
    _, X, y = standard(100)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="features .10.*expectation_maximization, or MixtureOfEx"):
        learn_experts(X, y, 11, rng)
    with pytest.raises(ValueError, match="mu must be a number strictly between 0 and 1, got 1"):
        learn_experts(X, y, 3, rng, mu=1)
    with pytest.raises(ValueError, match="solver must be one of"):
        learn_experts(X, y, 3, rng, solver="newton")
    with pytest.raises(ValueError, match="non-zero label"):
        learn_experts(X, 0 * y, 3, rng)
    with pytest.raises(ValueError, match="y must have length 100, got 99"):
        learn_experts_from_batches(lambda: [(X, y[1:])], 3, rng)
    with pytest.raises(ValueError, match="X must have 10 columns"):
        learn_experts_from_batches(lambda: [(X, y), (X[:, 1:], y)], 3, rng)


@pytest.mark.slow
@pytest.mark.parametrize("link, at_least", [("identity", 1.5), ("leaky_relu", 5.0), ("tanh", 1.0)])
def test_optimal_transforms_lower_the_error(link, at_least):
    """Same data, same starts, k = 4: by how much the median error falls."""
    model = standard_model(8, 4, link=link)
    errors = {"polynomial": [], "optimal": []}
    for seed in range(8):
        X, y = model.sample(60_000, np.random.default_rng(seed))
        for kind, values in errors.items():
            fit = learn_experts(X, y, 4, np.random.default_rng(0), link=link, transforms=kind)
            values.append(regressor_error(fit.experts, model.experts))
    assert np.median(errors["polynomial"]) > at_least * np.median(errors["optimal"])


@pytest.mark.slow
def test_transforms_for_the_span_learn_relu_experts():
    """n = 60,000, k = 4: the polynomial finds the ReLU experts of no data set, in-span of all."""
    model = standard_model(8, 4, link="relu")
    errors = {"polynomial": [], "in-span": []}
    for seed in range(8):
        X, y = model.sample(60_000, np.random.default_rng(seed))
        for kind, values in errors.items():
            fit = learn_experts(X, y, 4, np.random.default_rng(0), link="relu", transforms=kind)
            values.append(regressor_error(fit.experts, model.experts))
    assert max(errors["in-span"]) < 0.05
    assert np.median(errors["polynomial"]) > 0.2


@pytest.mark.slow
def test_ten_experts_from_a_million_samples_in_little_memory():
    """E_reg < 0.02 from each of 5 random starts; < 1.5 GB beyond the data."""
    import tracemalloc

    model = standard_model(d=20, n_experts=10)
    rng = np.random.default_rng(0)
    X, y = model.sample(1_000_000, rng)
    tracemalloc.start()
    fit = learn_experts(X, y, 10, rng, n_init=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for V in fit.starts:
        experts = (V * np.sqrt(fit.eigenvalues)) @ fit.basis.T
        assert regressor_error(experts, model.experts) < 0.02
    assert peak < 1.5e9


@pytest.mark.parametrize(
    "learn_one",
    [
        learn_experts,
        lambda *of: learn_experts(*of, solver="gradient"),
        lambda *of: learn_experts(*of, solver="orthonormal"),
        lambda *of: learn_experts_spectral(*of, order=3),
        lambda *of: learn_experts_spectral(*of, order=4),
        lambda X, y, k, rng: learn_experts_sgd(lambda: [(X, y)], k, rng),
    ],
)
def test_one_expert_is_the_top_eigenvector(learn_one):
    """Of the mean of y^2 (x x' - I), labels scaled to mean square one, with the sign of E[y x]."""
    model = GatedModel([[0.6, -0.8, 0.0]], np.zeros((0, 3)), 0.3)
    X, y = model.sample(3000, np.random.default_rng(0))
    q = y**2 - np.mean(y**2)
    values, vectors = np.linalg.eigh((X * q[:, None]).T @ X / len(y))
    expected = vectors[:, -1] * np.sign(vectors[:, -1] @ (X.T @ (y - y.mean())))
    found = learn_one(X, y, 1, np.random.default_rng(1)).experts
    np.testing.assert_allclose(found, expected[None], atol=1e-9)
    assert found[0] @ model.experts[0] > 0.99
