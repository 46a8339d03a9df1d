"""Fits of five data sets against those of flexmix, an R package; R is not needed here."""

import itertools
import runpy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from moelib import MixtureOfExperts
from moelib.experiments import tables

FOLDER = tables.BOOK / "flexmix"
DATA = ["crossing", "fan", "three", "years", "units"]


def read_data(name):
    """Inputs as a frame, labels, and weights or None."""
    table = pd.read_csv(FOLDER / f"{name}.csv", comment="#")
    weight = table["weight"].to_numpy(float) if "weight" in table else None
    return table.drop(columns=["y", "weight"], errors="ignore"), table["y"].to_numpy(), weight


def read_reference(name):
    """Flexmix's fit: experts and gates (k, 1 + d), intercepts first, sigmas (k,), statistics."""
    table = pd.read_csv(FOLDER / "reference.csv", comment="#")
    parts = dict(list(table[table["data"] == name].groupby("quantity")["value"]))
    values = {key: part.to_numpy() for key, part in parts.items()}
    k = int(values["k"].item())
    return SimpleNamespace(
        experts=values["expert"].reshape(k, -1),
        gates=values["gate"].reshape(k, -1),
        sigmas=values["sigma"],
        n_parameters=int(values["df"].item()),
        **{key: values[key].item() for key in ("logLik", "BIC", "logLik_as_shipped")},
    )


def written_out(experts, gates, sigmas, X, y, weight):
    """The log-likelihood, from its formula."""
    Z = np.column_stack([np.ones(len(X)), X])
    shares = np.exp(Z @ gates.T)
    shares /= shares.sum(axis=1, keepdims=True)
    density = (shares * norm.pdf(y[:, None], Z @ experts.T, sigmas)).sum(axis=1)
    return np.sum(np.log(density) * (1.0 if weight is None else weight))


def into_units(coefficients, centre, scale):
    """Coefficients in inputs X, intercepts first, as those in (X - centre) / scale."""
    intercepts = coefficients[:, 0] + coefficients[:, 1:] @ centre
    return np.column_stack([intercepts, coefficients[:, 1:] * scale])


def as_estimated(name):
    """The estimator's fit, experts in flexmix's order and gates relative to flexmix's first."""
    X, y, weight = read_data(name)
    reference = read_reference(name)
    k, d = len(reference.experts), X.shape[1]
    options = dict(method="em", noise="per-expert", n_init=20, random_state=0)
    fit = MixtureOfExperts(k, **options).fit(X, y, sample_weight=weight)
    experts = np.column_stack([fit.expert_intercepts_, fit.experts_])
    gates = np.column_stack([fit.gate_intercepts_, fit.gates_])
    units = X.mean().to_numpy(), X.std().to_numpy()
    target = into_units(reference.experts, *units)

    def distance(order):
        return np.linalg.norm(into_units(experts[list(order)], *units) - target)

    order = list(min(itertools.permutations(range(k)), key=distance))
    gates = np.vstack([gates, np.zeros(1 + d)])[order]
    bic = fit.bic(X, y, sample_weight=weight)
    return fit, bic, (experts[order], gates - gates[0], fit.model_.noises[order])


@pytest.mark.parametrize("name", DATA)
def test_log_likelihood_and_coefficients_are_those_of_flexmix(name):
    reference = read_reference(name)
    fit, bic, (experts, gates, sigmas) = as_estimated(name)
    assert fit.converged_
    assert fit.n_parameters_ == reference.n_parameters
    assert fit.log_likelihood_ == pytest.approx(reference.logLik, rel=0, abs=1e-3)
    assert bic == pytest.approx(reference.BIC, rel=0, abs=2e-3)
    np.testing.assert_allclose(experts, reference.experts, rtol=1e-3)
    np.testing.assert_allclose(gates, reference.gates, rtol=1e-3)
    np.testing.assert_allclose(sigmas, reference.sigmas, rtol=1e-3)


@pytest.mark.parametrize("name", DATA)
def test_what_is_stored_is_a_maximum_of_the_likelihood_written_out(name):
    """Its value is the stored one, and a climb from nearby comes back to it."""
    X, y, weight = read_data(name)
    reference = read_reference(name)
    experts, gates, sigmas = reference.experts, reference.gates, reference.sigmas
    value = written_out(experts, gates, sigmas, X.to_numpy(), y, weight)
    assert value == pytest.approx(reference.logLik, rel=1e-10)
    units = X.mean().to_numpy(), X.std().to_numpy()
    Z, u = (X.to_numpy() - units[0]) / units[1], (y - y.mean()) / y.std()
    experts = into_units(experts, *units) / y.std()
    experts[:, 0] -= y.mean() / y.std()
    gates = into_units(gates, *units)[1:]
    best = np.concatenate([experts.ravel(), gates.ravel(), np.log(sigmas / y.std())])

    def objective(vector):
        a, w, s = np.split(vector, [experts.size, experts.size + gates.size])
        w = np.vstack([np.zeros(w.size // len(gates)), w.reshape(gates.shape)])
        return -written_out(a.reshape(experts.shape), w, np.exp(s), Z, u, weight) / len(y)

    start = best + 0.05 * np.random.default_rng(0).standard_normal(len(best))
    assert objective(start) > objective(best) + 1e-4
    found = minimize(objective, start, method="BFGS", options={"gtol": 1e-7})
    assert objective(best) == pytest.approx(found.fun, abs=1e-9)
    np.testing.assert_allclose(found.x, best, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", DATA)
def test_flexmix_as_shipped_ends_a_little_below(name):
    """It divides by nrow - p and not by nrow: its sigma is not that of the maximum."""
    reference = read_reference(name)
    assert 0.003 < reference.logLik - reference.logLik_as_shipped < 0.011


def test_stored_data_are_those_that_the_program_draws():
    simulate = runpy.run_path(str(FOLDER / "simulate.py"))
    for seed, name in enumerate(DATA):
        drawn = simulate[name](np.random.default_rng(seed))
        stored = pd.read_csv(FOLDER / f"{name}.csv", comment="#")
        pd.testing.assert_frame_equal(drawn, stored, rtol=1e-6, check_dtype=False)
