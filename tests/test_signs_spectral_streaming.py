"""Signs of the experts, the spectral method, and L4 by stochastic gradients."""

import numpy as np
import pytest

from moelib import (
    GatedModel,
    Link,
    MixtureOfExperts,
    label_transform,
    label_transforms,
    learn_experts,
    learn_experts_sgd,
    learn_experts_spectral,
    random_model,
    regressor_error,
    standard_model,
)
from moelib.data.batches import shuffled_batches
from moelib.experts.l4 import random_unit_rows, tensor_l4
from moelib.experts.moments import Moments
from moelib.experts.sgd import batch_l4, l4_sgd
from moelib.experts.signs import first_moment_signs, likelihood_signs, third_moment_signs
from moelib.experts.spectral import power_method, third_moment
from moelib.hermite import score_tensor


@pytest.mark.parametrize("link", ["identity", "tanh", "leaky_relu"])
def test_three_ways_to_the_same_signs(link):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        model = random_model(8, 3, rng, link=link)
        X, y = model.sample(50_000, rng)
        flips = rng.choice([-1.0, 1.0], 3)
        flipped = flips[:, None] * model.experts
        first = first_moment_signs(flipped, X.T @ (y - y.mean()) / len(y), link)
        third = third_moment_signs(flipped, X, y, link, model.noise)
        likely = likelihood_signs(flipped, X, y, 0.2, link)
        np.testing.assert_array_equal([first, third, likely], [flips] * 3)


def test_signs_where_the_first_moment_is_silent():
    """An odd link of mean slope zero: the third moment and the likelihood still see the sign."""
    b = 2 * np.exp(-1.5)  # the mean slope of sin(a t) is a exp(-a^2 / 2)
    link = Link(
        "waves",
        lambda t: np.sin(2 * t) - b * np.sin(t),
        lambda t: 2 * np.cos(2 * t) - b * np.cos(t),
    )
    model = standard_model(6, 2, link=link)
    X, y = model.sample(100_000, np.random.default_rng(0))
    flips = np.array([-1.0, 1.0])
    flipped = flips[:, None] * model.experts
    moment = X.T @ (y - y.mean()) / len(y)
    np.testing.assert_array_equal(first_moment_signs(flipped, moment, link), [1, 1])
    third = third_moment_signs(flipped, X, y, link, model.noise, kind="optimal")
    np.testing.assert_array_equal(third, flips)
    np.testing.assert_array_equal(likelihood_signs(flipped, X, y, 0.2, link), flips)


def test_signs_of_an_even_link():
    model = standard_model(6, 2, link=np.square)
    X, y = model.sample(2000, np.random.default_rng(0))
    np.testing.assert_array_equal(likelihood_signs(model.experts, X, y, 0.2, np.square), [1, 1])
    with pytest.raises(ValueError, match="order 3 has c_3"):
        third_moment_signs(model.experts, X, y, np.square, model.noise)


def test_third_moment_is_the_mean_of_explicit_tensors():
    rng = np.random.default_rng(0)
    X, y = standard_model(5, 2).sample(300, rng)
    transform = label_transform(3, "identity", 0.05)
    basis = np.linalg.qr(rng.standard_normal((5, 3)))[0]
    q = transform(y) - transform(y).mean()
    explicit = np.einsum("n,nabc->abc", q, score_tensor(X @ basis, 3)) / (300 * transform.c)
    np.testing.assert_allclose(third_moment(X, y, transform, basis), explicit, atol=1e-12)


@pytest.mark.parametrize("k", [2, 5, 9])
def test_power_method_takes_an_orthogonal_tensor_apart(k):
    rng = np.random.default_rng(k)
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    weights = rng.uniform(1, 3, k)
    T = np.einsum("m,ma,mb,mc->abc", weights, U, U, U)
    V, history = power_method(T, rng)
    order = np.argmax(np.abs(V @ U.T), axis=0)
    assert sorted(order) == list(range(k))
    np.testing.assert_allclose(V[order], U, atol=1e-8)  # signs too
    assert history[-1] == pytest.approx(-weights.sum())


@pytest.mark.parametrize("method", ["l4-sgd", "spectral"])
def test_estimator_with_the_other_expert_methods(method):
    model = standard_model()
    X, y = model.sample(20_000, np.random.default_rng(0))
    for seed in range(3):
        fit = MixtureOfExperts(3, method=method, random_state=seed).fit(X, y)
        assert regressor_error(fit.expert_fit_.experts, model.experts) < 0.2
        assert regressor_error(fit.experts_, model.experts) < 1e-3
        assert set(fit.history_) == {"experts", "gates", "refine"}


def test_batch_gradient_is_that_of_the_moments():
    rng = np.random.default_rng(0)
    X, y = standard_model(4, 2).sample(500, rng)
    transforms = label_transforms("identity", 0.05)
    A = random_unit_rows(2, rng, 4)
    loss, gradient = batch_l4(A, X, y, transforms, mu=0.3)
    T = Moments(transforms).update(X, y).fourth_moment
    expected, slope = tensor_l4(T, A, mu=0.3)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(gradient, slope, atol=1e-9)


def test_first_sgd_step_by_hand():
    rng = np.random.default_rng(1)
    batch = standard_model(4, 2).sample(5000, rng)
    transforms = label_transforms("identity", 0.05)
    V = random_unit_rows(2, rng, 4)
    gradient = batch_l4(V, *batch, transforms, 0.5)[1]
    moved = V - 0.01 * (gradient - np.sum(gradient * V, axis=1, keepdims=True) * V)
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(l4_sgd([batch], V, transforms, step=0.01)[0], expected)


def test_sgd_averages_over_the_second_half():
    rng = np.random.default_rng(2)
    stream = [standard_model(4, 2).sample(500, rng) for _ in range(4)]
    transforms = label_transforms("identity", 0.05)
    start = random_unit_rows(2, rng, 4)
    V, history = l4_sgd(stream, start, transforms)
    assert history[-1] == pytest.approx(np.mean(history[2:4]))
    two, _ = l4_sgd(stream[:2], start, transforms)  # of two steps the second half is the last row
    assert batch_l4(two, *stream[2], transforms, 0.5)[0] == pytest.approx(history[2])
    assert not np.allclose(V, two)


@pytest.mark.slow
def test_sgd_on_a_stream_of_fresh_batches():
    model = random_model(12, 3, np.random.default_rng(0))
    for seed in range(3):

        def fresh(rng=np.random.default_rng(seed)):
            return (model.sample(2000, rng) for _ in range(200))

        fit = learn_experts_sgd(fresh, 3, np.random.default_rng(seed))
        assert regressor_error(fit.experts, model.experts) < 0.02
        assert len(fit.history) == 201 and fit.history[-1] < fit.history[0]


def test_shuffled_batches_cover_every_row_once():
    X, y = np.arange(10.0)[:, None], np.arange(10.0)
    batches = shuffled_batches(X, y, np.random.default_rng(0), size=4)
    for _ in range(2):
        seen = list(batches())
        assert [len(labels) for _, labels in seen] == [4, 6]
        assert sorted(np.concatenate([labels for _, labels in seen])) == list(range(10))
        assert all(np.array_equal(rows[:, 0], labels) for rows, labels in seen)
    assert len(list(shuffled_batches(X[:3], y[:3], np.random.default_rng(0), size=4)())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("link, at_least", [("identity", 1.5), ("leaky_relu", 5.0), ("tanh", 1.0)])
def test_optimal_transforms_lower_the_error(link, at_least):
    """Same data, same starts, k = 4: by how much the median error falls."""
    model = standard_model(8, 4, link=link)
    errors = {"polynomial": [], "optimal": []}
    for seed in range(8):
        X, y = model.sample(60_000, np.random.default_rng(seed))
        for kind, values in errors.items():
            fit = learn_experts(X, y, 4, np.random.default_rng(0), link, kind=kind)
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
            fit = learn_experts(X, y, 4, np.random.default_rng(0), "relu", kind=kind)
            values.append(regressor_error(fit.experts, model.experts))
    assert max(errors["in-span"]) < 0.05
    assert np.median(errors["polynomial"]) > 0.2


def test_what_cannot_be_used_is_refused():
    X, y = standard_model(5, 2).sample(100, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="step must be a positive"):
        learn_experts_sgd(lambda: [(X, y)], 2, rng, step=-1.0)
    with pytest.raises(ValueError, match="mu must lie strictly between 0 and 1"):
        learn_experts_sgd(lambda: [(X, y)], 2, rng, mu=1.5)
    with pytest.raises(ValueError, match="stream must yield at least one batch"):
        l4_sgd([], np.eye(5)[:2], label_transforms())
    with pytest.raises(ValueError, match="n_experts must be at most the number of features"):
        learn_experts_spectral(X, y, 6, rng)
    with pytest.raises(ValueError, match="transforms must be one of"):
        MixtureOfExperts(2, transforms="magic").fit(X, y)


def test_truncation_is_off_far_out_and_shrinks_when_close():
    rng = np.random.default_rng(0)
    model = GatedModel(np.eye(4)[:2], np.eye(4)[2:3], 0.05)
    X, y = model.sample(2000, rng)
    transforms = label_transforms("identity", 0.05)
    plain = Moments(transforms).update(X, y)
    loose = Moments(transforms, truncate=1e6).update(X, y)
    np.testing.assert_array_equal(loose.fourth_moment, plain.fourth_moment)
    far = np.full((1, 4), 6.0), np.array([6.0])
    moved = [
        np.linalg.norm(
            Moments(transforms, truncate=t).update(X, y).update(*far).fourth_moment
            - Moments(transforms, truncate=t).update(X, y).fourth_moment
        )
        for t in (None, 3.0)
    ]
    assert moved[1] < moved[0] / 10
    with pytest.raises(ValueError, match="truncate must be a positive"):
        Moments(transforms, truncate=0)
    with pytest.raises(ValueError, match="the same fourth= and truncate="):
        plain.merge(loose)


def test_truncated_terms_have_the_stated_length():
    rng = np.random.default_rng(1)
    X, y = standard_model(5, 2).sample(50_000, rng)
    transforms = label_transforms("identity", 0.05)
    for m, transform in ((2, transforms.q2), (4, transforms.q4)):
        lengths = np.linalg.norm(
            (transform(y).reshape(-1, *[1] * m) * score_tensor(X, m)).reshape(len(y), -1), axis=1
        )
        kept = Moments(transforms, truncate=2.0)._truncated(transform, X, y)
        longest = 2.0 * np.sqrt(transform.variance * np.prod(np.arange(5, 5 + m)))
        shortened = np.linalg.norm(
            (kept.reshape(-1, *[1] * m) * score_tensor(X, m)).reshape(len(y), -1), axis=1
        )
        np.testing.assert_allclose(shortened, np.minimum(lengths, longest))
        assert np.any(lengths > longest)
