"""What is wrong with a fit is named, with its cure; what is right is not named."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    MixtureOfExperts,
    expectation_maximization,
    find_degeneracies,
    make_start,
    maximum_likelihood,
    standard_errors,
    standard_model,
)
from moelib.gates import separating_gate
from moelib.gates.degeneracy import collapsed_experts, is_sound, rounding_step
from moelib.validation import as_sample

THEORY = dict(fit_intercept=False, noise="shared")


def test_separation_is_named_with_its_cure(standard):
    _, X, y = standard(1000, d=6, gate_norm=1e5)
    with pytest.warns(AssumptionWarning) as caught:
        fit = MixtureOfExperts(3, random_state=0).fit(X, y)
    messages = [str(w.message) for w in caught if "perfectly" in str(w.message)]
    assert any("separates expert" in m and "lower gate_ridge from 0.001" in m for m in messages)
    assert np.isfinite(fit.gates_).all() and np.isfinite(fit.log_likelihood_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cured = MixtureOfExperts(3, gate_ridge=0.001, random_state=0).fit(X, y)
    assert not any("perfectly" in str(w.message) for w in caught)
    assert np.isfinite(cured.summary().table.drop(columns="z").to_numpy()).all()


def test_groups_that_are_separated_are_named_once():
    """Experts 1 and 2 share a half of the line, expert 3 has the other."""
    X = np.linspace(-1, 1, 400)[:, None]
    gates = np.array([[1e4], [1e4]])
    model = GatedModel([[1.0], [-1.0], [2.0]], gates, 0.1)
    y, _ = model.sample_labels(X, np.random.default_rng(0))
    sentences = find_degeneracies(model, X, y)
    assert len(sentences) == 1
    assert "separates experts 1, 2 from expert 3 perfectly" in sentences[0]


def test_an_expert_that_never_fires_is_named():
    model = GatedModel(np.eye(4)[:3], np.zeros((2, 4)), 0.1, gate_intercepts=[0.0, -40.0])
    X, y = model.sample(2000, np.random.default_rng(0))
    with pytest.warns(AssumptionWarning) as caught:
        fit = MixtureOfExperts(3, method="em", fit_intercept=True, init=model).fit(X, y)
    messages = [str(w.message) for w in caught]
    said = "expert 2 hardly ever fires: it answers .* of 2000 samples"
    assert any(re.match(said, message) for message in messages)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.predict(X)).all()
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("seed", range(5))
def test_coinciding_experts_are_named(seed):
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(seed))
    with pytest.warns(AssumptionWarning, match="experts . and . coincide as far as"):
        fit = MixtureOfExperts(3, n_init=3, random_state=seed, **THEORY).fit(X, y)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("settings", [{}, THEORY], ids=["as given", "theory"])
def test_different_experts_are_not_named(standard, seed, settings):
    _, X, y = standard(4000, seed, d=6, noise=1.0)
    fit = MixtureOfExperts(3, n_init=3, random_state=seed, **settings).fit(X, y)
    options = dict(free=fit.free_, covariance=fit.standard_errors_.covariance)
    assert find_degeneracies(fit.model_, X, y, **options) == []


def test_wald_statistic_is_that_of_the_contrast():
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(0))
    fit = maximum_likelihood(X, y, twins)
    covariance = standard_errors(fit.model, X, y).covariance
    contrast = np.zeros((6, len(covariance)))
    contrast[:, :6], contrast[:, 6:12] = np.eye(6), -np.eye(6)
    difference = fit.model.experts[0] - fit.model.experts[1]
    wald = difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference)
    said = find_degeneracies(fit.model, X, y, covariance=covariance)
    assert [f"Wald statistic {wald:.2g}," in sentence for sentence in said] == [True]


def test_weights_are_repetitions_in_what_is_separated():
    """On the way from gates that leave many samples in doubt to some that leave none."""
    X = np.linspace(-1, 1, 40)[:, None]
    y, counts = np.abs(X[:, 0]), np.full(40, 3)
    found = []
    for steepness in np.geomspace(10, 5000, 60):
        model = GatedModel([[1.0], [-1.0]], [[steepness]], 0.1)
        weighted = find_degeneracies(model, X, y, sample_weight=counts)
        assert weighted == find_degeneracies(model, np.repeat(X, 3, axis=0), np.repeat(y, 3))
        found.append(len(weighted))
    assert found == sorted(found) and set(found) == {0, 1}
    assert f"gate_ridge from {1 / 120:.2g}" in weighted[0]


def test_weights_are_repetitions_in_what_hardly_fires(standard):
    """On the way from an expert that fires to one that does not."""
    model, X, y = standard(500, d=6)
    counts = 1 + 4 * (X[:, 0] > 0)
    again, found = (np.repeat(X, counts, axis=0), np.repeat(y, counts)), []
    for offset in np.linspace(0, -30, 60):
        rare = replace(model, gate_intercepts=[0.0, offset], noise=1.0)
        weighted = find_degeneracies(rare, X, y, sample_weight=counts)
        assert weighted == find_degeneracies(rare, *again)
        found.append(len(weighted))
    assert found == sorted(found) and set(found) == {0, 1}
    assert f"of {counts.sum()} samples" in weighted[0]


def test_a_separating_gate_is_found_just_where_one_exists():
    """In one dimension two experts are separated iff their samples lie on two sides of zero."""
    model = GatedModel([[1.0], [-1.0]], [[0.0]], 0.1)
    X = np.array([[-2.0], [-1.0], [0.5], [3.0]])
    W = separating_gate(model, X, np.abs(X[:, 0]))
    assert W.shape == (1, 1) and np.all(W[0] * X[:, 0] * np.sign(X[:, 0]) >= 1 - 1e-9)
    assert separating_gate(model, X, np.array([2.0, -1.0, 0.5, 3.0])) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_separating_gate_sends_each_sample_to_its_nearest_expert(seed):
    model = standard_model(d=6, gate_norm=1e5, noise=1e-6)
    X, y, z = model.sample(60, np.random.default_rng(seed), return_expert=True)
    scores = np.column_stack([X @ separating_gate(model, X, y).T, np.zeros(60)])
    ahead = scores[np.arange(60), z][:, None] - scores
    assert np.all(ahead[np.arange(3) != z[:, None]] >= 1 - 1e-6)


# --- a noise that has collapsed -------------------------------------------------------------------

ONE = FreeParameters(intercepts=True)
EACH = FreeParameters(intercepts=True, noise="per-expert")
LABELS = {  # of normal scores: discrete ones, each with the number of values that repeat
    "ratings": lambda score, rng: np.clip(np.round(3 + score), 1, 5),
    "counts": lambda score, rng: rng.poisson(np.exp(0.3 * score)).astype(float),
    "zeros": lambda score, rng: np.where(rng.random(len(score)) < 0.4, 0.0, score),
    "two values": lambda score, rng: (score > 0).astype(float),
}


def data(kind, n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    return X, LABELS[kind](X @ [1, 0.5] + rng.standard_normal(n), rng)


def constants(values, noise):
    """Experts that answer these values, at indifferent gates."""
    k = len(values)
    return GatedModel(np.zeros((k, 2)), np.zeros((k - 1, 2)), noise, expert_intercepts=values)


@pytest.mark.parametrize("kind", ["ratings", "counts", "two values"])
def test_one_noise_that_collapses_on_repeated_labels_is_named(kind):
    """With an expert for each value EM runs down to the floor, from any larger noise."""
    X, y = data(kind)
    values = np.unique(y)
    start = constants(values, 0.3)
    fit = expectation_maximization(X, y, start, free=ONE, max_iter=3000)
    assert fit.model.noise == pytest.approx(1e-6 * np.std(y), rel=1e-6)
    said = find_degeneracies(fit.model, X, y, free=ONE)
    (sentence,) = [s for s in said if "collapsed" in s]
    assert sentence.startswith("the noise has collapsed to 1e-06 of the labels' spread")
    assert f"the {len(values)} experts answer" in sentence and "use fewer experts" in sentence
    assert not is_sound(fit.model, as_sample(X, y), ONE)


@pytest.mark.parametrize("kind", ["ratings", "counts", "zeros"])
def test_the_expert_whose_noise_collapses_is_named(kind):
    """One expert on a value that repeats, one on all: that value alone is answered exactly."""
    X, y = data(kind)
    value = np.unique(y)[np.argmax(np.unique(y, return_counts=True)[1])]
    start = constants([value, y.mean()], [0.05, 1.0])
    fit = expectation_maximization(X, y, start, free=EACH, max_iter=3000)
    assert list(collapsed_experts(fit.model, as_sample(X, y))) == [0]
    said = find_degeneracies(fit.model, X, y, free=EACH)
    (sentence,) = [s for s in said if "collapsed" in s]
    n_exact = fit.model.posterior(X, y).sum(axis=0)[0]
    assert sentence.startswith("the noise of expert 1 has collapsed to 1e-06 of the labels' spread")
    assert f" {n_exact:.3g} labels are answered exactly" in sentence
    assert "noise='shared'" in sentence and not is_sound(fit.model, as_sample(X, y), EACH)


def test_labels_without_noise_are_named():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    y = np.where(X[:, 0] > 0, X @ [1, 2], X @ [-1, 0.5] + 1)
    truth = GatedModel([[1, 2], [-1, 0.5]], [[9.0, 0]], 0.3, expert_intercepts=[0, 1])
    for free, start in ((ONE, truth), (EACH, replace(truth, noise=[0.3, 0.3]))):
        fit = expectation_maximization(X, y, start, free=free, max_iter=3000)
        said = [s for s in find_degeneracies(fit.model, X, y, free=free) if "collapsed" in s]
        assert len(said) == 1 and "without noise" in said[0]
        assert ("experts 1, 2" in said[0]) == (free is EACH)


def test_one_expert_without_noise_is_named_too():
    X = np.random.default_rng(0).standard_normal((50, 2))
    y = X @ [1.0, -2.0] + 3
    fit = maximum_likelihood(
        X, y, make_start(X, y, 1, np.random.default_rng(0), free=ONE), free=ONE
    )
    (sentence,) = find_degeneracies(fit.model, X, y, free=ONE)
    assert "the only expert answers" in sentence and "leave out columns" in sentence


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0, 1000.0])
@pytest.mark.parametrize("free", [ONE, EACH], ids=["one noise", "noise each"])
def test_labels_that_are_rounded_finely_are_fine(step, free):
    """A noise of one step and more: what rounding adds is a twelfth of its square."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((500, 2))
    truth = GatedModel([[20.0, 0], [0, -20]], [[1.0, 1]], 1.0, expert_intercepts=[5, -5])
    y = np.round(truth.sample_labels(X, rng)[0] * max(1, step) / step) * step
    scale = max(1, step)
    start = GatedModel(truth.experts * scale, truth.gates, [scale] * 2 if free is EACH else scale)
    start = replace(start, expert_intercepts=truth.expert_intercepts * scale)
    fit = maximum_likelihood(X, y, start, free=free)
    assert len(np.unique(y)) < len(y) and rounding_step(y) == pytest.approx(step)
    assert find_degeneracies(fit.model, X, y, free=free) == []
    assert is_sound(fit.model, as_sample(X, y), free)


def test_a_noise_below_the_step_of_rounded_labels_is_named_and_one_above_is_not():
    """Half of what rounding leaves, h / sqrt(12), is the border; for each expert by itself."""
    X, y = data("ratings")
    border = 0.5 / np.sqrt(12)
    for noise, expected in ((1.01 * border, 0), (0.99 * border, 3)):
        sample = as_sample(X, 7 * y - 300)
        values = 7 * np.array([2.0, 3, 4]) - 300
        assert len(collapsed_experts(constants(values, 7 * noise), sample)) == expected
    mixed = constants([2.0, 3.0, 4.0], [0.1, 1.0, 0.01])
    assert list(collapsed_experts(mixed, as_sample(X, y))) == [0, 2]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(3, 200), st.booleans())
def test_labels_that_do_not_repeat_are_never_called_rounded(seed, n, regular):
    """Drawn from a density, or near the points of a regular grid: any noise above the floor."""
    rng = np.random.default_rng(seed)
    y = 2.0 * np.arange(n) + 1e-3 * rng.standard_normal(n) if regular else rng.standard_normal(n)
    assert rounding_step(y) == 0.0
    sample = as_sample(rng.standard_normal((n, 2)), y)
    assert len(collapsed_experts(constants([0.0, 1.0], 1e-4 * np.std(y)), sample)) == 0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=40),
    st.floats(1e-6, 1e6),
    st.floats(-1e6, 1e6),
)
def test_the_step_of_rounded_labels_is_the_largest_that_divides_their_gaps_if_it_is_one(
    numbers, step, offset
):
    """By the greatest common divisor of whole numbers; zero if no two neighbours are so near."""
    y = np.array(numbers + numbers[:1]) * step + offset * step
    gaps = np.diff(np.unique(numbers))
    divisor = np.gcd.reduce(gaps) if len(gaps) else 0
    expected = step * divisor if len(gaps) and gaps.min() == divisor else 0.0
    assert rounding_step(y) == pytest.approx(expected, rel=1e-3)


def test_weights_of_zero_take_labels_away():
    """One label that is off the grid hides it, unless it counts nothing."""
    X, y = data("ratings")
    y[0] += 0.123
    model, weights = constants([2.0, 3.0, 4.0], 0.01), np.ones(400)
    assert len(collapsed_experts(model, as_sample(X, y))) == 0
    weights[0] = 0
    assert len(collapsed_experts(model, as_sample(X, y, weights))) == 3


# --- weights, one expert, and what is compared ----------------------------------------------------


@pytest.mark.parametrize("total", [1.0, 1e-3, 400.0])
def test_equal_weights_of_any_total_say_the_same(standard, total):
    """Experts that fire, that hardly do, that coincide and that are apart."""
    model, X, y = standard(400, d=6, noise=0.3)
    rare = replace(model, gate_intercepts=[0.0, -30.0])
    twins = replace(model, experts=model.experts[[0, 0, 1]])
    weights = np.full(400, total / 400)
    for fit in (model, rare, twins):
        covariance = np.eye(31) * 1e-2
        plain = find_degeneracies(fit, X, y, covariance=covariance)
        weighted = find_degeneracies(
            fit, X, y, covariance=covariance * 400 / total, sample_weight=weights
        )
        assert weighted == plain
    assert any("hardly ever fires" in s for s in find_degeneracies(rare, X, y))
    assert any("coincide" in s for s in find_degeneracies(twins, X, y, covariance=covariance))


def test_one_expert_always_fires_and_coincides_with_none():
    """Also on fewer samples than it has parameters."""
    X, y = np.random.default_rng(0).standard_normal((2, 4)), np.array([0.1, -0.4])
    model = GatedModel(np.ones((1, 4)), [], 1.0)
    assert find_degeneracies(model, X, y, covariance=np.eye(5)) == []
    assert is_sound(model, as_sample(X, y), FreeParameters(noise="per-expert"))


def test_how_few_answers_are_too_few():
    """Fewer than parameters; than twice as many, where the expert has a noise of its own."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(200), np.arange(200) < 5])
    model = GatedModel(np.zeros((2, 2)), [[0.0, 60.0]], 1.0, gate_intercepts=[-30.0])
    y = rng.standard_normal(200)  # expert 1 answers five; its row has three numbers
    each = replace(model, noise=[1.0, 1.0])
    assert not any("fires" in s for s in find_degeneracies(model, X, y, free=ONE))
    (said,) = [s for s in find_degeneracies(each, X, y, free=EACH) if "fires" in s]
    assert "it answers 5 of 200 samples, too few for its 4 parameters" in said
    assert is_sound(model, as_sample(X, y), ONE) and not is_sound(each, as_sample(X, y), EACH)


def test_experts_of_one_line_and_two_noises_do_not_coincide():
    """Contaminated labels: the same answer with noise 1 and 10."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1500, 2))
    truth = GatedModel([[1.0, 2.0], [1.0, 2.0]], [[0.0, 0.0]], [1.0, 10.0])
    y, _ = truth.sample_labels(X, rng)
    free = FreeParameters(intercepts=True, noise="per-expert", gate_slopes=False)
    fit = maximum_likelihood(X, y, truth, free=free).model
    covariance = standard_errors(fit, X, y, free=free).covariance
    (said,) = find_degeneracies(fit, X, y, free=free, covariance=covariance)
    assert "answer alike and differ in their noise only" in said
    same = replace(fit, noise=[1.0, 1.0], experts=fit.experts[[0, 0]], expert_intercepts=[0, 0])
    (said,) = find_degeneracies(same, X, y, free=free, covariance=covariance)
    assert "experts 1 and 2 coincide" in said


def test_far_from_zero_the_same_is_said(standard):
    """The Wald statistic of slopes and intercepts that are all but collinear there."""
    model, X, y = standard(800, d=6, noise=0.5)
    twins = replace(model, experts=model.experts[[0, 0, 1]])
    said = []
    for offset in (0.0, 1e3, 1e6):
        far = X + offset
        moved = replace(
            twins,
            expert_intercepts=-offset * twins.experts.sum(axis=1),
            gate_intercepts=-offset * twins.gates.sum(axis=1),
        )
        fit = maximum_likelihood(far, y, moved, free=ONE).model
        covariance = standard_errors(fit, far, y, free=ONE).covariance
        said.append(find_degeneracies(fit, far, y, free=ONE, covariance=covariance))
    assert said[0] == said[1] == said[2]


def test_a_covariance_of_other_parameters_is_refused(standard):
    model, X, y = standard(100, d=6)
    for covariance in (np.eye(30), np.ones((30, 31))):
        with pytest.raises(ValueError, match="covariance must have"):
            find_degeneracies(model, X, y, covariance=covariance)


def test_a_known_noise_does_not_collapse():
    """Smaller than the step of ratings, by choice."""
    X, y = data("ratings")
    model, free = constants([2.0, 3.0, 4.0], 0.05), FreeParameters(intercepts=True, noise=False)
    assert not any("collapsed" in s for s in find_degeneracies(model, X, y, free=free))
    assert is_sound(model, as_sample(X, y), free) and not is_sound(model, as_sample(X, y), ONE)


def test_a_separating_gate_goes_by_the_density_where_noises_differ():
    """A label near both lines belongs to the narrow one, one far from both to the broad one."""
    model = GatedModel([[0.0], [0.0]], [[0.0]], [0.1, 2.0])
    X, y = np.array([[-1.0], [-2.0], [1.0], [3.0]]), np.array([0.05, -0.1, 1.5, -2.0])
    W = separating_gate(model, X, y)
    assert W is not None and np.all(W[0] * X[:, 0] * [1, 1, -1, -1] >= 1 - 1e-9)
    assert separating_gate(model, X, np.array([0.05, 2.0, 0.1, -2.0])) is None
    assert separating_gate(GatedModel([[1.0]], [], 0.1), X, y).shape == (0, 1)
