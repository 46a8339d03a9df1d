"""Sums over samples: they add up, and long terms are shortened as stated."""

import numpy as np
import pytest

from moelib import Moments, label_transforms
from moelib.experts.sums import ControlSums, PlainSums, pair_gram, score4_sum, shortened
from moelib.hermite import score_tensor


@pytest.fixture(scope="module")
def data(standard):
    _, X, y = standard(1000, d=4, n_experts=2, noise=0.3)
    weights = np.random.default_rng(0).integers(0, 3, 1000).astype(float)
    return X, y, weights, label_transforms("identity", 0.3)


@pytest.mark.parametrize("chunk", [1, 7, 2048])
def test_products_of_pairs_are_summed_with_weights_of_either_sign(chunk):
    rng = np.random.default_rng(0)
    z, weights = rng.standard_normal((50, 3)), rng.standard_normal(50)
    weights[::5] = 0
    pairs = np.array([z[:, a] * z[:, b] for a in range(3) for b in range(a, 3)])
    expected = sum(w * np.outer(p, p) for w, p in zip(weights, pairs.T, strict=True))
    np.testing.assert_allclose(pair_gram(z, weights, chunk=chunk), expected, atol=1e-12)


@pytest.mark.parametrize("kind", [PlainSums, ControlSums])
@pytest.mark.parametrize("fourth", [False, True])
def test_sums_of_parts_are_the_sums_of_the_whole(data, kind, fourth):
    X, y, weights, transforms = data
    cuts = [slice(0, 300), slice(300, 301), slice(301, 1000)]
    parts = [kind.of(X[c], y[c], weights[c], transforms, fourth=fourth) for c in cuts]
    together = sum(parts[1:], parts[0])
    whole = kind.of(X, y, weights, transforms, fourth=fourth)
    for name, value in vars(whole).items():
        np.testing.assert_allclose(getattr(together, name), value, rtol=1e-10, atol=1e-8)
    assert type(together) is kind and together.n == weights.sum()
    moments = Moments(transforms, fourth=fourth, control=kind is ControlSums)
    moments.update(X, y, weights)
    np.testing.assert_array_equal(whole.second(transforms.c2), moments.second_moment)
    if fourth:
        np.testing.assert_array_equal(whole.fourth(transforms.c4), moments.fourth_moment)


def test_sums_of_no_samples_change_nothing(data):
    X, y, weights, transforms = data
    for kind in (PlainSums, ControlSums):
        whole = kind.of(X, y, weights, transforms)
        same = whole + kind.of(X[:0], y[:0], weights[:0], transforms)
        for name, value in vars(whole).items():
            np.testing.assert_array_equal(getattr(same, name), value)


def test_sum_of_scores_from_products():
    rng = np.random.default_rng(0)
    z, q = rng.standard_normal((50, 3)), rng.standard_normal(50)
    first, last = np.triu_indices(3)
    pairs = z[:, first] * z[:, last]
    found = score4_sum((pairs * q[:, None]).T @ pairs, (z * q[:, None]).T @ z, q.sum())
    np.testing.assert_allclose(found, np.tensordot(q, score_tensor(z, 4), axes=1), atol=1e-11)


def test_truncated_terms_have_the_stated_length(standard):
    _, X, y = standard(50_000, seed=1, d=5, n_experts=2)
    transforms = label_transforms("identity", 0.05)
    for m, transform in ((2, transforms.q2), (4, transforms.q4)):
        lengths = np.linalg.norm(
            (transform(y).reshape(-1, *[1] * m) * score_tensor(X, m)).reshape(len(y), -1), axis=1
        )
        kept = shortened(transform, X, y, 2.0)
        longest = 2.0 * np.sqrt(transform.variance * np.prod(np.arange(5, 5 + m)))
        after = np.linalg.norm(
            (kept.reshape(-1, *[1] * m) * score_tensor(X, m)).reshape(len(y), -1), axis=1
        )
        np.testing.assert_allclose(after, np.minimum(lengths, longest))
        assert np.any(lengths > longest)
        np.testing.assert_array_equal(shortened(transform, X, y, None), transform(y))
