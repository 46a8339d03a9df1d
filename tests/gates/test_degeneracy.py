"""What is wrong with a fit is named, with its cure; what is right is not named."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    GatedModel,
    MixtureOfExperts,
    find_degeneracies,
    maximum_likelihood,
    standard_errors,
    standard_model,
)
from moelib.gates import separating_gate


def test_separation_is_named_with_its_cure(standard):
    _, X, y = standard(1000, d=6, gate_norm=1e5)
    with pytest.warns(AssumptionWarning) as caught:
        fit = MixtureOfExperts(3, random_state=0).fit(X, y)
    messages = [str(w.message) for w in caught if "perfectly" in str(w.message)]
    assert any("separates expert" in m and "lower gate_ridge from 0.001" in m for m in messages)
    assert np.isfinite(fit.gates_).all() and np.isfinite(fit.log_likelihood_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cured = MixtureOfExperts(3, gate_ridge=0.001, random_state=0).fit(X, y)
    assert not any("perfectly" in str(w.message) for w in caught)
    assert np.isfinite(cured.summary().table.drop(columns="z").to_numpy()).all()


def test_groups_that_are_separated_are_named_once():
    """Experts 1 and 2 share a half of the line, expert 3 has the other."""
    X = np.linspace(-1, 1, 400)[:, None]
    gates = np.array([[1e4], [1e4]])
    model = GatedModel([[1.0], [-1.0], [2.0]], gates, 0.1)
    y, _ = model.sample_labels(X, np.random.default_rng(0))
    sentences = find_degeneracies(model, X, y)
    assert len(sentences) == 1
    assert "separates experts 1, 2 from expert 3 perfectly" in sentences[0]


def test_an_expert_that_never_fires_is_named():
    model = GatedModel(np.eye(4)[:3], np.zeros((2, 4)), 0.1, gate_intercepts=[0.0, -40.0])
    X, y = model.sample(2000, np.random.default_rng(0))
    with pytest.warns(AssumptionWarning) as caught:
        fit = MixtureOfExperts(3, method="em", fit_intercept=True, init=model).fit(X, y)
    messages = [str(w.message) for w in caught]
    said = "expert 2 hardly ever fires: it answers .* of 2000 samples"
    assert any(re.match(said, message) for message in messages)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.predict(X)).all()
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("seed", range(5))
def test_coinciding_experts_are_named(seed):
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(seed))
    with pytest.warns(AssumptionWarning, match="experts . and . coincide as far as"):
        fit = MixtureOfExperts(3, method="em", n_init=3, random_state=seed).fit(X, y)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("seed", range(5))
def test_different_experts_are_not_named(standard, seed):
    _, X, y = standard(4000, seed, d=6, noise=1.0)
    fit = MixtureOfExperts(3, method="em", n_init=3, random_state=seed).fit(X, y)
    covariance = fit.standard_errors_.covariance
    assert find_degeneracies(fit.model_, X, y, covariance=covariance) == []


def test_wald_statistic_is_that_of_the_contrast():
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(0))
    fit = maximum_likelihood(X, y, twins)
    covariance = standard_errors(fit.model, X, y).covariance
    contrast = np.zeros((6, len(covariance)))
    contrast[:, :6], contrast[:, 6:12] = np.eye(6), -np.eye(6)
    difference = fit.model.experts[0] - fit.model.experts[1]
    wald = difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference)
    said = find_degeneracies(fit.model, X, y, covariance=covariance)
    assert [f"Wald statistic {wald:.2g}," in sentence for sentence in said] == [True]


def test_weights_are_repetitions_in_what_is_separated():
    """On the way from gates that leave many samples in doubt to some that leave none."""
    X = np.linspace(-1, 1, 40)[:, None]
    y, counts = np.abs(X[:, 0]), np.full(40, 3)
    found = []
    for steepness in np.geomspace(10, 5000, 60):
        model = GatedModel([[1.0], [-1.0]], [[steepness]], 0.1)
        weighted = find_degeneracies(model, X, y, sample_weight=counts)
        assert weighted == find_degeneracies(model, np.repeat(X, 3, axis=0), np.repeat(y, 3))
        found.append(len(weighted))
    assert found == sorted(found) and set(found) == {0, 1}
    assert f"gate_ridge from {1 / 120:.2g}" in weighted[0]


def test_weights_are_repetitions_in_what_hardly_fires(standard):
    """On the way from an expert that fires to one that does not."""
    model, X, y = standard(500, d=6)
    counts = 1 + 4 * (X[:, 0] > 0)
    again, found = (np.repeat(X, counts, axis=0), np.repeat(y, counts)), []
    for offset in np.linspace(0, -30, 60):
        rare = replace(model, gate_intercepts=[0.0, offset], noise=1.0)
        weighted = find_degeneracies(rare, X, y, sample_weight=counts)
        assert weighted == find_degeneracies(rare, *again)
        found.append(len(weighted))
    assert found == sorted(found) and set(found) == {0, 1}
    assert f"of {counts.sum()} samples" in weighted[0]


def test_a_separating_gate_is_found_just_where_one_exists():
    """In one dimension two experts are separated iff their samples lie on two sides of zero."""
    model = GatedModel([[1.0], [-1.0]], [[0.0]], 0.1)
    X = np.array([[-2.0], [-1.0], [0.5], [3.0]])
    W = separating_gate(model, X, np.abs(X[:, 0]))
    assert W.shape == (1, 1) and np.all(W[0] * X[:, 0] * np.sign(X[:, 0]) >= 1 - 1e-9)
    assert separating_gate(model, X, np.array([2.0, -1.0, 0.5, 3.0])) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_separating_gate_sends_each_sample_to_its_nearest_expert(seed):
    model = standard_model(d=6, gate_norm=1e5, noise=1e-6)
    X, y, z = model.sample(60, np.random.default_rng(seed), return_expert=True)
    scores = np.column_stack([X @ separating_gate(model, X, y).T, np.zeros(60)])
    ahead = scores[np.arange(60), z][:, None] - scores
    assert np.all(ahead[np.arange(3) != z[:, None]] >= 1 - 1e-6)
