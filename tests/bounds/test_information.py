"""The Fisher information and the Cramér-Rao bound: quadrature, closed forms and symmetries."""

from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    cramer_rao_bound,
    fisher_information,
    maximum_likelihood,
    scoring_step,
    standard_errors,
    standard_model,
)
from moelib.bounds import complete_information
from moelib.likelihood.score import score_moments, scores
from moelib.metrics import unit_rows


def small_model(noise=0.7, link="identity"):
    A = [[1.0, 0.2, 0.0, 0.0], [-0.3, 0.8, 0.0, 0.0]]
    return GatedModel(A, [[0.2, 0.0, 0.9, 0.0]], noise, link)


FREE = {
    "plain": FreeParameters(),
    "intercepts": FreeParameters(intercepts=True),
    "noise each": FreeParameters(intercepts=True, noise="per-expert"),
    "own columns": FreeParameters(
        intercepts=True, noise="per-expert", expert_features=(0, 1), gate_features=(0, 2)
    ),
}


def model_of(free, link="identity"):
    """The small model; with noises 0.7 and 1.1 where each expert has its own."""
    model = small_model(link=link)
    return replace(model, noise=[0.7, 1.1]) if free.noise_per_expert else model


@pytest.mark.parametrize("kind", FREE)
@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_quadrature_agrees_with_monte_carlo(link, kind):
    """Each entry within 4.5 standard errors of the mean of the scores' products."""
    free = FREE[kind]
    model = model_of(free, link)
    exact = fisher_information(model, free=free, method="quadrature", n_nodes=16)
    finer = fisher_information(model, free=free, method="quadrature", n_nodes=20)
    assert np.abs(exact - finer).max() < 6e-4
    X, y = model.sample(100_000, np.random.default_rng(0))
    S = scores(model, X, y, free=free)
    products = S[:, :, None] * S[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(y))
    assert np.all(np.abs(products.mean(axis=0) - exact) < 4.5 * error + 6e-4)
    drawn = fisher_information(model, free=free, n_draws=100_000, rng=np.random.default_rng(1))
    assert np.all(np.abs(drawn - exact) < 4.5 * error + 6e-4)


def test_monte_carlo_repeats_itself_and_has_the_size_asked_for():
    model = small_model()
    first, second = (fisher_information(model, n_draws=30_000) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    seeded = fisher_information(model, n_draws=30_000, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(first, seeded)
    bound = cramer_rao_bound(model, 50, n_draws=30_000)
    np.testing.assert_allclose(bound.covariance, np.linalg.inv(first) / 50)
    X, y = model.sample(16384, np.random.default_rng(0))
    J = fisher_information(model, n_draws=16384, rng=np.random.default_rng(0))
    np.testing.assert_allclose(J, score_moments(model, X, y)[1], rtol=1e-10)


@pytest.mark.parametrize("kind", FREE)
@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_complete_information_is_that_of_samples_that_name_their_expert(link, kind):
    """Products of the slopes of log p_z(x) + log N(y), by differences; 4.5 standard errors."""
    free = FREE[kind]
    model = model_of(free, link)
    X, y, z = model.sample(40_000, np.random.default_rng(0), return_expert=True)

    def complete_log_density(m):
        return m.log_joint(X, y)[np.arange(len(z)), z]

    S = free.derivatives(complete_log_density, model)
    products = S[:, :, None] * S[:, None, :]
    J = complete_information(model, free=free, n_draws=1_000_000)
    spread = products.std(axis=0) / np.sqrt(len(z))
    assert np.all(np.abs(products.mean(axis=0) - J) < 4.5 * spread + 0.01 * np.abs(J).max())
    seen = fisher_information(model, free=free, method="quadrature", n_nodes=16)
    assert np.linalg.eigvalsh(J - seen)[0] > -0.01


def test_known_noise_and_constant_gates_shorten_the_complete_information():
    model = small_model()
    whole = complete_information(model, n_draws=20_000)
    part = complete_information(model, free=FreeParameters(noise=False), n_draws=20_000)
    np.testing.assert_array_equal(part, whole[:-1, :-1])
    constant = FreeParameters(gate_slopes=False)
    p = model.gate_probabilities(np.random.default_rng(0).standard_normal((20_000, 4)))
    J = complete_information(model, free=constant, n_draws=20_000)
    np.testing.assert_allclose(J[8, 8], np.mean(p[:, 0] * p[:, 1]))
    np.testing.assert_allclose(J[9], np.append(np.zeros(9), 2))


def test_bound_of_known_experts_and_noise():
    """When the answers tell the experts apart, least squares and a sample variance are the best."""
    model = GatedModel([[50.0, 0.0], [-50.0, 0.0]], [[0.0, 0.0]], noise=0.1)
    bound = cramer_rao_bound(model, 10_000)
    np.testing.assert_allclose(bound.experts, 0.1 / np.sqrt(5000), rtol=0.03)
    np.testing.assert_allclose(bound.noise, 0.1 / np.sqrt(20_000), rtol=0.01)
    # a fair coin as logistic regression: information 1/4 a coordinate
    np.testing.assert_allclose(bound.gates, 2 / np.sqrt(10_000), rtol=0.02)


def test_more_samples_and_fewer_unknowns_bring_it_down():
    model = small_model()
    J = fisher_information(model, method="quadrature")
    once, four = (cramer_rao_bound(model, n, information=J) for n in (1000, 4000))
    np.testing.assert_allclose(once.experts, 2 * four.experts)
    unit = GatedModel(
        model.experts / np.linalg.norm(model.experts, axis=1, keepdims=True),
        model.gates,
        model.noise,
    )
    J = fisher_information(unit, method="quadrature")
    free = cramer_rao_bound(unit, 1000, information=J)
    held = cramer_rao_bound(unit, 1000, information=J, unit_experts=True)
    difference = free.covariance - held.covariance
    assert np.linalg.eigvalsh(difference)[0] > -1e-15
    assert np.linalg.matrix_rank(difference, tol=1e-9) == 2
    along = np.zeros(len(J))
    along[:4] = unit.experts[0]
    np.testing.assert_allclose(held.covariance @ along, 0, atol=1e-15)
    np.testing.assert_allclose(held.noise, unit.noise * np.sqrt(held.covariance[-1, -1]))


def test_relabelling_permutes_the_bound_and_another_reference_gate_keeps_it():
    model = standard_model(3, 2, noise=0.6)
    swapped = GatedModel(model.experts[::-1], -model.gates, 0.6)
    first, second = (
        cramer_rao_bound(m, 100, method="quadrature", n_nodes=28) for m in (model, swapped)
    )
    np.testing.assert_allclose(first.experts, second.experts[::-1], rtol=1e-6)
    np.testing.assert_allclose(first.gates, second.gates, rtol=1e-6)


def test_coinciding_experts_have_no_bound():
    model = GatedModel([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0]], noise=0.5)
    with pytest.warns(AssumptionWarning, match="the information matrix is singular"):
        bound = cramer_rao_bound(model, 100, n_nodes=10, method="quadrature")
    assert np.all(np.isinf(bound.gates)) and np.isfinite(bound.noise)


def test_standard_errors_tend_to_the_bound():
    model = standard_model(4, 2, noise=0.5)
    X, y = model.sample(100_000, np.random.default_rng(0))
    found, bound = standard_errors(model, X, y), cramer_rao_bound(model, len(y))
    np.testing.assert_allclose(found.experts, bound.experts, rtol=0.03)
    np.testing.assert_allclose(found.gates, bound.gates, rtol=0.03)


def test_one_scoring_step_squares_the_error():
    """From truth + t: the distance to the maximum falls as t^2, so by 4 when t is halved."""
    model = small_model(noise=0.5)
    X, y = model.sample(50_000, np.random.default_rng(0))
    free = FreeParameters()
    best = maximum_likelihood(X, y, model, tol=1e-14).model
    best = scoring_step(best, X, y)
    goal, push = free.vector(best), np.random.default_rng(1).standard_normal(13)
    left = []
    for t in (0.04, 0.02, 0.01):
        start = free.from_vector(goal + t * push / np.linalg.norm(push), like=model)
        left.append(np.linalg.norm(free.vector(scoring_step(start, X, y)) - goal))
    # the information is the outer product, not the Hessian: a share of t is left too
    assert left[0] < 0.02 and left[2] < left[1] < left[0]
    assert left[0] / left[1] > 2.5


def test_a_step_that_is_too_long_is_halved():
    model = GatedModel(np.eye(3)[:2], [[0.0, 0.0, 0.0]], noise=1e-3)
    X, y = standard_model(3, 2, noise=1.0).sample(200, np.random.default_rng(0))
    moved = scoring_step(model, X, y)
    assert np.all(np.isfinite(moved.experts)) and moved.noise > model.noise


@pytest.mark.parametrize("method", ["monte-carlo", "quadrature"])
@pytest.mark.parametrize(
    "free",
    [
        FreeParameters(noise=False),
        FreeParameters(intercepts=True, noise=False),
        FreeParameters(gate_slopes=False),
        FreeParameters(gate_slopes=False, intercepts=True),
    ],
)
def test_fewer_unknowns_are_a_part_of_the_information(method, free):
    """The parts of the information with everything free, found by their places."""
    model, all_free = small_model(), FreeParameters(intercepts=True)
    options = dict(method=method, n_draws=3000, n_nodes=8)
    places = np.arange(13 + 3)
    experts, gates, noise = all_free.blocks(places, 2, 4)
    kept = [
        (experts if free.intercepts else experts[:, :4]).ravel(),
        gates[:, 0 if free.gate_slopes else 4 : 5 if free.gate_intercepts else 4].ravel(),
        noise if free.noise else noise[:0],
    ]
    kept = np.concatenate(kept)
    whole = fisher_information(model, free=all_free, **options)
    part = fisher_information(model, free=free, **options)
    np.testing.assert_allclose(part, whole[np.ix_(kept, kept)], atol=1e-12)


def test_quadrature_of_a_model_that_sees_nothing():
    """Experts and gates zero: the label is noise; J by hand."""
    model = GatedModel(np.zeros((2, 3)), np.zeros((1, 3)), noise=0.5)
    J = fisher_information(model, method="quadrature", n_nodes=12)
    expected = np.zeros((10, 10))
    expected[:6, :6] = np.kron(np.full((2, 2), 0.25 / 0.25), np.eye(3))
    expected[9, 9] = 2
    np.testing.assert_allclose(J, expected, atol=1e-9)


def test_known_lengths_by_hand():
    """Sharp labels, no gate: regression on n pi samples; a length is one coordinate of d."""
    model = GatedModel([[2.0, 0.0, 0.0], [0.0, 0.0, -0.5]], np.zeros((1, 3)), noise=1e-4)
    J = fisher_information(model, n_draws=100_000)
    bound = cramer_rao_bound(model, 800, information=J, unit_experts=True)
    each = 1e-4 / np.sqrt(400)
    np.testing.assert_allclose(bound.experts[0], [0, each, each], rtol=0.03, atol=1e-12)
    np.testing.assert_allclose(bound.experts[1], [each, each, 0], rtol=0.03, atol=1e-12)
    np.testing.assert_allclose(bound.noise, 1e-4 / np.sqrt(1600), rtol=0.03)


def test_known_lengths_with_intercepts_leave_them_free():
    model, free = small_model(), FreeParameters(intercepts=True)
    J = fisher_information(model, free=free, n_draws=20_000)
    held = cramer_rao_bound(model, 100, free=free, information=J, unit_experts=True)
    for i in range(2):
        along = np.zeros(len(J))
        along[5 * i : 5 * i + 4] = model.experts[i]
        np.testing.assert_allclose(held.covariance @ along, 0, atol=1e-14)
    assert np.all(held.expert_intercepts > 0.01)


def test_coinciding_experts_of_known_length_are_refused():
    model = GatedModel([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0]], noise=0.5)
    with pytest.raises(ValueError, match="information must determine all parameters"):
        cramer_rao_bound(model, 100, n_nodes=10, method="quadrature", unit_experts=True)


@pytest.mark.parametrize("tiny", [[7], [7, 8], [9]])
def test_one_parameter_without_information_is_enough_to_refuse(tiny):
    """Beyond rounding, 1e-12 of the largest: gates or noise that the data hardly see."""
    model, J = standard_model(3, 2), 1000 * np.eye(10)
    J[tiny, tiny] = 1e-8
    bound = cramer_rao_bound(model, 1, information=J, unit_experts=True)
    np.testing.assert_allclose(np.diag(bound.covariance)[tiny], 1e8)
    J[tiny, tiny] = 1e-10
    with pytest.raises(ValueError, match="information must determine all parameters"):
        cramer_rao_bound(model, 1, information=J, unit_experts=True)


def test_quadrature_of_many_nodes_is_refused():
    """Nodes to the power of the directions and the label, for each expert."""
    with pytest.raises(ValueError, match="give fewer nodes or use method='monte-carlo'"):
        fisher_information(standard_model(10, 5), method="quadrature")
    model = standard_model(
        5, 2
    )  # three directions: 2 * 39^4 nodes are fewer than 5e6, 2 * 40^4 not
    with pytest.raises(ValueError, match="over 3 directions with n_nodes=40 takes 5.1e[+]06 nodes"):
        fisher_information(model, method="quadrature", n_nodes=40)


@pytest.mark.parametrize(
    "changes,message",
    [
        (dict(method="exact"), "method must be one of"),
        (dict(rng=0), "rng must be"),
        (dict(rng=0, method="quadrature"), "rng must be"),
        *[(dict(n_draws=n), "n_draws must be a positive") for n in (0, -1, np.nan, np.inf, "a")],
        *[(dict(n_nodes=n), "n_nodes must be a positive") for n in (0, -1, np.nan, np.inf, "a")],
    ],
)
def test_what_is_no_information_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        fisher_information(standard_model(5, 2), **changes)


@pytest.mark.parametrize("n", [0, -5, np.nan, np.inf, "a"])
def test_what_is_no_number_of_samples_is_refused(n):
    with pytest.raises(ValueError, match="n must be a positive"):
        cramer_rao_bound(standard_model(5, 2), n)


@pytest.mark.parametrize("unit_experts", [False, True])
@pytest.mark.parametrize("shape", [(9, 9), (10, 9), (9, 10), (11, 11), (10,)])
def test_information_of_other_parameters_is_refused(shape, unit_experts):
    """Three inputs, two experts: ten parameters, of which nine look like a model without noise."""
    with pytest.raises(ValueError, match="information must"):
        cramer_rao_bound(
            standard_model(3, 2), 10, information=np.ones(shape), unit_experts=unit_experts
        )


def test_information_with_holes_is_refused():
    with pytest.raises(ValueError, match="information must be finite"):
        cramer_rao_bound(standard_model(3, 2), 10, information=np.full((10, 10), np.nan))


def test_half_a_draw_is_one():
    model = small_model()
    J = fisher_information(model, n_draws=0.5)
    assert np.linalg.matrix_rank(J) == 1 and np.all(np.isfinite(J))


@pytest.mark.parametrize("call", [fisher_information, cramer_rao_bound])
def test_arguments_go_by_name(call):
    with pytest.raises(TypeError, match="positional"):
        call(standard_model(3, 2), FreeParameters(), FreeParameters())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nearby_densities_have_an_envelope(seed):
    """The log-ratio is at most (2 + 3 / 2) reach (1 + |x|^2 + max e^2) at noise 1, far out too."""
    model, free = standard_model(3, 2, noise=1.0), FreeParameters()
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((5000, 3)) * rng.choice([1, 10], (5000, 1))
    y = X[np.arange(5000), rng.integers(2, size=5000)] + rng.standard_normal(5000)
    e = y[:, None] - model.expert_means(X)
    size = 1 + np.sum(X**2, axis=1) + np.max(e**2, axis=1)
    steps = unit_rows([*np.eye(10), *rng.standard_normal((10, 10))])
    shares = []
    for reach in (0.01, 0.1, 1.0):
        moved = [free.moved(model, reach * step).log_density(X, y) for step in steps]
        shares.append(np.max((moved - model.log_density(X, y)) / (3.5 * reach * size)))
    assert max(shares) <= 1 and 0.1 < shares[0] < 0.5


# --- one expert, a noise for each, own columns ----------------------------------------------------


@pytest.mark.parametrize("noise", [True, "per-expert"])
@pytest.mark.parametrize("method", ["monte-carlo", "quadrature"])
def test_one_expert_has_the_information_of_a_regression(method, noise):
    """E[x x'] / sigma^2, and 2 for the log noise; the bound is sigma / sqrt(n)."""
    free = FreeParameters(intercepts=True, noise=noise)
    model = GatedModel([[1.0, -0.5]], [], 0.4, expert_intercepts=[2.0])
    J = fisher_information(model, free=free, method=method, n_draws=200_000)
    expected = np.diag([1, 1, 1, 2 * 0.4**2]) / 0.4**2
    np.testing.assert_allclose(J, expected, atol=0.1 if method == "monte-carlo" else 1e-9)
    whole = complete_information(model, free=free, n_draws=200_000)
    np.testing.assert_allclose(whole, expected, atol=0.1)
    exact = dict(method="quadrature", n_nodes=20)
    bound = cramer_rao_bound(model, 400, free=free, **exact)
    np.testing.assert_allclose(bound.experts, 0.4 / 20, rtol=1e-6)
    np.testing.assert_allclose(bound.noise, 0.4 / np.sqrt(800), rtol=1e-6)
    held = cramer_rao_bound(model, 400, free=free, unit_experts=True, **exact)
    along = np.array([1.0, -0.5, 0, 0])
    np.testing.assert_allclose(held.covariance @ along, 0, atol=1e-15)


def test_known_answers_give_each_noise_its_own_share():
    """Experts far apart: sigma_i / sqrt(2 n pi_i), and slopes sigma_i / sqrt(n pi_i)."""
    model = GatedModel([[80.0, 0.0], [-80.0, 0.0]], [[0.0, 0.0]], [0.1, 0.4])
    free = FreeParameters(noise="per-expert")
    bound = cramer_rao_bound(model, 10_000, free=free)
    np.testing.assert_allclose(bound.noise, np.array([0.1, 0.4]) / np.sqrt(10_000), rtol=0.02)
    expected = np.array([[0.1], [0.4]]) / np.sqrt(5000) * np.ones((2, 2))
    np.testing.assert_allclose(bound.experts, expected, rtol=0.03)


def test_one_noise_for_all_is_the_sum_over_experts():
    """J of one noise is that of several, their rows and columns added; the bound is lower."""
    model, each = small_model(), FreeParameters(noise="per-expert")
    J = fisher_information(model, method="quadrature", n_nodes=12)
    several = replace(model, noise=[0.7, 0.7])
    whole = fisher_information(several, free=each, method="quadrature", n_nodes=12)
    add = np.eye(14)[:, :13]
    add[-2:, -1] = 1.0
    np.testing.assert_allclose(J, add.T @ whole @ add, atol=1e-10)
    one = cramer_rao_bound(model, 100, information=J)
    more = cramer_rao_bound(several, 100, free=each, information=whole)
    assert np.all(more.experts >= one.experts - 1e-12) and np.all(more.noise > one.noise)


def test_known_lengths_of_experts_on_own_columns():
    free = FREE["own columns"]
    model = model_of(free)
    J = fisher_information(model, free=free, n_draws=20_000)
    held = cramer_rao_bound(model, 100, free=free, information=J, unit_experts=True)
    for i, places in enumerate(([0, 1], [3, 4])):
        along = np.zeros(len(J))
        along[places] = model.experts[i, :2]
        np.testing.assert_allclose(held.covariance @ along, 0, atol=1e-14)
    assert not np.any(held.experts[:, 2:]) and not np.any(held.gates[:, [1, 3]])
    assert np.all(held.experts[:, :2] > 0) and np.all(held.gates[:, [0, 2]] > 0)
