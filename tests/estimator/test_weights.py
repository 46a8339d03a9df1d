"""A weight says how often a sample counts: in every statistic of a fit."""

import re
import warnings

import numpy as np
import pytest

from moelib import GatedModel, MixtureOfExperts, choose_n_experts
from moelib.estimator.stages import METHODS

QUICK = dict(n_init=2, random_state=0, tol=1e-12)
N = 200


def draw(seed, n=N):
    model = GatedModel(
        [[1.0, 0.5], [-1.0, 1.0]], [[2.0, -1.0]], [0.3, 0.6], "identity", [1.0, -1.0], [0.3]
    )
    rng = np.random.default_rng(seed)
    return (*model.sample(n, rng), rng.integers(4, size=n).astype(float))


def quiet(estimator, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(*arguments)


def statistics(fit, X, y, weights):
    """Every number that a fit reports."""
    numbers = {
        "log-likelihood": fit.log_likelihood_,
        "entropy": fit.entropy_,
        "samples": fit.n_samples_,
        "noise": fit.noise_,
        "noises": fit.noises_,
        "experts": fit.experts_,
        "gates": fit.gates_,
        "intercepts": np.append(fit.expert_intercepts_, fit.gate_intercepts_),
        "bic": fit.bic(X, y, weights),
        "aic": fit.aic(X, y, weights),
        "icl": fit.icl(X, y, weights),
        "parameters": fit.n_parameters_,
    }
    for kind in ("observed", "robust"):
        numbers[kind] = fit.summary(errors=kind).table.drop(columns="z").to_numpy()
    return numbers


def assert_same(one, other, rtol=1e-5):
    for name in one:
        np.testing.assert_allclose(other[name], one[name], rtol=rtol, atol=1e-7, err_msg=name)


def without_rows(remarks):
    """Remarks without the numbers of rows, and without that on rows which repeat each other."""
    remarks = [remark for remark in remarks if "of the rows repeat another" not in remark]
    return [re.sub(r"^\d+ labels? lies? |\(rows .*?from 0\)", "", remark) for remark in remarks]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(noise="shared"),
        dict(noise=0.4),
        dict(fit_intercept=False),
        dict(constant_gate=True),
        dict(gate_ridge=0.05),
        dict(expert_features=[0], gate_features=[1]),
        dict(order_by="share"),
        dict(order_by="answer"),
    ],
)
def test_integer_weights_are_repeated_rows(seed, settings):
    X, y, counts = draw(seed)
    y[:2] += [5.0, -6.0]  # something to remark on
    counts[:2] = 2
    rows = np.repeat(np.arange(N), counts.astype(int))
    weighted = quiet(MixtureOfExperts(2, **QUICK, **settings), X, y, counts)
    repeated = quiet(MixtureOfExperts(2, **QUICK, **settings), X[rows], y[rows])
    assert_same(statistics(weighted, X, y, counts), statistics(repeated, X[rows], y[rows], None))
    assert without_rows(weighted.remarks_) == without_rows(repeated.remarks_)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", ["shared", "per-expert"])
def test_rows_of_weight_zero_are_absent(seed, noise):
    """Even where they are far out."""
    X, y, counts = draw(seed)
    counts[:20] = 0
    X[:20] *= 1e3
    y[:20] = 1e4
    seen = counts > 0
    with_zeros = quiet(MixtureOfExperts(2, noise=noise, **QUICK, init="random"), X, y, counts)
    without = quiet(
        MixtureOfExperts(2, noise=noise, **QUICK, init="random"), X[seen], y[seen], counts[seen]
    )
    assert_same(
        statistics(with_zeros, X, y, counts), statistics(without, X[seen], y[seen], counts[seen])
    )
    assert with_zeros.remarks_ == without.remarks_


@pytest.mark.parametrize("seed", range(2))
def test_remarks_count_weights(seed):
    """Rating labels, outliers and too few samples: said of weighted rows as of repeated ones."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, 2))
    y = np.clip(np.round(3 + X @ [1.0, 0.5] + rng.standard_normal(N)), 1, 5)
    counts = rng.integers(3, size=N).astype(float)
    rows = np.repeat(np.arange(N), counts.astype(int))
    for k in (2, 4):
        settings = dict(n_experts=k, n_init=2, random_state=seed, tol=1e-8)
        weighted = quiet(MixtureOfExperts(**settings), X, y, counts)
        repeated = quiet(MixtureOfExperts(**settings), X[rows], y[rows])
        assert weighted.sound_ == repeated.sound_
        heads = [
            [remark[:40] for remark in without_rows(fit.remarks_)] for fit in (weighted, repeated)
        ]
        assert heads[0] == heads[1]


def test_all_weights_twice_as_large_halve_the_variances():
    X, y, _ = draw(0)
    one = quiet(MixtureOfExperts(2, **QUICK), X, y)
    two = quiet(MixtureOfExperts(2, **QUICK), X, y, np.full(N, 2.0))
    for kind in ("observed", "robust"):
        tables = [fit.summary(errors=kind).table["s.e."] for fit in (one, two)]
        np.testing.assert_allclose(tables[1], tables[0] / np.sqrt(2), rtol=1e-6)
    assert two.log_likelihood_ == pytest.approx(2 * one.log_likelihood_)
    assert two.bic(X, y, np.full(N, 2.0)) == pytest.approx(
        -2 * two.log_likelihood_ + two.n_parameters_ * np.log(2 * N)
    )


WEIGHING = [name for name, row in METHODS.items() if row.knows_weights and "sgd" not in name]


@pytest.mark.parametrize("method", WEIGHING)
def test_weights_of_nearly_nothing_do_not_break_a_fit(method):
    """All of the weight on a few rows, or huge, or tiny: no crash, and the fit of those rows."""
    X, y, counts = draw(0)
    plain = quiet(MixtureOfExperts(2, method, n_init=1, random_state=0), X, y, counts)
    said = {1e-12: "Multiply the weights", 1e12: "divide them by their mean"}
    for factor, advice in said.items():
        fit = quiet(MixtureOfExperts(2, method, n_init=1, random_state=0), X, y, counts * factor)
        np.testing.assert_allclose(fit.experts_, plain.experts_, atol=1e-5)
        assert fit.sound_ == plain.sound_
        (remark,) = [one for one in fit.remarks_ if "sample_weight sums to" in one]
        assert advice in remark


def test_a_selection_counts_weights():
    X, y, counts = draw(0)
    rows = np.repeat(np.arange(N), counts.astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        template = MixtureOfExperts(**QUICK)
        weighted = choose_n_experts(template, X, y, n_experts=3, sample_weight=counts)
        repeated = choose_n_experts(template, X[rows], y[rows], n_experts=3)
    assert weighted.best_k == repeated.best_k == 2
    np.testing.assert_allclose(
        weighted.table.drop(columns=["converged", "restarted", "degenerate"]),
        repeated.table.drop(columns=["converged", "restarted", "degenerate"]),
        rtol=1e-6,
    )
