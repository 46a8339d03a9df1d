"""Exact tests, against counting all cases."""

from itertools import chain, combinations, product

import numpy as np
import pytest
from scipy.stats import binomtest

from moelib.experiments.sign_flips import holm, sign_flip_test


def test_sign_flips_against_all_signs_one_by_one():
    rng = np.random.default_rng(1)
    for d in range(1, 9):
        gaps = rng.integers(-5, 6, d) / 5
        signs = np.array(list(product([-1, 1], repeat=d)))
        far = np.abs(signs @ np.abs(gaps)) >= np.abs(gaps.sum()) - 1e-9
        np.testing.assert_allclose(sign_flip_test(gaps), far.mean(), atol=1e-12)


def test_sign_flips_of_equal_differences_are_the_sign_test():
    for up in range(21):
        gaps = np.repeat([1.0, -1.0], [up, 20 - up])
        np.testing.assert_allclose(sign_flip_test(gaps), binomtest(up, 20).pvalue)
    assert sign_flip_test(np.zeros(4)) == 1
    with pytest.raises(ValueError, match="at most 24"):
        sign_flip_test(np.ones(25))


def test_holm_is_bonferroni_in_every_subset():
    """A test is rejected when all sets of tests with it are, each by its least p-value."""
    p = np.random.default_rng(2).random(6) ** 3
    subsets = chain.from_iterable(combinations(range(6), size) for size in range(1, 7))
    worst = np.zeros(6)
    for some in map(list, subsets):
        worst[some] = np.maximum(worst[some], min(1, len(some) * p[some].min()))
    np.testing.assert_allclose(holm(p), worst)
