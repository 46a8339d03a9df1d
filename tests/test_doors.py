"""What every public door promises: data are read once, and warnings point at the caller's line."""

import ast
import inspect
import sys
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.utils.validation

import moelib
from moelib import (
    FreeParameters,
    GatedModel,
    MixtureOfExperts,
    choose_n_experts,
    cramer_rao_bound,
    expectation_maximization,
    find_degeneracies,
    gate_curvature,
    gradient_em,
    joint_likelihood,
    joint_likelihood_sgd,
    learn_experts,
    learn_experts_from_batches,
    learn_experts_sgd,
    learn_experts_spectral,
    learn_gates,
    least_squares,
    least_squares_sgd,
    likelihood_signs,
    make_start,
    maximum_likelihood,
    pruned_em,
    random_start,
    regressor_error,
    required_samples,
    scoring_step,
    split_merge_em,
    standard_errors,
    third_moment_signs,
)
from moelib.estimator import check_two_loss_inputs
from moelib.estimator.certificate import certificate_of
from moelib.estimator.methods import METHODS
from moelib.experiments import Experiment, run_experiment
from moelib.experts import (
    minimize_l4_gradient,
    minimize_l4_lbfgs,
    minimize_l4_orthonormal,
    reduce_batches,
    top_eigenpairs,
)
from moelib.likelihood import certify, mean_score, polish, score_moments, scores
from moelib.validation import as_sample

PACKAGE = Path(moelib.__file__).parent
EXHAUST = PACKAGE.parent / "book" / "data" / "ethanol_exhaust.csv"
DESIGN = dict(d=5, n_experts=2, noise=0.3)
QUICK = dict(n_init=1, random_state=0)
THEORY = QUICK | dict(method="two-loss", fit_intercept=False, noise="shared")


# --- data are read once ---------------------------------------------------------------------------

N = 2500
FITS = [(name, False) for name in METHODS]
FITS += [(name, True) for name, method in METHODS.items() if method.knows_weights]


@pytest.fixture
def read(monkeypatch):
    """Counts what is read for finiteness, in rows, by (reader, "X" or "y"); weights left out."""
    rows: Counter = Counter()

    def watch(module, name, reader):
        plain = getattr(module, name)

        def watched(array, *arguments, **options):
            said = (*arguments, *options.values())
            if np.ndim(array) in (1, 2) and len(array) >= 100 and "sample_weight" not in said:
                rows[reader, "yX"[np.ndim(array) - 1]] += len(array)
            return plain(array, *arguments, **options)

        monkeypatch.setattr(module, name, watched)

    watch(moelib.validation, "_finite", "moelib")
    watch(sklearn.utils.validation, "_assert_all_finite", "scikit-learn")
    return rows


def rng():
    return np.random.default_rng(0)


def with_rng(learn):
    return lambda model, X, y: learn(X, y, 2, rng())


def of_a_model(look):
    return lambda model, X, y: look(model, X, y)


def from_a_model(climb):
    return lambda model, X, y: climb(X, y, model)


FAST = {"n_steps": 2000}

READERS = {
    **{
        climb.__name__: from_a_model(climb)
        for climb in (
            maximum_likelihood,
            expectation_maximization,
            gradient_em,
            joint_likelihood,
            least_squares,
            split_merge_em,
        )
    },
    "joint_likelihood_sgd": lambda model, X, y: joint_likelihood_sgd(X, y, model, rng(), **FAST),
    "least_squares_sgd": lambda model, X, y: least_squares_sgd(X, y, model, rng(), **FAST),
    "pruned_em": lambda model, X, y: pruned_em(X, y, model, 2),
    **{
        look.__name__: of_a_model(look)
        for look in (
            standard_errors,
            find_degeneracies,
            gate_curvature,
            scoring_step,
            mean_score,
            score_moments,
            scores,
            certify,
            polish,
            GatedModel.log_joint,
            GatedModel.log_density,
            GatedModel.posterior,
        )
    },
    **{
        learn.__name__: with_rng(learn)
        for learn in (learn_experts, learn_experts_spectral, make_start, random_start)
    },
    "learn_gates": lambda model, X, y: learn_gates(X, y, model.experts),
    "third_moment_signs": lambda model, X, y: third_moment_signs(model.experts, X, y),
    "likelihood_signs": lambda model, X, y: likelihood_signs(model.experts, X, y, 0.3),
}


@pytest.mark.parametrize("door", READERS)
def test_a_door_reads_the_data_once(standard, read, door):
    model, X, y = standard(N, **DESIGN)
    read.clear()
    READERS[door](model, X, y)
    assert read == {("moelib", "X"): N, ("moelib", "y"): N}


@pytest.mark.parametrize("learn", [learn_experts_from_batches, learn_experts_sgd, reduce_batches])
def test_a_stream_is_read_once_at_each_pass(standard, read, learn):
    _, X, y = standard(N, **DESIGN)
    read.clear()
    passes = []

    def batches():
        passes.append(1)
        return [(X[:1000], y[:1000]), (X[1000:], y[1000:])]

    learn(batches, 2, *[rng()] * (learn is not reduce_batches))
    assert read == {("moelib", "X"): N * len(passes), ("moelib", "y"): N * len(passes)}


@pytest.mark.parametrize("method, weighted", FITS)
@pytest.mark.parametrize("refine", [False, True])
def test_a_fit_reads_the_data_once(standard, read, method, refine, weighted):
    """By scikit-learn's rules; nothing behind them looks again."""
    _, X, y = standard(N, **DESIGN)
    weights = np.arange(N) % 3 if weighted else None
    read.clear()
    MixtureOfExperts(2, method, refine=refine, **QUICK).fit(X, y, weights)
    assert read == {("scikit-learn", "X"): N, ("scikit-learn", "y"): N}


def test_what_is_not_finite_is_still_refused(standard, read):
    """The counters look at what is called in fact."""
    model, X, y = standard(N, **DESIGN)
    X[7, 2] = np.nan
    for door in READERS.values():
        with pytest.raises(ValueError, match="X must be finite, got 1 NaN"):
            door(model, X, y)


# --- warnings point at the caller's line ----------------------------------------------------------


def start_of(standard):
    _, X, y = standard(200, **DESIGN)
    return X, y, random_start(X, y, 2, rng())


def few_steps(climb, **options):
    """A climb that has no time to converge."""

    def build(standard, tmp_path, monkeypatch):
        X, y, start = start_of(standard)
        return partial(climb, X, y, start, **({"max_iter": 2} | options))

    return build


def few_batches(standard, tmp_path, monkeypatch):
    X, y, start = start_of(standard)
    return partial(joint_likelihood_sgd, X, y, start, rng(), n_steps=2)


def separated_gates(standard, tmp_path, monkeypatch):
    model, X, y = standard(300, d=6, gate_norm=1e5)
    return partial(learn_gates, X, y, model.experts)


def slow_gates(standard, tmp_path, monkeypatch):
    model, X, y = standard(200, **DESIGN)
    return partial(learn_gates, X, y, model.experts, solver="gradient", max_iter=2)


def repeated_column(standard, tmp_path, monkeypatch):
    model, X, y = standard(500, **DESIGN)
    wide = [np.hstack([A, np.zeros((len(A), 1))]) for A in (model.experts, model.gates)]
    return partial(standard_errors, GatedModel(*wide, 0.3), np.hstack([X, X[:, :1]]), y)


def singular_information(standard, tmp_path, monkeypatch):
    model, _, _ = standard(1, **DESIGN)
    known = np.ones(FreeParameters().count(2, 5))
    known[0] = 0
    return partial(cramer_rao_bound, model, 100, information=np.diag(known))


def fit_of(change, **settings):
    """A fit to changed data."""

    def build(standard, tmp_path, monkeypatch):
        _, X, y = standard(2000, **DESIGN)
        return partial(MixtureOfExperts(2, **(QUICK | settings)).fit, *change(X, y))

    return build


def unlike_normal(standard, tmp_path, monkeypatch):
    _, X, y = standard(2000, **DESIGN)
    return partial(check_two_loss_inputs, as_sample(X + 1, y), 2)


def small_labels(standard, tmp_path, monkeypatch):
    _, X, y = standard(2000, **DESIGN)
    return partial(check_two_loss_inputs, as_sample(X, y / 10), 2)


def stuck_selection(standard, tmp_path, monkeypatch):
    table = pd.read_csv(EXHAUST, comment="#")
    template = MixtureOfExperts(noise="shared", **QUICK)
    X, y = table[["Equivalence"]].to_numpy(), table["NO"].to_numpy()
    return partial(choose_n_experts, template, X, y, n_experts=(2, 3, 4))


def selection_of(n, noise=0.3):
    """Of a few samples."""

    def build(standard, tmp_path, monkeypatch):
        _, X, y = standard(n, d=2, n_experts=1, noise=noise)
        return partial(choose_n_experts, MixtureOfExperts(**QUICK), X, y, n_experts=(1, 9))

    return build


def categories(n_levels):
    """A fit to a table with a column of so many levels."""

    def build(standard, tmp_path, monkeypatch):
        _, X, y = standard(2000, **DESIGN)
        letters = np.array([f"level {i}" for i in range(n_levels)])[np.arange(2000) % n_levels]
        frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": letters})
        return partial(MixtureOfExperts(2, **QUICK).fit, frame, y)

    return build


def unequal_noises(X, y):
    own = GatedModel(np.eye(2, 5), np.eye(1, 5, 2), [0.05, 1.0])
    return X, own.sample_labels(X, rng())[0]


def fixed_price(X, y):
    """Half of the labels are the same, which an expert of most starts answers exactly."""
    x = rng().uniform(0, 10, (300, 1))
    return x, np.where(x[:, 0] < 5, 10.0, 300 + 2 * x[:, 0] + 10 * y[:300])


def one_feature(standard, tmp_path, monkeypatch):
    return partial(regressor_error, [[1.0], [2.0]], [[2.0], [1.0]])


def l4_in_one_step(minimize):
    def build(standard, tmp_path, monkeypatch):
        T = np.random.default_rng(0).standard_normal((2, 2, 2, 2))
        T = sum(np.transpose(T, axes) for axes in [(0, 1, 2, 3), (1, 0, 2, 3), (2, 3, 0, 1)])
        return partial(minimize, T, np.array([[0.6, 0.8], [1.0, 0.0]]), max_iter=1)

    return build


def no_experts(learn, *, batches=False):
    """Labels that are noise have no second moment that stands out."""

    def build(standard, tmp_path, monkeypatch):
        X, y = rng().standard_normal((1000, 5)), rng().standard_normal(1000)
        data = [lambda: [(X, y)]] if batches else [X, y]
        return partial(learn, *data, 4, *[rng()] * (learn is not reduce_batches))

    return build


def eigenvalues_alike(standard, tmp_path, monkeypatch):
    return partial(top_eigenpairs, np.diag([1.0, 0.9, -0.9]), 2)


def unsettled_search(standard, tmp_path, monkeypatch):
    monkeypatch.setattr("moelib.bounds.required.one_error", lambda *_, **__: 1e-3)
    model, _, _ = standard(1, **DESIGN)
    return partial(required_samples, model, 0.5, n_runs=10)


def no_rows(cell, seed):
    return [{"method": "one", "seconds": 0.0}]


def cells_of_other_code(standard, tmp_path, monkeypatch):
    toy = Experiment("toy", "A toy.", [{"a": 1}], no_rows)
    (tmp_path / "toy.cells" / "seed-0-other").mkdir(parents=True)
    return partial(run_experiment, toy, tmp_path, jobs=1)


SINGULAR, SEPARATED = "information matrix is singular", "the gate separates expert"
SECOND = "the second moment has only"


def few_for_a_certificate(standard, tmp_path, monkeypatch):
    model, X, y = standard(90, d=10, n_experts=3)
    return partial(certificate_of, model, X, y, rng())


SITUATIONS = {
    "EM": (few_steps(expectation_maximization), "EM did not converge"),
    "gradient EM": (few_steps(gradient_em), "gradient EM did not converge"),
    "joint likelihood": (few_steps(joint_likelihood), "L-BFGS did not converge"),
    "least squares": (few_steps(least_squares), "L-BFGS did not converge"),
    "Adam": (few_batches, "Adam was not at rest"),
    "pruned EM": (few_steps(pruned_em, n_experts=2), "EM did not converge"),
    "repaired EM": (few_steps(split_merge_em), "EM did not converge"),
    "maximum": (few_steps(maximum_likelihood, max_iter=1), "the climb to the maximum"),
    "slow gates": (slow_gates, "the gates did not converge in 2 steps"),
    "separated gates": (separated_gates, SEPARATED),
    "standard errors": (repeated_column, SINGULAR),
    "bound": (singular_information, SINGULAR),
    "certificate": (few_for_a_certificate, "fewer than 2 for each"),
    "fit in few steps": (
        fit_of(lambda X, y: (X, y), refine=False, max_iter=2),
        "the fit of 2 experts did not converge in 2 iterations",
    ),
    "fit of repeated columns": (
        fit_of(lambda X, y: (np.hstack([X, X[:, :1]]), y)),
        "columns 'x1' and 'x6' determine each other",
    ),
    "fit that separates": (
        fit_of(lambda X, y: (X, np.where(X[:, 0] > 0, 2, -1) * X[:, 1] + 0.1 * y), n_init=5),
        SEPARATED,
    ),
    "fit with one noise": (fit_of(unequal_noises, noise="shared"), "Use noise='per-expert'"),
    "fit of a fixed price": (fit_of(fixed_price, n_init=10), "had collapsed, and were set aside"),
    "fit of one level": (categories(1), "column 'c' has one level"),
    "fit of many levels": (categories(21), "column 'c' has 21 levels"),
    "fit of inputs with a mean": (fit_of(lambda X, y: (X + 1, y), **THEORY), "standard normal"),
    "fit of small labels": (fit_of(lambda X, y: (X, y / 10), **THEORY), "the labels' mean square"),
    "fit of noise": (
        fit_of(lambda X, y: (X, rng().standard_normal(len(X))), **THEORY),
        SECOND,
    ),
    "inputs with a mean": (unlike_normal, "standard normal"),
    "small labels": (small_labels, "the labels' mean square"),
    "selection": (stuck_selection, "k = 4: 4 experts fitted worse than 3"),
    "selection of too many": (selection_of(30), "k = 9: left out: 30 sample(s)"),
    "selection without noise": (selection_of(90, noise=1e-12), "no fit is sound"),
    "one feature": (one_feature, "with one feature"),
    "L4 by gradients": (l4_in_one_step(minimize_l4_gradient), "gradient descent on L4 stopped"),
    "L4 by L-BFGS": (l4_in_one_step(minimize_l4_lbfgs), "L-BFGS on L4 stopped"),
    "L4 on orthonormal rows": (
        l4_in_one_step(minimize_l4_orthonormal),
        "L4 on orthonormal rows stopped",
    ),
    "experts": (no_experts(learn_experts), SECOND),
    "experts from batches": (no_experts(learn_experts_from_batches, batches=True), SECOND),
    "experts by SGD": (no_experts(learn_experts_sgd, batches=True), SECOND),
    "spectral experts": (no_experts(learn_experts_spectral), SECOND),
    "reduction": (no_experts(reduce_batches, batches=True), SECOND),
    "eigenpairs": (eigenvalues_alike, SECOND),
    "required samples": (unsettled_search, "the search for n did not settle"),
    "experiment": (cells_of_other_code, "has cells of other code"),
}


def warned_at(call):
    """Warnings of a call, and the line of this file that it stands in."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        call()
    return caught, line


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_warning_points_at_the_callers_line(standard, tmp_path, monkeypatch, name):
    build, message = SITUATIONS[name]
    caught, line = warned_at(build(standard, tmp_path, monkeypatch))
    assert any(message in str(warning.message) for warning in caught)
    for warning in caught:
        assert (warning.filename, warning.lineno) == (__file__, line), str(warning.message)


def trees():
    return {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def places_that_warn():
    """The statements of the library that call ``warn`` or ``say``: a file and a range of lines."""
    return {
        (str(path), node.lineno, node.end_lineno)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("warn", "say")
    }


def test_no_place_that_warns_is_left_out(standard, tmp_path, monkeypatch):
    """Every call of ``warn`` in the library is reached by a situation."""
    reached, plain = set(), warnings.warn

    def watched(message, category, stacklevel):
        frame = sys._getframe(2)  # of what called moelib's warn, and of what called that
        while frame is not None:
            reached.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        plain(message, category, stacklevel=stacklevel + 1)

    monkeypatch.setattr(moelib.validation.warnings, "warn", watched)
    for i, (build, _) in enumerate(SITUATIONS.values()):
        warned_at(build(standard, tmp_path / str(i), monkeypatch))
    missed = {
        (path, first)
        for path, first, last in places_that_warn()
        if not any(file == path and first <= line <= last for file, line in reached)
    }
    assert missed == set() and len(places_that_warn()) >= 12


def test_nothing_but_validation_issues_warnings_itself():
    bad = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            own = isinstance(node, ast.keyword) and node.arg == "stacklevel"
            own |= isinstance(node, ast.Attribute) and ast.unparse(node) == "warnings.warn"
            own |= isinstance(node, ast.ImportFrom) and node.module == "warnings"
            if own and path.name != "validation.py":
                bad.append(f"{path.relative_to(PACKAGE)}: {node.lineno}")
    assert bad == []
