"""Units: out and back, the same law in both, and fits that do not depend on them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    FreeParameters,
    GatedModel,
    expectation_maximization,
    find_degeneracies,
    gradient_em,
    joint_likelihood,
    joint_likelihood_sgd,
    least_squares,
    least_squares_sgd,
    make_start,
    maximum_likelihood,
    scoring_step,
    standard_errors,
)
from moelib.likelihood import pruned_em, split_merge_em
from moelib.likelihood.em import em_from_sample, penalised
from moelib.links import as_link
from moelib.units import Units, in_units
from moelib.validation import as_sample

LINKS = ["identity", "relu", "leaky_relu", "tanh", "sigmoid"]
KINDS = ("observed", "robust")  # of standard errors
CHOICES = [
    FreeParameters(),
    FreeParameters(intercepts=True),
    FreeParameters(noise="per-expert", gate_ridge=0.3),
    FreeParameters(intercepts=True, noise="per-expert", gate_ridge=(0.2, 0.0, 1.0)),
    FreeParameters(intercepts=True, noise=False, gate_slopes=False),
    FreeParameters(True, "per-expert", expert_features=(0, 2), gate_features=(1,), gate_ridge=0.1),
]


def problem(seed, free=FreeParameters(intercepts=True), link="identity", *, k=3, n=60, far=3):
    """A model of what ``free`` learns, and a weighted sample with odd scales and offsets."""
    rng = np.random.default_rng(seed)
    model = GatedModel(
        rng.standard_normal((k, 3)),
        rng.standard_normal((k - 1, 3)) * free.gate_slopes,
        rng.uniform(0.3, 1, k) if free.noise_per_expert else 0.5,
        link,
        rng.standard_normal(k) * free.intercepts,
        rng.standard_normal(k - 1) * free.gate_intercepts,
    )
    scale = 10.0 ** rng.uniform(-far, far, 3)
    X = scale * (rng.standard_normal((n, 3)) + 10.0 ** rng.uniform(0, 1, 3))
    y = 10.0 ** rng.uniform(-1, 1) * (rng.standard_normal(n) + 5)
    return free.restricted(model), as_sample(X, y, rng.integers(0, 4, n))


def same_model(one, other, rtol=1e-9):
    for name in ("experts", "gates", "noise", "expert_intercepts", "gate_intercepts"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(initial=0))


# --- what the units are ---------------------------------------------------------------------------


def test_units_are_weighted_means_and_deviations():
    _, sample = problem(0)
    units = Units.of(sample, FreeParameters(intercepts=True), as_link("identity"))
    counts = np.round(sample.weights * sample.total / len(sample)).astype(int)
    X, y = np.repeat(sample.X, counts, axis=0), np.repeat(sample.y, counts)
    np.testing.assert_allclose(units.centre, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(units.scale, X.std(axis=0), rtol=1e-12)
    assert units.label_centre == pytest.approx(y.mean(), rel=1e-12)
    assert units.label_scale == pytest.approx(y.std(), rel=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("intercepts", [False, True])
def test_nothing_moves_without_an_intercept_or_that_a_link_does_not_pass_on(link, intercepts):
    _, sample = problem(1)
    sample = replace(sample, y=100 * sample.y)
    units = Units.of(sample, FreeParameters(intercepts=intercepts), as_link(link))
    assert np.any(units.centre) == intercepts
    assert bool(units.label_centre) == (intercepts and link == "identity")
    assert (units.label_scale != 1) == (link not in ("tanh", "sigmoid"))
    if not intercepts:  # powers of two, with what is left between a half and two
        np.testing.assert_array_equal(np.log2(units.scale) % 1, 0)
        left = np.sqrt(sample.mean(units.inputs(sample.X) ** 2))
        assert np.all((left > 0.5) & (left < 2))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, 1e8 + 0.1, -7.7e9])
def test_a_constant_becomes_zero_exactly(constant):
    _, sample = problem(2)
    sample = replace(sample, X=np.column_stack([sample.X, np.full(60, constant)]))
    units = Units.of(sample, FreeParameters(intercepts=True), as_link("identity"))
    assert units.scale[3] == 1 and not np.any(units.inputs(sample.X)[:, 3])


def test_constant_labels_and_empty_columns_have_the_scale_one():
    sample = as_sample(np.zeros((5, 2)), np.full(5, 3.0))
    for free in CHOICES[:2]:
        for link in LINKS:
            units = Units.of(sample, free, as_link(link))
            np.testing.assert_array_equal(units.scale, 1)
            assert np.isfinite(units.label_scale) and units.label_scale > 0


# --- out and back ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(CHOICES), st.sampled_from(LINKS))
def test_a_model_goes_out_and_back_and_is_the_same_law(seed, free, link):
    """Gates, posterior and answers are the same; the density changes by the labels' scale."""
    model, sample = problem(seed, free, link)
    units = Units.of(sample, free, model.link)
    inner = units.sample(sample)
    outer = units.outward(model)
    same_model(units.inward(outer), model, rtol=1e-8)
    args = sample.X, sample.y
    np.testing.assert_allclose(
        outer.gate_probabilities(sample.X), model.gate_probabilities(inner.X), atol=1e-9
    )
    answers = units.label_centre + units.label_scale * model.expert_means(inner.X)
    np.testing.assert_allclose(outer.expert_means(sample.X), answers, rtol=1e-8, atol=1e-7)
    density = model.log_density(inner.X, inner.y) - np.log(units.label_scale)
    np.testing.assert_allclose(outer.log_density(*args), density, rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(CHOICES))
def test_what_is_learned_goes_out_and_back_with_its_penalty(seed, free):
    model, sample = problem(seed, free)
    units = Units.of(sample, free, model.link)
    inner_free = units.inward_free(free)
    np.testing.assert_allclose(
        np.broadcast_to(units.outward_free(inner_free).gate_ridge, 3),
        np.broadcast_to(free.gate_ridge, 3),
        rtol=1e-12,
    )
    nothing = np.zeros(len(sample))
    outside = penalised(nothing, units.outward(model), free)
    assert penalised(nothing, model, inner_free) == pytest.approx(outside, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(CHOICES))
def test_the_jacobian_is_that_of_the_way_back(seed, free):
    """Linear in all but the noises, whose logarithms are moved: differences are exact."""
    model, sample = problem(seed, free)
    units = Units.of(sample, free, model.link)
    start, jacobian = free.vector(units.outward(model)), units.jacobian(free, 3)
    for step, column in zip(np.eye(len(start)), jacobian.T):
        moved = free.vector(units.outward(free.moved(model, step)))
        atol = 1e-9 * (1 + np.abs(column).max() + np.abs(start).max())
        np.testing.assert_allclose(moved - start, column, rtol=1e-9, atol=atol)


def test_a_climb_comes_back_with_its_history(standard):
    """Of a likelihood by the logarithm of the scale, of a squared error by its square."""
    _, X, y = standard(200, d=4, n_experts=2, noise=0.3)
    X, y = 100 * X + 7, 20 * y - 300
    free = FreeParameters(intercepts=True, noise="per-expert", gate_ridge=1e-6)
    start = make_start(X, y, 2, np.random.default_rng(0), free=free)
    fit = expectation_maximization(X, y, start, free=free)
    assert fit.path[0] is start and fit.path[-1] is fit.model
    values = [penalised(model.log_density(X, y), model, free) for model in fit.path]
    np.testing.assert_allclose(fit.history, values, atol=1e-10)
    plain = FreeParameters(intercepts=True)
    descent = least_squares(X, y, start, free=plain)
    values = [-np.mean((y - model.mean(X)) ** 2) for model in descent.path]
    np.testing.assert_allclose(descent.history, values, rtol=1e-10)
    assert descent.model.noise == pytest.approx(np.sqrt(-descent.objective), rel=1e-9)


@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
def test_a_climb_that_stays_where_it_began_returns_its_start(standard):
    model, X, y = standard(200, d=4, n_experts=2)
    free = FreeParameters(intercepts=True)
    still = expectation_maximization(3 * X, y, model, free=free, max_iter=0)
    assert still.model is model and still.path == [model]


@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
@pytest.mark.parametrize("noise", [0.3, 1 / 7])
def test_a_known_noise_keeps_its_last_digit(standard, noise):
    _, X, y = standard(200, d=4, n_experts=2, noise=0.3)
    free = FreeParameters(intercepts=True, noise=False)
    start = make_start(X, 7 * y, 2, np.random.default_rng(0), free=free, noise=noise)
    for climb in (expectation_maximization, maximum_likelihood, gradient_em, split_merge_em):
        fit = climb(X, 7 * y, start, free=free, max_iter=20, tol=1e-2)
        assert {model.noise for model in fit.path} == {noise}


def test_one_noise_is_not_learned_from_several(standard):
    _, X, y = standard(100, d=4, n_experts=2)
    start = GatedModel(np.eye(4)[:2], np.zeros((1, 4)), [0.1, 0.2])
    for climb in (expectation_maximization, maximum_likelihood, joint_likelihood, gradient_em):
        with pytest.raises(ValueError, match="a noise for each expert: pass free=FreeParameters"):
            climb(X, y, start)
    with pytest.raises(ValueError, match="a noise for each expert: pass free=FreeParameters"):
        scoring_step(start, X, y)


def test_slopes_that_may_not_be_used_are_dropped_before_the_climb(standard):
    model, X, y = standard(300, d=4, n_experts=2, noise=0.3)
    free = FreeParameters(intercepts=True, expert_features=(0, 1), gate_features=(2,))
    fit = expectation_maximization(X, y, model, free=free)
    assert np.all(np.diff(fit.history) >= -1e-10)
    np.testing.assert_array_equal(fit.path[0].experts, model.experts * [1, 1, 0, 0])
    np.testing.assert_array_equal(fit.path[0].gates, model.gates * [0, 0, 1, 0])


# --- plain units: the algorithm in the coordinates of the data ------------------------------------


@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
@pytest.mark.parametrize("noise", [True, "per-expert", False])
@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_without_intercepts_inputs_of_unit_scale_are_left_as_they_are(standard, noise, link):
    """To the last bit: the climb in units is the climb on the data."""
    _, X, y = standard(500, d=6, link=link)
    free, sample = FreeParameters(noise=noise), as_sample(X, y)
    start = make_start(X, y, 3, np.random.default_rng(0), link=link)
    start = replace(start, noise=[1.0, 0.5, 0.7]) if noise == "per-expert" else start
    assert Units.of(sample, free, start.link).are_plain
    through = expectation_maximization(X, y, start, free=free, max_iter=200, tol=1e-9)
    direct = em_from_sample(sample, start, free=free, max_iter=200, tol=1e-9)
    assert through.history == direct.history
    for one, other in zip(through.path, direct.path, strict=True):
        for name in ("experts", "gates", "noise"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_em_in_plain_units_is_the_textbooks(standard):
    """Posterior, weighted least squares by another solver, noise, a Newton step on the gates."""
    from moelib.gates.loss import surrogate_step

    _, X, y = standard(500, d=6)
    model = make_start(X, y, 3, np.random.default_rng(0))
    fit = expectation_maximization(X, y, model, max_iter=25, tol=0)
    for climbed in fit.path:
        same_model(climbed, model, rtol=1e-8)
        r = model.posterior(X, y)
        gram = [(X * weight[:, None]).T @ X for weight in r.T]
        rows = [np.linalg.lstsq(G, X.T @ (w * y), rcond=1e-12)[0] for G, w in zip(gram, r.T)]
        noise = np.sqrt(np.mean(np.sum(r * (y[:, None] - X @ np.array(rows).T) ** 2, axis=1)))
        model = GatedModel(rows, surrogate_step(np.array(model.gates), X, r)[0], noise)
    assert len(fit.path) > 15


@pytest.mark.parametrize("power", [-20, 7, 40])
def test_without_intercepts_labels_may_come_in_other_units(standard, power):
    _, X, y = standard(300, d=6)
    start = make_start(X, y, 3, np.random.default_rng(0))
    fit = expectation_maximization(X, y, start, max_iter=50)
    scaled = replace(start, experts=start.experts * 2.0**power, noise=start.noise * 2.0**power)
    other = expectation_maximization(X, y * 2.0**power, scaled, max_iter=50)
    np.testing.assert_allclose(other.model.experts / 2.0**power, fit.model.experts, atol=1e-9)
    np.testing.assert_allclose(other.model.gates, fit.model.gates, atol=1e-9)
    shift = power * np.log(2)
    np.testing.assert_allclose(np.array(other.history) + shift, fit.history, atol=1e-12)


# --- fits do not depend on units and offsets ------------------------------------------------------


def two_sets(seed):
    """A data set of one to three regimes, and the same in other units, far from zero.

    Columns x -> a x + b and labels y -> c y + e: scales from 1e-8 to 1e8, offsets up to a million
    standard deviations.
    """
    rng = np.random.default_rng(seed)
    k, d, n = rng.integers(1, 4), rng.integers(1, 5), rng.integers(150, 600)
    X = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((n, 1))
    model = GatedModel(
        1.5 * rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        rng.uniform(0.2, 0.6, k),
        "identity",
        2 * rng.standard_normal(k),
        0.5 * rng.standard_normal(k - 1),
    )
    y, _ = model.sample_labels(X, rng)
    weights = rng.integers(0, 4, n) if rng.random() < 0.5 else None
    free = FreeParameters(intercepts=True, noise="per-expert" if rng.random() < 0.5 else True)
    a, c = 10.0 ** rng.uniform(-8, 8, d), 10.0 ** rng.uniform(-8, 8)
    b = a * 10.0 ** rng.uniform(-2, 6, d) * rng.choice([-1, 1], d)
    e = c * 10.0 ** rng.uniform(-2, 6) * rng.choice([-1, 1])
    options = dict(free=free, sample_weight=weights)
    return int(k), (X, y), (a * X + b, c * y + e), (a, c, e), options


@pytest.mark.parametrize("seed", range(20))
def test_fits_and_errors_do_not_depend_on_units(seed):
    """Likelihood, slopes, both kinds of errors and z, after transforming back, to 1e-6."""
    k, plain, moved, (a, c, e), options = two_sets(seed)
    fits = []
    for data in (plain, moved):
        start = make_start(*data, k, np.random.default_rng(seed), **options)
        em = expectation_maximization(*data, start, **options, max_iter=5000)
        best = maximum_likelihood(*data, em.model, **options)
        kinds = [standard_errors(best.model, *data, **options, errors=kind) for kind in KINDS]
        named = find_degeneracies(best.model, *data, **options, covariance=kinds[0].covariance)
        fits.append((em, best, kinds, named))
    (em, best, kinds, named), (em2, best2, kinds2, named2) = fits
    n_steps = min(len(em.history), len(em2.history))
    history = np.array(em2.history[:n_steps]) + np.log(c)
    np.testing.assert_allclose(history, em.history[:n_steps], atol=1e-8)
    assert best.converged and best2.converged
    assert best2.objective + np.log(c) == pytest.approx(best.objective, abs=1e-9)
    for back, one, other in (
        (a / c, best.model.experts, best2.model.experts),
        (a, best.model.gates, best2.model.gates),
        (1 / c, best.model.noise, best2.model.noise),
    ):
        np.testing.assert_allclose(other * back, one, rtol=1e-6, atol=1e-6)
    for errors, errors2 in zip(kinds, kinds2):
        np.testing.assert_allclose(errors2.experts * a / c, errors.experts, rtol=1e-6)
        np.testing.assert_allclose(errors2.gates * a, errors.gates, rtol=1e-6)
        np.testing.assert_allclose(errors2.noise / c, errors.noise, rtol=1e-6)
        z = best.model.experts / errors.experts
        np.testing.assert_allclose(best2.model.experts / errors2.experts, z, rtol=1e-6, atol=1e-6)
    answers = (best2.model.mean(moved[0]) - e) / c
    np.testing.assert_allclose(answers, best.model.mean(plain[0]), atol=1e-6)
    assert named == named2


CLIMBS = {
    "gradient EM": (gradient_em, dict(max_iter=200), False),
    "pruned EM": (pruned_em, dict(n_experts=2, max_iter=100), True),
    "repaired EM": (split_merge_em, dict(max_iter=60, max_repairs=2), True),
    "L-BFGS": (joint_likelihood, dict(max_iter=30), False),
    "least squares": (least_squares, dict(max_iter=30), False),
    "Adam on all": (joint_likelihood, dict(max_iter=50, solver="adam"), False),
    "Adam": (joint_likelihood_sgd, dict(n_steps=200), True),
    "Adam, least squares": (least_squares_sgd, dict(n_steps=200), True),
}


@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
@pytest.mark.parametrize("name", CLIMBS)
def test_every_climb_does_the_same_in_other_units(name):
    """The whole path from the same start: gates and the experts' answers."""
    climb, settings, weighs = CLIMBS[name]
    rng = np.random.default_rng(0)
    model, _ = problem(0, k=3)
    X = rng.standard_normal((300, 3))
    y, _ = model.sample_labels(X, rng)
    a, b, c, e = np.array([1e-7, 3.0, 1e6]), np.array([2e-4, -6e3, 1e9]), 1e5, -4e7
    free = FreeParameters(intercepts=True, noise=True if "squares" in name else "per-expert")
    options = dict(free=free) | settings
    if weighs:
        options["sample_weight"] = rng.integers(0, 3, 300)
    found = []
    for data in ((X, y), (a * X + b, c * y + e)):
        start = make_start(*data, 3, np.random.default_rng(1), free=free)
        stream = [np.random.default_rng(2)] * ("Adam" in name and name != "Adam on all")
        found.append(climb(*data, start, *stream, **options))
    plain, moved = found
    assert len(plain.path) == len(moved.path) > 3
    for one, other in zip(plain.path, moved.path):
        answers = (other.expert_means(a * X + b) - e) / c
        np.testing.assert_allclose(answers, one.expert_means(X), atol=1e-5)
        p = other.gate_probabilities(a * X + b)
        np.testing.assert_allclose(p, one.gate_probabilities(X), atol=1e-5)


def test_in_units_runs_any_climb_there():
    """What the climb is given has mean zero and spread one."""
    model, sample = problem(3, free=(free := FreeParameters(intercepts=True, gate_ridge=0.1)))
    seen = []

    def climb(inner, first, *, free, max_iter):
        seen.append((inner, first, free, max_iter))
        return em_from_sample(inner, first, free=free, max_iter=max_iter, tol=1e-9)

    in_units(climb, sample, model, free, max_iter=3)
    ((inner, first, inner_free, max_iter),) = seen
    np.testing.assert_allclose(inner.mean(inner.X), 0, atol=1e-12)
    np.testing.assert_allclose(inner.mean(inner.X**2), 1, rtol=1e-12)
    assert abs(inner.mean(inner.y)) < 1e-12 and inner.total == sample.total and max_iter == 3
    here = model.log_density(sample.X, sample.y)
    scale = Units.of(sample, free, model.link).label_scale
    there = first.log_density(inner.X, inner.y) - np.log(scale)
    np.testing.assert_allclose(there, here, rtol=1e-7)
    assert penalised(here, model, free) == pytest.approx(
        penalised(there, first, inner_free), rel=1e-7
    )
