"""The theorem's bounds against simulation, step by step, and the number of samples they ask for."""

from itertools import permutations

import numpy as np
import pytest

from moelib import GatedModel, Link, Moments, label_transforms, required_samples, standard_model
from moelib.bounds.concentration import HERMITE4_FOURTH, moment_bound
from moelib.bounds.theorem import TwoLossBound, expert_shares, least_samples
from moelib.experiments.experts import errors
from moelib.experts.l4 import minimize_l4_lbfgs, tensor_l4
from moelib.experts.reduction import top_eigenpairs, whiten
from moelib.hermite import hermite, score_norm, score_tensor
from moelib.model import random_model
from moelib.quadrature import gaussian_rule


@pytest.mark.parametrize("link,noise", [("identity", 0.05), ("leaky_relu", 0.5)])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_constants_bound_the_moments_of_the_terms(link, noise, kind):
    """v and K against half a million samples of a model with skew experts."""
    rng = np.random.default_rng(0)
    model = random_model(6, 3, rng, noise, link=link)
    transforms = label_transforms(link, noise, kind, dimension=3)
    X, y = model.sample(500_000, rng)
    B = np.linalg.qr(model.experts.T)[0]
    for transform, z in ((transforms.q2, X), (transforms.q4, X @ B)):
        bound = moment_bound(transform, z.shape[1], link, noise)
        q = transform(y) / transform.c
        u = model.experts[0] if transform.order == 2 else B.T @ model.experts[0]
        if transform.order == 2:
            a = z @ u
            term = np.abs(q) * np.linalg.norm(z * a[:, None] - u, axis=1)
        else:
            term = q * hermite(4, z @ (u / np.linalg.norm(u)))
        assert 0.02 < np.mean(term**2) / bound.variance < 1
        lengths = np.abs(q) * score_norm(z, transform.order)
        assert 0.05 < np.mean(lengths**4) ** 0.25 / bound.length < 1


def test_constants_in_closed_form():
    z, weight = gaussian_rule()
    np.testing.assert_allclose(weight @ hermite(4, z) ** 4, HERMITE4_FOURTH)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400_000, 4))
    squares = np.sum(score_tensor(x[:100], 2)[:, 0] ** 2, axis=1)
    a, length = x[:, 0], np.sum(x**2, axis=1)
    np.testing.assert_allclose(squares, (length * a**2 - 2 * a**2 + 1)[:100])
    exact = 60 + 20 * 3 + 3 * 15
    sample = (length * a**2 - 2 * a**2 + 1) ** 2
    assert abs(sample.mean() - exact) < 4 * sample.std() / np.sqrt(len(x))
    # identity link: E He_2^4 = 60 and c = 2
    transform = label_transforms("identity", 1e-6).q2
    np.testing.assert_allclose(
        moment_bound(transform, 4, noise=1e-6).variance, np.sqrt(60 * exact) / 4, rtol=1e-4
    )


@pytest.mark.parametrize("n", [500, 20_000])
def test_truncated_moments_keep_within_their_bounds(n):
    """40 data sets: the bound at delta = 0.05 fails in none of them, and is not vacuous."""
    model = standard_model(5, 2)
    transforms, B = label_transforms("identity", 0.05), np.eye(5)[:, :2]
    second = moment_bound(transforms.q2, 5)
    fourth = moment_bound(transforms.q4, 2)
    shares = expert_shares(model)
    M = (model.experts.T * shares) @ model.experts
    T = np.einsum("i,ia,ib,ic,id->abcd", shares, *[model.experts @ B] * 4)
    angles = np.linspace(0, np.pi, 60)
    u = np.column_stack([np.cos(angles), np.sin(angles)])
    worst = np.zeros(2)
    for seed in range(40):
        X, y = model.sample(n, np.random.default_rng(seed))
        found = Moments(transforms, fourth=False, truncate=second.truncate(n, 0.05)).update(X, y)
        off = np.linalg.norm(found.second_moment - M, 2)
        found = Moments(transforms, B, truncate=fourth.truncate(n, 0.05)).update(X, y)
        gap = found.fourth_moment - T
        worst = np.maximum(
            worst, [off, np.abs(np.einsum("abcd,ia,ib,ic,id->i", gap, u, u, u, u)).max()]
        )
    bounds = second.error(n, 0.05), fourth.error(n, 0.05)
    assert np.all(worst < bounds)
    assert worst[0] > bounds[0] / 40


def test_truncation_level_is_that_of_the_lemma():
    bound = moment_bound(label_transforms("identity", 0.05).q2, 5)
    log = np.log(2 * 5 / 0.1)
    tau = bound.truncate(10_000, 0.1) * bound.rms
    np.testing.assert_allclose(tau, bound.length * (10_000 / log) ** 0.25)
    ratio = log / 10_000
    by_hand = (1 + 2**0.5) * np.sqrt(bound.variance * ratio) + 4 / 3 * bound.length * ratio**0.75
    np.testing.assert_allclose(bound.error(10_000, 0.1), by_hand)


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
        bound = TwoLossBound(model, mu)
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
        V, history = minimize_l4_lbfgs(whiten(T, values), Q, mu)
        others = [minimize_l4_lbfgs(whiten(T, values), _unit(rng, k), mu)[1][-1] for _ in range(5)]
        assert min(others) >= history[-1] - 1e-6
        sines = np.sqrt(1 - np.sum(V * Q, axis=1) ** 2)
        assert np.all(sines <= steps["rotation"] + 0.01 * steps["rotation"].max())
        A = (V * np.sqrt(values)) @ B.T
        assert np.sin(errors(A, model)["angle"]) <= steps["experts"].max()
        assert tensor_l4(truth, Q, mu)[0] < 0


def _unit(rng, k):
    V = rng.standard_normal((k, k))
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def test_steps_by_hand():
    """Two orthonormal experts of equal shares: every constant written out."""
    model, mu, n, delta = standard_model(5, 2), 0.5, 1e11, 0.2
    bound = TwoLossBound(model, mu)
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
    bound, pi = TwoLossBound(model, mu), (0.5, 0.3, 0.2)
    bound.shares = bound.spectrum = np.array(pi)
    e2, e4 = bound.second.error(n, delta / 2), bound.fourth.error(n, delta / 2)
    eta = e2 / (0.2 - e2)
    tensor = ((1 + eta) ** 4 - 1) / 0.2 + e4 / (0.2 - e2) ** 2
    steps = bound.steps(n, delta)
    np.testing.assert_allclose(steps["tensor"], tensor)
    np.testing.assert_allclose(steps["room"], 0.4 * 2.0 / (4 * 3 * 2 * 2.4))
    for i in range(3):
        moves = [2.31 * 2.4 * tensor / (1 / pi[m] + 0.4 / pi[i]) for m in range(3) if m != i]
        phi = np.hypot(*moves)
        np.testing.assert_allclose(steps["rotation"][i], phi)
        stretch = np.sqrt((0.5 + e2) / pi[i])
        np.testing.assert_allclose(steps["experts"][i], eta + stretch * (eta + 1.04 * phi))


def test_bound_of_the_fourth_moment_by_hand():
    """Identity link without noise: E He_4^4 twice, the net's factor 2 and its 17^k points."""
    transform = label_transforms("identity", 1e-6).q4
    bound = moment_bound(transform, 3, noise=1e-6)
    v = 368_064 / 24**2
    np.testing.assert_allclose(bound.variance, v, rtol=1e-4)
    L, n = np.log(2 * 17**3 / 0.1), 1e5
    expected = 2 * ((1 + 2**0.5) * np.sqrt(v * L / n) + 4 / 3 * bound.length * (L / n) ** 0.75)
    np.testing.assert_allclose(bound.error(n, 0.1), expected, rtol=1e-4)


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


def test_an_unbounded_slope_gets_no_guarantee():
    cubic = Link("cubic", lambda t: t + t**3 / 6, lambda t: 1 + t**2 / 2)
    bound = TwoLossBound(standard_model(5, 2, noise=0.5, link=cubic))
    assert bound.gates_given(1e-9, 1e20, 0.1) == np.inf
    assert np.isfinite(TwoLossBound(standard_model(5, 2, noise=0.5)).gates_given(1e-9, 1e20, 0.1))


@pytest.mark.parametrize(
    "experts,gates", [([[1.0, 0], [0, 1.01]], [[0.0, 0]]), (np.eye(2), [[0.0, 0.01]])]
)
def test_models_outside_the_theorem_are_refused(experts, gates):
    with pytest.raises(ValueError, match="unit experts and gates orthogonal"):
        required_samples(GatedModel(experts, gates, 0.1), 0.1)


def test_no_span_is_promised_for_half_an_eigenvalue():
    bound = TwoLossBound(standard_model(5, 2))
    n = least_samples(lambda n: bound.second.error(n, 0.05), 0.7 * bound.spectrum[-1])
    steps = bound.steps(n, 0.1)
    assert steps["second"] < bound.spectrum[-1] and np.isinf(steps["span"])


@pytest.mark.parametrize("n,works", [(150, False), (400, True), (2e5, True)])
def test_signs_need_samples(n, works):
    """Two experts with shares 1/2: 2 sqrt(v L / n) against 1/2, by hand."""
    bound = TwoLossBound(standard_model(5, 2, noise=0.1))
    s2 = 1.01
    noise = 2 * np.sqrt(np.sqrt(3 * 3 * s2**2) * np.log(4 / 0.1) / n)
    assert (noise < bound.shares.min()) is np.bool_(works)
    assert bound._signs_are_right(0.0, n, 0.1) == works
    for error in (0.1, 0.25, 0.3, 0.4, 0.9):  # e / (1 - sqrt(2) e) < 1/2 up to 0.29
        assert bound._signs_are_right(error, 1e9, 0.1) == (error < 0.29)


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


@pytest.mark.parametrize("goal", [1e-2, 1e-9])
def test_least_samples_finds_the_crossing(goal):
    found = least_samples(lambda n: 3 / np.sqrt(n), goal)
    assert 1 <= found / (3 / goal) ** 2 < 1.011
    assert least_samples(lambda n: 1.0, 0.5) == np.inf


@pytest.mark.slow
@pytest.mark.parametrize("target,eps", [("experts", 0.1), ("gates", 0.2)])
def test_the_theorem_asks_for_more_than_is_needed(target, eps):
    model = standard_model(5, 2)
    found = required_samples(model, eps, target=target, n_runs=20)
    assert found.theorem > 1e3 * found.measured > 0 and not found.extrapolated
    bound = TwoLossBound(model)
    parts, of = {"experts": (2, bound.experts), "gates": (3, bound.gates)}[target]
    goal = np.sin(eps) if target == "experts" else eps
    np.testing.assert_allclose(found.theorem / parts, least_samples(lambda n: of(n, 0.1), goal))
    n, reached = found.runs[-1]
    np.testing.assert_allclose(found.measured, n * (reached / eps) ** 2, rtol=1e-3)
    assert 0.7 < found.measured / n < 1.4


def test_required_samples_extrapolates_and_refuses():
    model = standard_model(5, 2)
    found = required_samples(model, 0.01, most=3000, n_runs=10)
    assert found.extrapolated and found.runs[-1][0] == 3000
    with pytest.raises(ValueError, match="n_runs must be at least"):
        required_samples(model, 0.1, delta=0.01)
    with pytest.raises(ValueError, match="target must be one of"):
        required_samples(model, 0.1, target="noise")
    with pytest.raises(ValueError, match="eps must be"):
        required_samples(model, 0)
    with pytest.raises(ValueError, match="kind must be one of"):
        TwoLossBound(model, kind="in-span")
