"""Learning from many data sets of one model."""

from itertools import permutations, product

import numpy as np

from moelib import standard_model
from moelib.experts.repeats import aligned, learn_sets, moment_errors, signs_found
from moelib.experts.transforms import label_transforms
from moelib.hermite import hermite


def test_aligned_experts_are_the_nearest_of_all_orders_and_signs():
    rng = np.random.default_rng(0)
    truth = np.eye(4)[:3]
    near = truth + 0.1 * rng.standard_normal((3, 4))
    A = np.array([[-1.0], [1.0], [-1.0]]) * near[[2, 0, 1]]
    candidates = [
        np.array(signs)[:, None] * A[list(order)]
        for order in permutations(range(3))
        for signs in product((-1.0, 1.0), repeat=3)
    ]
    best = min(candidates, key=lambda candidate: np.linalg.norm(candidate - truth))
    np.testing.assert_allclose(aligned(A, truth), best)
    np.testing.assert_allclose(best, near)


def test_each_data_set_is_drawn_by_its_own_generator_which_goes_on_to_the_learner():
    model, seen = standard_model(d=6), []
    turned = model.experts.copy()
    turned[0] = [np.cos(0.3), 0, 0, 0, 0, np.sin(0.3)]

    def learn(X, y, rng):
        seen.append((X, y, rng.random()))
        return -turned[::-1]

    found, angles = learn_sets(learn, model, 20, 3)
    for seed, (X, y, drawn) in enumerate(seen):
        rng = np.random.default_rng(seed)
        for ours, theirs in zip(model.sample(20, rng), (X, y), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert drawn == rng.random()
    assert len(seen) == 3
    np.testing.assert_allclose(found, np.broadcast_to(turned, (3, 3, 6)))
    np.testing.assert_allclose(angles, np.degrees(np.broadcast_to([0.3, 0, 0], (3, 3))), atol=1e-5)


def test_moment_errors_along_an_expert_are_means_of_hermite_polynomials():
    model, n = standard_model(d=6), 300
    transforms = label_transforms("identity", model.noise)
    errors = moment_errors(model, transforms, n, 2)
    for seed, (F, E) in enumerate(errors):
        X, y = model.sample(n, np.random.default_rng(seed))
        for q, error, order in ((transforms.q2, F, 2), (transforms.q4, E, 4)):
            labels = q(y) / q.c
            mean = np.mean((labels - labels.mean()) * hermite(order, X[:, 0]))
            off = error[(0,) * order] + model.shares()[0] - mean
            np.testing.assert_allclose(off, 0, atol=1e-9)
    assert len(errors) == 2


def test_signs_are_found_from_many_samples_and_not_from_experts_that_point_anywhere():
    model = standard_model(d=6)
    assert signs_found(model, 3000, 5).all()
    lost = signs_found(model, 3000, 40, off=100.0)
    assert lost.shape == (40, 3) and lost.mean() < 0.7


def test_the_first_moment_finds_the_signs_of_positive_weights_in_it():
    model, n, off = standard_model(d=6), 12, 0.5
    found = signs_found(model, n, 40, off=off)[:, 0]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = model.sample(n, rng)
        steps = rng.standard_normal((3, 6))
        near = model.experts + off * steps / np.linalg.norm(steps, axis=1)[:, None]
        near /= np.linalg.norm(near, axis=1)[:, None]
        mean = np.mean((y - y.mean())[:, None] * X, axis=0)
        weights, *_ = np.linalg.lstsq(near.T, mean, rcond=None)
        assert found[seed] == np.all(weights > 0)
    assert 0 < found.sum() < 40
