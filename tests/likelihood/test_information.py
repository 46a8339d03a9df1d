"""The observed information, against torch's Hessian and differences of the score."""

import numpy as np
import pytest
import torch

from moelib import FreeParameters, GatedModel, Link, log_loss
from moelib.likelihood import mean_score, observed_information, score_moments
from moelib.likelihood.information import complete_diagonal
from moelib.validation import as_sample

KINDS = {
    "plain": FreeParameters(),
    "intercepts": FreeParameters(intercepts=True),
    "noise each": FreeParameters(intercepts=True, noise="per-expert"),
    "known noise": FreeParameters(noise=False),
    "constant gate": FreeParameters(gate_slopes=False, noise="per-expert"),
    "ridge": FreeParameters(intercepts=True, gate_ridge=(0.3, 0.0, 1.2)),
    "own columns": FreeParameters(
        intercepts=True, noise="per-expert", expert_features=(0, 2), gate_features=(1,)
    ),
    "no gate columns": FreeParameters(intercepts=True, gate_features=()),
}


def problem(k, free, *, link="identity", n=40, seed=0, noises=None):
    """A model of what ``free`` learns, samples that are not from it, and weights."""
    rng = np.random.default_rng(seed)
    each = rng.uniform(0.4, 0.9, k) if noises is None else noises
    model = GatedModel(
        rng.standard_normal((k, 3)),
        rng.standard_normal((k - 1, 3)) * free.gate_slopes,
        each if free.noise_per_expert or noises is not None else each[0],
        link,
        rng.standard_normal(k) * free.intercepts,
        rng.standard_normal(k - 1) * free.gate_intercepts,
    )
    X, y = rng.standard_normal((n, 3)), rng.standard_normal(n)
    return free.restricted(model), X, y, rng.integers(0, 4, n).astype(float)


def torch_hessian(model, X, y, weights, free):
    """Second derivatives of the weighted mean of ``log_loss``, with the penalty, by torch.

    Rows of fewer columns are spread over all and an intercept by a constant matrix.
    """
    k, d = model.experts.shape
    design = np.column_stack([X, np.ones(len(X))])
    spread = []
    for columns, intercept in (
        (free.expert_columns(d), free.intercepts),
        (free.gate_columns(d), free.gate_intercepts),
    ):
        spread.append(torch.tensor(np.eye(d + 1)[columns + [d] * intercept]))
    ridge = torch.tensor(np.broadcast_to(free.gate_ridge, d).copy())

    def loss(theta):
        experts, gates, log_noises = free.blocks(theta, k, d)
        A, W = experts @ spread[0], gates @ spread[1]
        noise = torch.tensor(np.array(model.noise))
        if free.noise:
            noise = log_noises.exp() if free.noise_per_expert else log_noises[0].exp()
        total = (ridge * W[:, :d] ** 2).sum() / 2
        for row, label, weight in zip(design, y, weights / weights.sum()):
            one = log_loss(A, W, noise, row[None], np.array([label]), link=model.link)
            total = total + weight * one
        return total

    return torch.autograd.functional.hessian(loss, torch.tensor(free.vector(model))).numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_information_is_torchs_hessian(kind, k):
    free = KINDS[kind]
    model, X, y, weights = problem(k, free, n=15)
    expected = torch_hessian(model, X, y, weights, free)
    H = observed_information(model, X, y, free=free, sample_weight=weights)
    assert H.shape == (free.count(k, 3),) * 2 and np.abs(H).max() > 0.1
    np.testing.assert_allclose(H, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("link", ["tanh", "sigmoid", "relu", "leaky_relu"])
@pytest.mark.parametrize("k", [1, 3])
def test_links_bring_their_second_derivative(link, k):
    free = FreeParameters(intercepts=True, noise="per-expert")
    model, X, y, weights = problem(k, free, link=link, n=15, seed=1)
    expected = torch_hessian(model, X, y, weights, free)
    H = observed_information(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(H, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("link", ["identity", "tanh", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_information_is_minus_the_derivative_of_the_score(kind, link):
    """A link without a second derivative gets one by differences of its first."""
    free = KINDS[kind]
    own = Link("own", lambda t: t + np.sin(t), lambda t: 1 + np.cos(t))
    model, X, y, weights = problem(3, free, link=own if link == "own" else link)

    def score(at):
        return mean_score(at, X, y, free=free, sample_weight=weights)

    expected = -free.derivatives(score, model)
    H = observed_information(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(H, expected, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(H, H.T, atol=1e-12 * np.abs(H).max())


def test_known_noises_of_single_experts_enter():
    """A noise for each that is not learned: blocks of the information where it is."""
    free, all_free = FreeParameters(noise=False), FreeParameters(noise="per-expert")
    model, X, y, _ = problem(3, free, noises=np.array([0.3, 0.6, 1.2]))
    H, whole = (observed_information(model, X, y, free=f) for f in (free, all_free))
    np.testing.assert_allclose(H, whole[:-3, :-3], atol=1e-13)


def test_one_noise_for_all_is_the_sum_over_experts():
    free, each = FreeParameters(), FreeParameters(noise="per-expert")
    model, X, y, _ = problem(3, free)
    sum_up = np.eye(free.count(3, 3) + 2)[:, : free.count(3, 3)]
    sum_up[-3:, -1] = 1.0
    H, whole = (observed_information(model, X, y, free=f) for f in (free, each))
    np.testing.assert_allclose(H, sum_up.T @ whole @ sum_up, atol=1e-12)


def test_one_expert_is_the_information_of_a_regression():
    """In closed form: D'D / sigma^2, D'e (2 / sigma^2) and 2 e'e / sigma^2, over n."""
    free = FreeParameters(intercepts=True)
    model, X, y, weights = problem(1, free)
    D, sigma = free.expert_design(X), model.noise
    e, w = y - model.mean(X), weights / weights.sum()
    expected = np.block(
        [
            [(D.T * w) @ D, 2 * ((D.T * w) @ e)[:, None]],
            [2 * ((D.T * w) @ e)[None], 2 * np.array([[w @ e**2]])],
        ]
    )
    H = observed_information(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(H, expected / sigma**2, rtol=1e-12, atol=1e-12)


def test_weights_are_repetitions_and_blocks_do_not_count(monkeypatch):
    free = KINDS["noise each"]
    model, X, y, weights = problem(2, free, n=700)
    H = observed_information(model, X, y, free=free, sample_weight=weights)
    counts = weights.astype(int)
    repeated = observed_information(
        model, np.repeat(X, counts, axis=0), np.repeat(y, counts), free=free
    )
    np.testing.assert_allclose(H, repeated, atol=1e-12 * np.abs(H).max())
    monkeypatch.setattr("moelib.likelihood.information.ENTRIES", 1)  # 256 rows at a time
    cut = observed_information(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(cut, H, atol=1e-12 * np.abs(H).max())


def test_the_mean_information_is_that_of_the_scores(standard):
    """Of samples from the model itself: each entry within 5 standard errors."""
    free = FreeParameters(intercepts=True, noise="per-expert")
    model = GatedModel([[1.0, 0], [-0.5, 1]], [[0.5, 1]], [0.5, 1.0], "identity", [0.3, 0], [0.2])
    X, y = model.sample(20_000, np.random.default_rng(0))
    parts = [slice(start, start + 100) for start in range(0, len(y), 100)]
    gaps = [
        observed_information(model, X[part], y[part], free=free)
        - score_moments(model, X[part], y[part], free=free)[1]
        for part in parts
    ]
    error = np.std(gaps, axis=0) / np.sqrt(len(gaps))
    assert np.all(np.abs(np.mean(gaps, axis=0)) < 5 * error)


@pytest.mark.parametrize("kind", KINDS)
def test_the_complete_diagonal_is_that_of_a_sample_whose_experts_are_known(kind):
    """Second differences of the expected complete log-likelihood, responsibilities held."""
    free = KINDS[kind]
    model, X, y, weights = problem(3, free, n=60)
    r = model.posterior(X, y)
    share = weights / weights.sum()

    def complete(at):
        penalty = np.sum(np.broadcast_to(free.gate_ridge, 3) * at.gates**2) / 2
        return share @ np.sum(r * at.log_joint(X, y), axis=1) - penalty

    found = complete_diagonal(model, as_sample(X, y, weights), free)
    h, here = 1e-4, complete(model)
    _, _, noises = free.blocks(np.arange(len(found)), 3, 3)
    for j, step in enumerate(h * np.eye(len(found))):
        around = complete(free.moved(model, step)) + complete(free.moved(model, -step))
        if j in noises:  # of its expectation under the model, where e^2 = sigma^2
            continue
        assert found[j] == pytest.approx((2 * here - around) / h**2, rel=1e-4, abs=1e-5)
    expected = 2 * share @ r if free.noise_per_expert else [2.0] * bool(free.noise)
    np.testing.assert_allclose(found[noises], expected, rtol=1e-12)
