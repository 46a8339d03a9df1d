"""Fits whose model is known, to draw from."""

import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, MixtureOfExperts

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    """Whatever a test sets stays in it, and none of its figures stays open."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


def model_of(k, d, rng, noises=True):
    """k experts, each with a region of the first input and a noise of its own."""
    gates = rng.standard_normal((k - 1, d))
    gates[:, 0] = 3 * np.arange(1 - k, 0)
    return GatedModel(
        rng.standard_normal((k, d)),
        gates,
        0.2 + 0.3 * np.arange(k) if noises else 0.4,
        expert_intercepts=3.0 * np.arange(k),
        gate_intercepts=rng.standard_normal(k - 1),
    )


def carrying(model, X, y):
    """A fitted estimator that holds a given model in place of what it has found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = dict(fit_intercept=True, n_init=1, max_iter=2, random_state=0)
        fit = MixtureOfExperts(2, "em", **options).fit(X, y)
    fit.model_ = model
    return fit


@pytest.fixture
def known():
    """A function that returns an estimator with a known model, a frame and labels."""

    def make(k=3, d=2, n=200, seed=0, names=None, noises=True):
        rng = np.random.default_rng(seed)
        model = model_of(k, d, rng, noises)
        X = pd.DataFrame(rng.standard_normal((n, d)), columns=names or list("abcdef"[:d]))
        y = pd.Series(model.sample_labels(X.to_numpy(), rng)[0], name="sales")
        return carrying(model, X, y), X, y

    return make
