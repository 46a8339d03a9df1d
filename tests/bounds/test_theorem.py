"""The theorem's bound for a model: against disturbed moments, by hand, and what it refuses."""

import gc
import weakref
from itertools import permutations

import numpy as np
import pytest

from moelib import GatedModel, Link, label_transforms, standard_model
from moelib.bounds.theorem import MOST_SAMPLES, TwoLossBound, least_samples
from moelib.experts.l4 import minimize_l4_lbfgs, tensor_l4
from moelib.experts.reduction import top_eigenpairs, whiten
from moelib.metrics import expert_angles
from moelib.model import random_model


def perturbed(model, shares, size2, size4, rng):
    """Moments with symmetric errors of the given operator norms (that of order 4 at most)."""
    d, k = model.n_features, model.n_experts
    F = rng.standard_normal((d, d))
    F = F + F.T
    M = (model.experts.T * shares) @ model.experts + size2 * F / np.linalg.norm(F, 2)
    values, B = top_eigenpairs(M, k)
    E = rng.standard_normal((k,) * 4)
    E = sum(E.transpose(axes) for axes in permutations(range(4)))
    T = np.einsum("i,ia,ib,ic,id->abcd", shares, *[model.experts @ B] * 4)
    return values, B, T + size4 * E / np.linalg.norm(E)


@pytest.mark.parametrize("mu", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_step_holds_for_moments_with_errors(k, mu):
    """Random errors of the sizes the theorem speaks of, skew experts and unequal shares."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        model = random_model(k + 4, k, rng)
        bound = TwoLossBound(model, mu=mu)
        n = least_samples(lambda n, b=bound: b.steps(n, 0.1)["tensor"], bound.steps(2, 0.1)["room"])
        steps = bound.steps(1.05 * n, 0.1)
        values, B, T = perturbed(model, bound.shares, steps["second"], steps["fourth"], rng)
        outside = np.linalg.svd(model.experts - model.experts @ B @ B.T)[1][0]
        assert outside <= steps["span"] * np.linalg.norm(model.experts, 2)
        truth = whiten(
            np.einsum("i,ia,ib,ic,id->abcd", bound.shares, *[model.experts @ B] * 4), values
        )
        start = model.experts @ B / np.sqrt(values) * np.sqrt(bound.shares)[:, None]
        left, _, right = np.linalg.svd(start)
        Q = left @ right  # nearest orthonormal rows
        V, losses = minimize_l4_lbfgs(whiten(T, values), Q, mu)
        others = [minimize_l4_lbfgs(whiten(T, values), _unit(rng, k), mu)[1][-1] for _ in range(5)]
        assert min(others) >= losses[-1] - 1e-6
        sines = np.sqrt(1 - np.sum(V * Q, axis=1) ** 2)
        assert np.all(sines <= steps["rotation"] + 0.01 * steps["rotation"].max())
        A = (V * np.sqrt(values)) @ B.T
        assert np.all(np.sin(expert_angles(A, model.experts)) <= steps["experts"])
        assert tensor_l4(truth, Q, mu)[0] < 0


def _unit(rng, k):
    V = rng.standard_normal((k, k))
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def test_steps_by_hand():
    """Two orthonormal experts of equal shares: every constant written out."""
    model, mu, n, delta = standard_model(5, 2), 0.5, 1e11, 0.2
    bound = TwoLossBound(model, mu=mu)
    bound.shares, bound.spectrum = np.array([0.5, 0.5]), np.array([0.5, 0.5])
    e2, e4 = bound.second.error(n, 0.1), bound.fourth.error(n, 0.1)
    steps = bound.steps(n, delta)
    eta = e2 / (0.5 - e2)
    tensor = 2 * ((1 + eta) ** 4 - 1) + e4 / (0.5 - e2) ** 2
    np.testing.assert_allclose(steps["tensor"], tensor)
    np.testing.assert_allclose(steps["room"], 0.5 * 2 / (4 * 2 * 1 * 1.5))
    phi = 2.31 * 1.5 * tensor / (2 + 0.5 * 2)
    np.testing.assert_allclose(steps["rotation"], phi)
    expected = eta + np.sqrt((0.5 + e2) / 0.5) * (eta + 1.04 * phi)
    np.testing.assert_allclose(bound.experts(n, delta), expected)


def test_steps_by_hand_with_unequal_shares():
    """Three orthonormal experts: loops over pairs instead of arrays."""
    model, mu, n, delta = standard_model(6, 3), 0.4, 1e14, 0.1
    bound, pi = TwoLossBound(model, mu=mu), (0.5, 0.3, 0.2)
    bound.shares = bound.spectrum = np.array(pi)
    e2, e4 = bound.second.error(n, delta / 2), bound.fourth.error(n, delta / 2)
    eta = e2 / (0.2 - e2)
    tensor = ((1 + eta) ** 4 - 1) / 0.2 + e4 / (0.2 - e2) ** 2
    steps = bound.steps(n, delta)
    assert (steps["second"], steps["fourth"]) == (e2, e4)
    np.testing.assert_allclose([steps["span"], steps["whitening"]], eta)
    np.testing.assert_allclose(steps["tensor"], tensor)
    np.testing.assert_allclose(steps["room"], 0.4 * 2.0 / (4 * 3 * 2 * 2.4))
    for i in range(3):
        moves = [2.31 * 2.4 * tensor / (1 / pi[m] + 0.4 / pi[i]) for m in range(3) if m != i]
        phi = np.hypot(*moves)
        np.testing.assert_allclose(steps["rotation"][i], phi)
        stretch = np.sqrt((0.5 + e2) / pi[i])
        np.testing.assert_allclose(steps["experts"][i], eta + stretch * (eta + 1.04 * phi))
    assert bound.experts(n, delta) == steps["experts"].max() == steps["experts"][2]


def test_moments_are_those_of_the_model_and_its_dimensions():
    model = random_model(7, 3, np.random.default_rng(0), noise=0.4, link="tanh")
    bound = TwoLossBound(model)
    M = np.einsum("i,ia,ib->ab", model.shares(), model.experts, model.experts)
    np.testing.assert_allclose(bound.spectrum, np.sort(np.linalg.eigvalsh(M))[:-4:-1])
    np.testing.assert_allclose(bound.second.log_size, np.log(2 * 7))
    np.testing.assert_allclose(bound.fourth.log_size, np.log(2 * 17**3))
    transforms = label_transforms("tanh", 0.4)
    given = TwoLossBound(model, transforms=transforms)
    assert (given.second, given.fourth) == (bound.second, bound.fourth)
    best = TwoLossBound(model, transforms="optimal")
    assert best.second.variance < bound.second.variance
    assert best.fourth.variance < bound.fourth.variance
    in_three = label_transforms("tanh", 0.4, kind="optimal", dimension=3)
    given = TwoLossBound(model, transforms=in_three)
    np.testing.assert_allclose(given.fourth.variance, best.fourth.variance, rtol=1e-9)


@pytest.mark.parametrize("e", [0.0, 1e-7, 1e-3])
@pytest.mark.parametrize("link,slope", [("identity", 1.0), ("leaky_relu", 1.0), ("sigmoid", 0.25)])
def test_gates_by_hand(link, slope, e):
    """Every constant of the gates' theorem written out, for three experts."""
    bound = TwoLossBound(standard_model(6, 3, noise=0.2, link=link))
    n, delta, k, d, h = 1e16, 0.1, 3, 6, bound.curvature
    L, t = np.log(5 / delta), slope * e / 0.2
    square = 2 * 8 * k * t**2 * (1 + np.log(k) + 3 * k * t**2) + 14 / 3 * L / n
    third = (2 * np.sqrt(2 / np.pi)) ** (1 / 3) + (d**0.5 + (2 * L) ** 0.5) / n ** (1 / 3)
    gradient = np.sqrt(2 * d / n) * (1 + L**0.5) + square**0.5 * third
    found = bound.gates_given(e, n, delta)
    if 8 * gradient / h < h / (4 * 2**0.5 * third**3):
        np.testing.assert_allclose(found, 4 * gradient / h)
    else:
        assert found == np.inf and e == 1e-3


def test_how_the_chances_of_failure_are_shared():
    bound = TwoLossBound(standard_model(5, 2, noise=0.5))
    n, delta = 1e20, 0.1
    error = 1.04 * bound.experts(n, delta / 2)
    np.testing.assert_allclose(
        bound.gates(n, delta), bound.gates_given(error, n, 5 * delta / 12), rtol=1e-12
    )


@pytest.mark.parametrize("sine,right", [(0.5, False), (0.5, True), (0.501, True), (1e-9, False)])
def test_gates_need_experts_within_thirty_degrees_and_their_signs(sine, right, monkeypatch):
    asked = []
    monkeypatch.setattr(TwoLossBound, "experts", lambda self, *where: asked.append(where) or sine)
    monkeypatch.setattr(TwoLossBound, "signs", lambda self, *where: asked.append(where) or right)
    monkeypatch.setattr(TwoLossBound, "gates_given", lambda self, *where: 0.125)
    found = TwoLossBound(standard_model(5, 2)).gates(1e9, 0.6)
    assert found == (0.125 if right and sine <= 0.5 else np.inf)
    assert asked[0] == (1e9, 0.3)
    if sine <= 0.5:
        np.testing.assert_allclose(asked[1], (1.04 * sine, 1e9, 0.05))


def test_signs_are_asked_of_the_model():
    """Skew experts, slope 1/2, labels of a ReLU: the edge by hand."""
    model = random_model(6, 3, np.random.default_rng(3), noise=0.3, link="relu")
    bound, e = TwoLossBound(model), 0.01
    s = np.linalg.svd(model.experts)[1][-1] - np.sqrt(3) * e
    fourth = 1.5 + 6 * 0.5 * 0.09 + 3 * 0.3**4  # E relu(Z)^4 = 3/2, E relu(Z)^2 = 1/2
    v = np.sqrt(3 * fourth) / s**2
    left = 0.5 * model.shares().min() - 0.5 * e / s
    assert left > 0
    n = v * np.log(2 * 3 / 0.02) * (2 / left) ** 2
    assert not bound.signs(e, 0.9999 * n, 0.02) and bound.signs(e, 1.0001 * n, 0.02)


def test_no_gates_without_signs_from_an_even_link():
    even = Link("even", lambda t: np.sqrt(1 + t**2), lambda t: t / np.sqrt(1 + t**2))
    bound = TwoLossBound(standard_model(5, 2, noise=0.5, link=even))
    assert np.isfinite(bound.experts(1e30, 0.1)) and bound.gates(1e30, 0.1) == np.inf


CUBIC = Link("cubic", lambda t: t + t**3 / 6, lambda t: 1 + t**2 / 2)
SLOW = Link(  # its slope is 1 + log(1 + t^2) / 10, 3.7 far out and rising
    "slow",
    lambda t: t + (t * np.log1p(t**2) - 2 * t + 2 * np.arctan(t)) / 10,
    lambda t: 1 + np.log1p(t**2) / 10,
)
LEFT = Link("left", lambda t: t + np.minimum(t, 0) ** 2, lambda t: 1 + 2 * np.abs(np.minimum(t, 0)))
RIGHT = Link("right", lambda t: t + np.maximum(t, 0) ** 2, lambda t: 1 + 2 * np.maximum(t, 0))
STEEP = Link("steep", lambda t: np.sinh(t), lambda t: np.cosh(t))


@pytest.mark.parametrize("link", [CUBIC, SLOW, LEFT, RIGHT, STEEP])
@pytest.mark.parametrize("error", [0.0, 1e-20, 1e-9])
def test_an_unbounded_slope_gets_no_guarantee(link, error):
    bound = TwoLossBound(standard_model(5, 2, noise=0.5), curvature=0.1)
    assert np.isfinite(bound.gates_given(1e-9, 1e20, 0.1))
    bound.model = standard_model(5, 2, noise=0.5, link=link)
    assert bound.gates_given(error, 1e20, 0.1) == np.inf


@pytest.mark.parametrize(
    "link,slope",
    [
        ("identity", 1),
        ("relu", 1),
        ("leaky_relu", 1),
        ("sigmoid", 0.25),
        ("tanh", 1),
        (lambda t: np.logaddexp(0, t), 1),
        (Link("far left", lambda t: t + np.minimum(t + 20, 0), lambda t: 1.0 + (t < -20)), 2),
        (Link("far right", lambda t: t + np.maximum(t - 20, 0), lambda t: 1.0 + (t > 20)), 2),
        (Link("fifth", lambda t: t / 5, lambda t: np.full_like(t, 0.2)), 0.2),
    ],
)
def test_the_steepest_slope_decides(link, slope):
    """A link twice as steep is as bad as twice the error."""
    bound = TwoLossBound(standard_model(5, 2, noise=0.5), curvature=0.1)
    expected = bound.gates_given(1e-8 * slope, 1e20, 0.1)
    bound.model = standard_model(5, 2, noise=0.5, link=link)
    np.testing.assert_allclose(bound.gates_given(1e-8, 1e20, 0.1), expected, rtol=1e-4)


# --- what the theorem does not cover --------------------------------------------------------------


@pytest.mark.parametrize(
    "experts,gates,options,message",
    [
        ([[1.0, 0], [0, 1.01]], [[0.0, 0]], {}, "unit experts"),
        ([[1.0, 0], [0, 1 + 1e-6]], [[0.0, 0]], {}, "unit experts"),
        (np.eye(2), [[0.0, 0.01]], {}, "gates orthogonal to all experts"),
        (np.eye(3)[:2], [[0.0, 1e-6, 1e4]], {}, None),  # rounding of a long gate
        (np.eye(3)[:2], [[0.0, 1e-3, 1e4]], {}, "gates orthogonal to all experts"),
        (np.eye(3)[[0, 0]], [[0.0, 1, 0]], {}, "linearly independent experts"),
        ([[1.0, 0], [0, 1], [0.6, 0.8]], np.zeros((2, 2)), {}, "linearly independent experts"),
        (np.eye(2), [[0.0, 0]], dict(expert_intercepts=[0, 0.1]), "no intercepts"),
        (np.eye(2), [[0.0, 0]], dict(gate_intercepts=[0.1]), "no intercepts"),
    ],
)
def test_models_outside_the_theorem_are_refused(experts, gates, options, message):
    model = GatedModel(experts, gates, 0.1, **options)
    if message is None:
        assert TwoLossBound(model).experts(1e30, 0.1) < 1e-6
        return
    with pytest.raises(ValueError, match=f"model must have {message}: the theorem covers no other"):
        TwoLossBound(model)


@pytest.mark.parametrize("mu", [-1, 0, 1, 1.5, 2.0, np.nan, np.inf, "a", None])
def test_weights_outside_the_theorem_are_refused(mu):
    with pytest.raises(ValueError, match="mu must be a number strictly between 0 and 1"):
        TwoLossBound(standard_model(5, 2), mu=mu)


@pytest.mark.parametrize("transforms", ["in-span", "other", None, 3])
def test_kinds_of_transforms_outside_the_theorem_are_refused(transforms):
    with pytest.raises(ValueError, match="transforms must be one of 'polynomial', 'optimal'"):
        TwoLossBound(standard_model(5, 2), transforms=transforms)


@pytest.mark.parametrize(
    "made,message",
    [
        (dict(link="identity", noise=0.06), "transforms must be for the model's link 'identity'"),
        (dict(link="tanh", noise=0.05), "transforms must be for the model's link 'identity'"),
        (dict(link="identity", noise=0.05, kind="in-span", dimension=2), "not 'in-span'"),
    ],
)
def test_transforms_of_another_law_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        TwoLossBound(standard_model(5, 2), transforms=label_transforms(**made))


def test_transforms_for_the_same_function_are_those_of_the_model():
    def bent(t):
        return np.where(t > 0, t, 0.3 * t)

    model = standard_model(5, 2, noise=0.5, link=bent)
    made = label_transforms(bent, 0.5)
    bound = TwoLossBound(model, transforms=made)
    assert bound.second == TwoLossBound(model).second


@pytest.mark.parametrize("curvature", [0, -0.1, np.nan, np.inf, "a"])
def test_curvatures_that_are_none_are_refused(curvature):
    with pytest.raises(ValueError, match="curvature must be a positive finite number"):
        TwoLossBound(standard_model(5, 2), curvature=curvature)


@pytest.mark.parametrize("method", ["steps", "experts", "gates", "gates_given", "signs"])
@pytest.mark.parametrize(
    "n,delta,message",
    [
        *[(n, 0.1, "n must be") for n in (0, -1, 0.5, np.nan, np.inf, "a")],
        *[(1e6, d, "delta must be a number strictly") for d in (0, 1, 1.5, 11, -1, np.nan, "a")],
    ],
)
def test_sample_sizes_and_chances_that_are_none_are_refused(method, n, delta, message):
    bound = TwoLossBound(standard_model(5, 2))
    where = (0.01, n, delta) if method in ("gates_given", "signs") else (n, delta)
    with pytest.raises(ValueError, match=message):
        getattr(bound, method)(*where)


@pytest.mark.parametrize("method", ["gates_given", "signs"])
@pytest.mark.parametrize("error", [-1e-9, np.nan, "a"])
def test_errors_that_are_none_are_refused(method, error):
    with pytest.raises(ValueError, match="error must be"):
        getattr(TwoLossBound(standard_model(5, 2), curvature=0.1), method)(error, 1e20, 0.1)


def test_experts_without_a_bound_give_gates_without_one():
    bound = TwoLossBound(standard_model(5, 2), curvature=0.1)
    assert bound.gates_given(np.inf, 1e20, 0.1) == np.inf
    assert not bound.signs(np.inf, 1e20, 0.1)


def test_the_weight_is_one_half_if_not_given():
    model = standard_model(5, 2)
    assert (
        TwoLossBound(model).steps(1e12, 0.1)["room"]
        == TwoLossBound(model, mu=0.5).steps(1e12, 0.1)["room"]
    )


def test_arguments_go_by_name():
    with pytest.raises(TypeError, match="positional"):
        TwoLossBound(standard_model(5, 2), 0.5)


def test_a_share_that_vanishes_gets_no_guarantee():
    """The middle one of three gates in a row, so long that it answers no sample."""
    W = np.zeros((2, 4))
    W[:, 3] = 1e150, 5e149
    bound = TwoLossBound(GatedModel(np.eye(4)[:3], W, 0.1))
    assert bound.shares.min() == 0
    assert np.all(bound.steps(1e30, 0.1)["experts"] == np.inf)


def test_gates_without_curvature_get_no_guarantee():
    bound = TwoLossBound(standard_model(5, 2, noise=0.5))
    bound.curvature = 0.0
    assert bound.gates_given(0.0, 1e30, 0.1) == np.inf


# --- the curvature, and what a bound holds on to --------------------------------------------------


def test_curvature_is_that_of_a_logistic_regression_for_sharp_labels():
    """Two experts far apart: E[p (1 - p) x x'] in the direction of the gate and outside it."""
    bound = TwoLossBound(standard_model(5, 2, noise=1e-3))
    z = np.random.default_rng(5).standard_normal(2_000_000)
    variance = 1 / (2 + 2 * np.cosh(z))  # p (1 - p) of a gate of length one
    least = min(variance.mean(), np.mean(variance * z**2))
    np.testing.assert_allclose(bound.curvature, least, rtol=0.02)


def test_another_curvature_can_be_given():
    model = standard_model(5, 2)
    given = TwoLossBound(model, curvature=0.25)
    assert given.curvature == 0.25 != TwoLossBound(model).curvature
    plain = TwoLossBound(model).gates_given(0.0, 1e30, 0.1) * TwoLossBound(model).curvature
    np.testing.assert_allclose(given.gates_given(0.0, 1e30, 0.1) * 0.25, plain)


def test_curvature_is_computed_once_and_no_model_is_kept(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "moelib.bounds.theorem.fisher_information",
        lambda model, **options: calls.append(options) or np.eye(15) * 0.1,
    )
    model = standard_model(5, 2)
    bound, kept = TwoLossBound(model), weakref.ref(model)
    assert calls == [] and bound.curvature == bound.curvature == 0.1 and len(calls) == 1
    del bound, model
    gc.collect()
    assert kept() is None


# --- n --------------------------------------------------------------------------------------------


def test_no_span_is_promised_for_half_an_eigenvalue():
    bound = TwoLossBound(standard_model(5, 2))
    n = least_samples(lambda n: bound.second.error(n, 0.05), 0.7 * bound.spectrum[-1])
    steps = bound.steps(n, 0.1)
    assert steps["second"] < bound.spectrum[-1] and np.isinf(steps["span"])
    assert steps["tensor"] == np.inf and np.all(steps["rotation"] == np.inf)


@pytest.mark.parametrize("n,works", [(150, False), (400, True), (2e5, True)])
def test_signs_need_samples(n, works):
    """Two experts with shares 1/2: 2 sqrt(v L / n) against 1/2, by hand."""
    bound = TwoLossBound(standard_model(5, 2, noise=0.1))
    s2 = 1.01
    noise = 2 * np.sqrt(np.sqrt(3 * 3 * s2**2) * np.log(4 / 0.1) / n)
    assert (noise < bound.shares.min()) is np.bool_(works)
    assert bound.signs(0.0, n, 0.1) == works
    for error in (0.1, 0.25, 0.3, 0.4, 0.9):  # e / (1 - sqrt(2) e) < 1/2 up to 0.29
        assert bound.signs(error, 1e9, 0.1) == (error < 0.29)


def test_rates():
    """Errors fall like n^{-1/2}; the number of samples grows with k, d, eps^{-2} and 1 / delta."""
    bound = TwoLossBound(standard_model(10, 3))
    rate = np.log(bound.experts(1e16, 0.1) / bound.experts(1e14, 0.1)) / np.log(100)
    assert abs(rate + 0.5) < 0.02
    error = 1e-9
    rate = np.log(bound.gates_given(error / 10, 1e24, 0.1) / bound.gates_given(error, 1e22, 0.1))
    assert abs(rate / np.log(100) + 0.5) < 0.02
    numbers = [
        least_samples(lambda n, b=one: b.experts(n, 0.1), 1e-3)
        for one in map(
            TwoLossBound, (standard_model(10, 3), standard_model(40, 3), standard_model(10, 5))
        )
    ]
    assert numbers[0] < numbers[1] < 16 * numbers[0] and numbers[2] > 4 * numbers[0]
    assert bound.experts(1e13, 0.01) > bound.experts(1e13, 0.1)


def test_no_promise_without_the_conditions():
    bound = TwoLossBound(standard_model(10, 3))
    assert bound.experts(100, 0.1) == np.inf and bound.gates(1e15, 0.1) == np.inf
    assert bound.gates_given(0.5, 1e12, 0.1) == np.inf


def test_gates_follow_the_errors_of_the_experts():
    bound = TwoLossBound(standard_model(5, 2))
    exact, off, further = (bound.gates_given(e, 1e20, 0.1) for e in (0.0, 1e-8, 1e-7))
    assert exact < off < further < np.inf
    np.testing.assert_allclose((further - exact) / (off - exact), 10, rtol=0.01)
    assert 0.1 < bound.curvature < 0.2


def test_least_samples_finds_the_crossing():
    for goal in np.geomspace(1e-12, 1e-2, 40):
        found = least_samples(lambda n: 3 / np.sqrt(n), goal)
        assert 1 <= found / (3 / goal) ** 2 < 1.01
    assert least_samples(lambda n: 1.0, 0.5) == np.inf


def test_least_samples_is_content_with_the_goal_itself():
    assert least_samples(lambda n: 0.5, 0.5) < 1.01
    assert least_samples(lambda n: 0.5 if n >= 7 else 0.6, 0.5) < 7.08


def test_least_samples_looks_as_far_as_it_says():
    tried = []
    assert least_samples(lambda n: tried.append(n) or 1.0, 0.5) == np.inf
    assert tried[0] == 2 and MOST_SAMPLES < tried[-1] < 10.1 * MOST_SAMPLES
    assert least_samples(lambda n: 0.0, 0.5) <= 1.02
    assert least_samples(lambda n: np.inf if n < 1e99 else 0.0, 0.5) >= 1e99


@pytest.mark.parametrize("goal", [0, -1, np.nan, np.inf, "a"])
def test_goals_that_are_none_are_refused(goal):
    with pytest.raises(ValueError, match="goal must be a positive finite number"):
        least_samples(lambda n: 1 / n, goal)


def test_a_bound_that_is_no_number_reaches_no_goal():
    assert least_samples(lambda n: np.nan, 0.5) == np.inf
