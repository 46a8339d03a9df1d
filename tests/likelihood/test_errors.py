"""Standard errors of both kinds, by hand; what is infinite, and that it is nothing else."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    make_start,
    maximum_likelihood,
    standard_errors,
)
from moelib.likelihood import drop_expert, observed_information, score_moments

EACH = FreeParameters(intercepts=True, noise="per-expert")


def two_lines(n=400, seed=0, weighted=False):
    """Two regimes in two columns with a gate on the first, and the maximum of the likelihood."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    model = GatedModel([[2.0, 0], [-1, 1]], [[1.5, 0]], [0.3, 0.8], "identity", [1, -1], [0.2])
    y, _ = model.sample_labels(X, rng)
    weights = rng.integers(1, 4, n) if weighted else None
    return X, y, weights, maximum_likelihood(X, y, model, free=EACH, sample_weight=weights).model


def vector(errors, free):
    """Standard errors in the order of the parameters."""
    rows = np.column_stack([errors.experts] + [errors.expert_intercepts] * free.intercepts)
    gates = np.column_stack([errors.gates] + [errors.gate_intercepts] * free.gate_intercepts)
    return np.concatenate([rows.ravel(), gates.ravel(), np.atleast_1d(errors.noise)])


# --- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ridge", [0.0, (0.02, 0.3)])
def test_both_kinds_by_hand(weighted, ridge):
    """H^-1 / n and H^-1 J H^-1 / n, no penalty in J; the noise from that of its logarithm."""
    X, y, weights, model = two_lines(weighted=weighted)
    free = replace(EACH, gate_ridge=ridge)
    n = len(y) if weights is None else weights.sum()
    inverse = np.linalg.inv(observed_information(model, X, y, free=free, sample_weight=weights))
    J = score_moments(model, X, y, free=EACH, sample_weight=weights)[1]
    covariances = dict(observed=inverse / n, robust=inverse @ J @ inverse / n)
    for kind, covariance in covariances.items():
        options = dict(free=free, errors=kind, sample_weight=weights)
        found = standard_errors(model, X, y, **options)
        np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-12)
        expected = np.sqrt(np.diag(covariance))
        expected[-2:] *= model.noise
        np.testing.assert_allclose(vector(found, free), expected, rtol=1e-8)
        assert not found.undetermined.any()


@pytest.mark.parametrize("kind", ["observed", "robust"])
def test_weights_are_repetitions(kind):
    X, y, weights, model = two_lines(weighted=True)
    again = np.repeat(X, weights, axis=0), np.repeat(y, weights)
    repeated = standard_errors(model, *again, free=EACH, errors=kind)
    weighted = standard_errors(model, X, y, free=EACH, errors=kind, sample_weight=weights)
    np.testing.assert_allclose(vector(weighted, EACH), vector(repeated, EACH), rtol=1e-9)


def test_one_expert_has_the_textbooks_errors():
    """sigma^2 (D'D)^-1, White's sandwich, and sigma / sqrt(2 n) for the noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) + 3
    y = X @ [1.0, -2.0] + 4 + np.abs(X[:, 0]) * rng.standard_normal(200)
    free = FreeParameters(intercepts=True)
    D = free.expert_design(X)
    beta, inverse = np.linalg.lstsq(D, y, rcond=None)[0], np.linalg.inv(D.T @ D)
    e = y - D @ beta
    sigma = np.sqrt(np.mean(e**2))
    start = make_start(X, y, 1, rng, free=free)
    model = maximum_likelihood(X, y, start, free=free).model
    np.testing.assert_allclose(free.rows(model)[0][0], beta, rtol=1e-9)
    assert model.noise == pytest.approx(sigma, rel=1e-9)
    textbook = standard_errors(model, X, y, free=free)
    expected = sigma * np.sqrt(np.diag(inverse))
    np.testing.assert_allclose(vector(textbook, free)[:3], expected, rtol=1e-6)
    assert textbook.noise == pytest.approx(sigma / np.sqrt(2 * len(y)), rel=1e-6)
    white = inverse @ (D.T * e**2) @ D @ inverse
    robust = standard_errors(model, X, y, free=free, errors="robust")
    np.testing.assert_allclose(vector(robust, free)[:3], np.sqrt(np.diag(white)), rtol=1e-6)
    assert robust.gates.shape == (0, 2) and robust.gate_intercepts.shape == (0,)


def test_experts_that_answer_exactly_are_known_best():
    """Labels 0, 1, 2 but for a little noise: errors are that noise over the root of the number."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((300, 1)), rng.integers(0, 3, 300).astype(float)
    y[::50] += 0.01
    free = FreeParameters(intercepts=True, expert_features=())
    start = GatedModel(np.zeros((3, 1)), np.zeros((2, 1)), 0.1, expert_intercepts=[0, 1, 2])
    model = maximum_likelihood(X, y, start, free=free).model
    found = standard_errors(model, X, y, free=free)
    n_each = model.posterior(X, y).sum(axis=0)
    np.testing.assert_allclose(found.expert_intercepts, model.noise / np.sqrt(n_each), rtol=1e-6)


def test_a_column_far_from_zero_has_the_errors_of_the_centred_one():
    """Slopes the same; an intercept by the delta method, from the covariance there."""
    X, y, _, model = two_lines()
    far = X + [2000.0, -3e5]
    moved = replace(
        model,
        expert_intercepts=model.expert_intercepts - model.experts @ [2000.0, -3e5],
        gate_intercepts=model.gate_intercepts - model.gates @ [2000.0, -3e5],
    )
    for kind in ("observed", "robust"):
        near = standard_errors(model, X, y, free=EACH, errors=kind)
        found = standard_errors(moved, far, y, free=EACH, errors=kind)
        np.testing.assert_allclose(found.experts, near.experts, rtol=1e-7)
        np.testing.assert_allclose(found.gates, near.gates, rtol=1e-7)
        np.testing.assert_allclose(found.noise, near.noise, rtol=1e-7)
        places = np.concatenate([near.expert_intercepts, near.gate_intercepts])
        for row, place in enumerate((2, 5, 8)):
            delta = np.zeros(len(near.covariance))
            delta[place - 2 : place + 1] = [-2000.0, 3e5, 1.0]
            expected = np.sqrt(delta @ near.covariance @ delta)
            intercept = np.append(found.expert_intercepts, found.gate_intercepts)[row]
            assert intercept == pytest.approx(expected, rel=1e-6) and intercept > 100 * places[row]


# --- what the data do not determine ---------------------------------------------------------------


def with_column(model):
    """The model with a third column that it does not use."""
    wide = {name: np.pad(getattr(model, name), ((0, 0), (0, 1))) for name in ("experts", "gates")}
    return replace(model, **wide)


DEPENDENT = {  # a third column, and the places in a row of what it can be traded for
    "twice another column": (lambda X: 2 * X[:, 0], [0, 2]),
    "another column, moved": (lambda X: X[:, 0] + 5, [0, 2, 3]),
    "far from zero": (lambda X: 3 * X[:, 0] - 1e5, [0, 2, 3]),
    "of both columns": (lambda X: X[:, 0] - X[:, 1], [0, 1, 2]),
    "constant": (lambda X: np.full(len(X), 1 / 3), [2, 3]),
    "zero": (lambda X: np.zeros(len(X)), [2]),
}


@pytest.mark.parametrize("kind", ["observed", "robust"])
@pytest.mark.parametrize("dependence", DEPENDENT)
def test_columns_that_repeat_each_other(dependence, kind):
    """Infinite are exactly those that can be traded; the others are as without the column."""
    X, y, _, model = two_lines()
    column, infinite = DEPENDENT[dependence]
    wide = np.column_stack([X, column(X)])
    with pytest.warns(AssumptionWarning, match=f"{3 * len(infinite)} of 14 parameters are not"):
        found = standard_errors(with_column(model), wide, y, free=EACH, errors=kind)
    alone = vector(standard_errors(model, X, y, free=EACH, errors=kind), EACH)
    expected = np.full((3, 4), np.inf)
    expected[:, [0, 1, 3]] = alone[:-2].reshape(3, 3)
    expected[:, infinite] = np.inf
    expected = np.append(expected, alone[-2:])
    np.testing.assert_array_equal(found.undetermined, np.isinf(expected))
    np.testing.assert_allclose(vector(found, EACH), expected, rtol=1e-6)


@pytest.mark.parametrize("constant", [0.1, 1 / 3, 1e8 + 0.1, -7.7e9])
def test_a_constant_is_seen_through_rounding_and_weights(constant):
    X, y, weights, model = two_lines(weighted=True)
    wide = np.column_stack([X, np.full(len(X), constant)])
    with pytest.warns(AssumptionWarning, match="6 of 14 parameters are not determined"):
        found = standard_errors(with_column(model), wide, y, free=EACH, sample_weight=weights)
    assert np.all(np.isinf(found.experts[:, 2])) and np.all(np.isfinite(found.experts[:, :2]))


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
def test_columns_that_nearly_repeat_each_other_keep_their_large_errors(gap):
    """In terms of the columns' mean and difference nothing is large; carried over by hand."""
    X, y, _, model = two_lines()
    apart = X[:, 1].copy()
    close = np.column_stack([X[:, 0], X[:, 0] + gap * apart])
    turn = np.array([[1.0, 0.0], [1.0, gap]])  # close = X turn'
    experts, gates = model.experts @ np.linalg.inv(turn), model.gates @ np.linalg.inv(turn)
    found = standard_errors(replace(model, experts=experts, gates=gates), close, y, free=EACH)
    covariance = standard_errors(model, X, y, free=EACH).covariance
    back = np.linalg.inv(turn).T
    for i in range(2):
        block = covariance[3 * i : 3 * i + 2, 3 * i : 3 * i + 2]
        expected = np.sqrt(np.diag(back @ block @ back.T))
        np.testing.assert_allclose(found.experts[i], expected, rtol=1e-6)


def test_a_gate_that_separates_has_no_size():
    """Two regimes that a wide gap sets apart: two regressions, and a gate without errors."""
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.uniform(-3, -1, (150, 1)), rng.uniform(1, 4, (250, 1))])
    y = np.where(X[:, 0] < 0, 1 - X[:, 0], 2 + 3 * X[:, 0]) + 0.2 * rng.standard_normal(400)
    start = GatedModel([[-1.0], [3.0]], [[-5.0]], [0.2, 0.2], expert_intercepts=[1, 2])
    model = maximum_likelihood(X, y, start, free=EACH).model
    with pytest.warns(AssumptionWarning, match="2 of 8 parameters are not determined"):
        found = standard_errors(model, X, y, free=EACH)
    assert np.all(np.isinf(found.gates)) and np.all(np.isinf(found.gate_intercepts))
    for i, mine in enumerate([X[:, 0] < 0, X[:, 0] > 0]):
        D = np.column_stack([X[mine], np.ones(mine.sum())])
        textbook = model.noise[i] * np.sqrt(np.diag(np.linalg.inv(D.T @ D)))
        np.testing.assert_allclose(found.experts[i], textbook[0], rtol=1e-6)
        np.testing.assert_allclose(found.expert_intercepts[i], textbook[1], rtol=1e-6)
    np.testing.assert_allclose(found.noise, model.noise / np.sqrt([300, 500]), rtol=1e-6)
    ridge = replace(EACH, gate_ridge=1 / 400)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        cured = standard_errors(maximum_likelihood(X, y, model, free=ridge).model, X, y, free=ridge)
    assert np.all(np.isfinite(vector(cured, ridge)))


def test_a_group_that_is_set_apart_from_another():
    """Experts 1 and 2 share the left, 3 has the right: gates are known from 1 to 2 only."""
    rng = np.random.default_rng(3)
    pair = GatedModel([[1.0], [-2.0]], [[2.0]], [0.3, 0.5], "identity", [0, 1], [5.0])
    left = rng.uniform(-4, -1, (300, 1))
    X = np.concatenate([left, rng.uniform(20, 24, (100, 1))])
    labels = pair.sample_labels(left, rng)[0]
    y = np.concatenate([labels, X[300:, 0] / 2 + 0.1 * rng.standard_normal(100)])
    both = maximum_likelihood(left, labels, pair, free=EACH).model
    shift, offset = -10.0, 100.0  # of both gates of the left
    model = GatedModel(
        np.vstack([both.experts, [[0.5]]]),
        np.vstack([both.gates, [[0.0]]]) + shift,
        np.append(both.noise, 0.1),
        expert_intercepts=np.append(both.expert_intercepts, 0.0),
        gate_intercepts=np.append(both.gate_intercepts, 0.0) + offset,
    )
    with pytest.warns(AssumptionWarning, match="4 of 13 parameters are not determined"):
        found = standard_errors(model, X, y, free=EACH)
    assert np.all(np.isinf(found.gates)) and np.all(np.isinf(found.gate_intercepts))
    alone = standard_errors(both, left, labels, free=EACH)
    np.testing.assert_allclose(found.experts[:2], alone.experts, rtol=1e-6)
    np.testing.assert_allclose(found.noise[:2], alone.noise, rtol=1e-6)
    # the difference of the two gates is known: its variance from the covariance of the kept ones
    known = np.array([-1.0, 1.0]) @ found.covariance[np.ix_([6, 8], [6, 8])] @ [-1.0, 1.0]
    assert np.sqrt(known) == pytest.approx(alone.gates[0, 0], rel=1e-6)


@pytest.mark.parametrize("dead", [0, 2])
def test_an_expert_that_never_fires_says_nothing_of_the_others(dead):
    """Its own parameters and its gate; all gates, if it is the one that they are measured from."""
    X, y, _, model = two_lines()
    experts, gates = np.insert(model.experts, dead, [[9.0, 9.0]], axis=0), model.gates
    offsets = np.append(model.gate_intercepts, 0.0)
    slopes = np.vstack([gates, np.zeros((1, 2))])
    if dead == 0:
        slopes, offsets = np.vstack([np.zeros((1, 2)), gates]), np.append(-2000.0, offsets[:1])
    else:
        offsets = offsets + 2000.0
    model3 = GatedModel(
        experts,
        slopes,
        np.insert(model.noise, dead, 1.0),
        expert_intercepts=np.insert(model.expert_intercepts, dead, 500.0),
        gate_intercepts=offsets,
    )
    np.testing.assert_allclose(drop_expert(model3, dead).gates, model.gates)
    with pytest.warns(AssumptionWarning, match="not determined"):
        found = standard_errors(model3, X, y, free=EACH)
    alone = standard_errors(model, X, y, free=EACH)
    left = np.arange(3) != dead
    np.testing.assert_allclose(found.experts[left], alone.experts, rtol=1e-6)
    np.testing.assert_allclose(found.expert_intercepts[left], alone.expert_intercepts, rtol=1e-6)
    np.testing.assert_allclose(found.noise[left], alone.noise, rtol=1e-6)
    assert np.all(np.isinf(found.experts[dead])) and np.isinf(found.noise[dead])
    assert np.isinf(found.expert_intercepts[dead])
    if dead == 0:
        np.testing.assert_allclose(found.gates[1], alone.gates[0], rtol=1e-6)
        assert np.all(np.isinf(found.gates[0])) and np.isfinite(found.gate_intercepts[1])
    else:
        assert np.all(np.isinf(found.gates)) and np.all(np.isinf(found.gate_intercepts))


def test_experts_that_coincide_leave_the_noise():
    """Residuals of one size, where the difference of two experts has no curvature at all."""
    rng = np.random.default_rng(4)
    half = rng.standard_normal((200, 1))
    X = np.concatenate([half, half])
    y = 2 * X[:, 0] + 0.5 * np.repeat([1, -1], 200)
    model = GatedModel([[2.0], [2.0]], [[0.0]], 0.5)
    with pytest.warns(AssumptionWarning, match="3 of 4 parameters are not determined"):
        found = standard_errors(model, X, y)
    assert np.all(np.isinf(found.experts)) and np.all(np.isinf(found.gates))
    assert found.noise == pytest.approx(0.5 / np.sqrt(2 * 400), rel=1e-6)
    # what both share is known: the errors of one regression
    one = standard_errors(GatedModel([[2.0]], [], 0.5), X, y)
    half_sum = np.array([0.5, 0.5]) @ found.covariance[:2, :2] @ [0.5, 0.5]
    assert np.sqrt(half_sum) == pytest.approx(one.experts[0, 0], rel=1e-6)


def test_bad_calls():
    X, y, _, model = two_lines()
    with pytest.raises(ValueError, match="errors must be one of 'observed', 'robust'; got 'opg'"):
        standard_errors(model, X, y, free=EACH, errors="opg")
    with pytest.raises(ValueError, match="the model has a noise for each expert"):
        standard_errors(model, X, y, free=FreeParameters(intercepts=True))
