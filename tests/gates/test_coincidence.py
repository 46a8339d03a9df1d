"""Experts that answer alike and differ in their noise: named where they do, and only there."""

import warnings

import numpy as np
import pytest

from moelib import MixtureOfExperts


def remarks(X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixtureOfExperts(2, n_init=3, random_state=0).fit(X, y)
    return [sentence for sentence in fit.remarks_ if "answer alike" in sentence]


@pytest.mark.parametrize("seed", range(4))
def test_one_line_with_two_noises_is_named(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1000, 2))
    noise = np.where(rng.random(1000) < 0.3, 2.0, 0.4)
    (sentence,) = remarks(X, 1 + X @ [1.0, 0.5] + noise * rng.standard_normal(1000))
    assert sentence.startswith("experts 1 and 2 answer alike and differ in their noise only")


@pytest.mark.parametrize("seed", range(4))
def test_two_lines_with_two_noises_are_not(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1000, 2))
    first = rng.random(1000) < 1 / (1 + np.exp(-2 * X[:, 1]))
    noise = np.where(first, 1.0, 0.4) * rng.standard_normal(1000)
    assert remarks(X, np.where(first, 1 + X[:, 0], -1 - X[:, 0]) + noise) == []
