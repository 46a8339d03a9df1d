"""The number of samples that the theorem asks for, beside the one that simulation finds."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from moelib import ConvergenceWarning, GatedModel, required_samples, standard_model
from moelib.bounds import one_error, required
from moelib.bounds.theorem import TwoLossBound, least_samples


@pytest.fixture
def simulated(monkeypatch):
    """Replaces the simulation by a law; returns what was asked for."""
    asked = []

    def follow(law):
        def error(model, n, rng, **options):
            asked.append((n, options))
            return law(n, len(asked))

        monkeypatch.setattr(required, "one_error", error)
        return asked

    return follow


@pytest.mark.slow
@pytest.mark.parametrize("target,eps", [("experts", 0.1), ("gates", 0.2)])
def test_the_theorem_asks_for_more_than_is_needed(target, eps):
    model = standard_model(5, 2)
    found = required_samples(model, eps, target=target, n_runs=20)
    assert found.theorem > 1e3 * found.measured > 0 and not found.extrapolated
    bound = TwoLossBound(model)
    parts, of = {"experts": (2, bound.experts), "gates": (3, bound.gates)}[target]
    goal = np.sin(eps) if target == "experts" else eps
    np.testing.assert_allclose(found.theorem / parts, least_samples(lambda n: of(n, 0.1), goal))
    n, reached = found.runs[-1]
    np.testing.assert_allclose(found.measured, n * (reached / eps) ** 2, rtol=1e-3)
    assert 0.7 < found.measured / n < 1.4


@pytest.mark.parametrize("target,eps,parts", [("experts", 0.3, 2), ("gates", 0.3, 3)])
def test_the_theorem_by_hand(target, eps, parts, simulated):
    """Two parts of the data for experts and a third for gates; the weight goes through."""
    simulated(lambda n, _: 20 / np.sqrt(n))
    model = standard_model(5, 2)
    found = required_samples(model, eps, target=target, mu=0.8, delta=0.2, n_runs=5)
    bound = TwoLossBound(model, mu=0.8)
    of, goal = {"experts": (bound.experts, np.sin(eps)), "gates": (bound.gates, eps)}[target]
    n = found.theorem / parts
    assert of(n, 0.2) <= goal < of(n / 1.02, 0.2)


def test_a_law_of_the_root_is_inverted(simulated):
    """Errors u 20 / sqrt(n), u = 0.05, 0.10, ..., 1: the second largest of twenty decides."""
    asked = simulated(lambda n, i: 20 / np.sqrt(n) * ((i * 7) % 20 + 1) / 20)
    found = required_samples(standard_model(5, 2), 0.1, n_init=3)
    np.testing.assert_allclose(found.measured, (0.95 * 20 / 0.1) ** 2, rtol=1e-3)
    assert not found.extrapolated
    assert [n for n, _ in found.runs] == pytest.approx([2000, 20_000, 36_100], abs=1)
    assert len(asked) == 60
    assert all(options == dict(target="experts", mu=0.5, n_init=3) for _, options in asked)
    np.testing.assert_allclose(found.runs[0][1], 0.95 * 20 / np.sqrt(2000))


@pytest.mark.parametrize("ratio,settled", [(0.69, 0), (0.71, 1), (1.39, 1), (1.41, 0)])
def test_the_search_ends_where_the_error_is_close(ratio, settled, simulated):
    """The wanted n over the simulated one between 0.7 and 1.4."""
    simulated(lambda n, _: 0.1 * np.sqrt(ratio * 2000 / n))
    found = required_samples(standard_model(5, 2), 0.1, n_runs=10)
    assert (len(found.runs) == 1) == settled
    np.testing.assert_allclose(found.measured, ratio * 2000)


def test_steps_of_n_are_at_most_tenfold_and_end_at_the_least(simulated):
    asked = simulated(lambda n, _: 1e-3)
    with pytest.warns(ConvergenceWarning, match="did not settle in 8 rounds") as caught:
        found = required_samples(standard_model(5, 2), 0.5, n_runs=10)
    assert [n for n, _ in found.runs] == [2000, 200] + [20] * 6 and len(asked) == 80
    assert caught[0].filename == __file__
    assert found.measured < 20


def test_no_more_samples_than_allowed_are_simulated(simulated):
    simulated(lambda n, _: 1 / np.sqrt(n))
    found = required_samples(standard_model(5, 2), 1e-3, most=30_000, n_runs=10)
    assert [n for n, _ in found.runs] == [2000, 20_000, 30_000] and found.extrapolated
    np.testing.assert_allclose(found.measured, 1e6)
    found = required_samples(standard_model(5, 2), 1e-3, most=700, n_runs=10)
    assert [n for n, _ in found.runs] == [700]
    assert required_samples(standard_model(5, 2), 1e-3, most=20, n_runs=10).runs[0][0] == 20


def test_errors_are_angles_and_distances_after_matching(monkeypatch):
    """Experts in another order and turned, gates based on another one: only the errors count."""
    rng = np.random.default_rng(0)
    model = standard_model(7, 3)
    order, angle = [2, 0, 1], 0.05
    A = model.experts.copy()
    A[1] = np.cos(angle) * A[1] + np.sin(angle) * np.eye(7)[6]
    A = -A[order]
    W = np.vstack([model.gates, np.zeros(7)])
    W[0] += 0.3 * np.eye(7)[0]
    W = W[order]
    gates = (W - W[-1])[:-1]
    seen = {}

    def experts(X, y, k, rng, **options):
        seen["experts"] = (X.shape, k, options)
        return SimpleNamespace(experts=A)

    def learn_gates(X, y, found, **options):
        seen["gates"] = (X.shape, options)
        np.testing.assert_array_equal(found, A)
        return SimpleNamespace(model=GatedModel(A, gates, 0.1))

    monkeypatch.setattr(required, "learn_experts", experts)
    monkeypatch.setattr(required, "learn_gates", learn_gates)
    found = required.one_error(model, 50, rng, target="experts", mu=0.3, n_init=2)
    np.testing.assert_allclose(found, angle)
    assert seen == {"experts": ((50, 7), 3, dict(link=model.link, mu=0.3, n_init=2))}
    found = required.one_error(model, 50, rng, target="gates", mu=0.3)
    np.testing.assert_allclose(found, 0.3)
    assert seen["gates"] == ((50, 7), dict(link=model.link))


def test_required_samples_extrapolates():
    model = standard_model(5, 2)
    found = required_samples(model, 0.01, most=3000, n_runs=10)
    assert found.extrapolated and found.runs[-1][0] == 3000
    assert "extrapolated" in str(found) and "probability 0.9" in str(found)


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_is_shown_if_asked_for(verbose, simulated, capsys):
    simulated(lambda n, _: 0.1)
    required_samples(standard_model(5, 2), 0.1, n_runs=10, verbose=verbose)
    assert ("n = 2000" in capsys.readouterr().err) == verbose


def test_the_same_seed_gives_the_same_answer_and_no_warnings():
    options = dict(eps=0.4, n_runs=10, n_init=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (required_samples(standard_model(5, 2), **options) for _ in range(2))
    assert first == second
    third = required_samples(standard_model(5, 2), rng=np.random.default_rng(0), **options)
    assert third == first


@pytest.mark.parametrize(
    "changes,message",
    [
        (dict(delta=0.01), "n_runs must be at least 1 / delta"),
        (dict(n_runs=9), "n_runs must be at least 1 / delta"),
        (dict(n_runs=np.nan), "n_runs must be"),
        (dict(n_runs=0), "n_runs must be"),
        (dict(target="noise"), "target must be one of"),
        *[(dict(eps=eps), "eps must be") for eps in (0, -0.1, np.nan, np.inf, "a", 1.0, 1.5)],
        *[(dict(delta=d), "delta must be a number strictly") for d in (0, 1, 1.5, np.nan, "a")],
        *[(dict(mu=mu), "mu must be a number strictly") for mu in (-1, 0, 1, 2.0, np.nan, "a")],
        *[(dict(most=most), "most must be") for most in (0, -1, 19, np.nan, np.inf, "a")],
        (dict(rng=0), "rng must be"),
    ],
)
def test_what_is_not_covered_is_refused_before_anything_is_simulated(changes, message, simulated):
    asked = simulated(lambda n, _: 1.0)
    with pytest.raises(ValueError, match=message):
        required_samples(standard_model(5, 2), **(dict(eps=0.1) | changes))
    assert asked == []


def test_an_error_of_gates_may_be_long(simulated):
    simulated(lambda n, _: 90 / np.sqrt(n))
    assert required_samples(standard_model(5, 2), 2.0, target="gates", n_runs=10).measured > 0


@pytest.mark.parametrize(
    "experts,gates", [([[1.0, 0], [0, 1.01]], [[0.0, 0]]), (np.eye(2), [[0.0, 0.01]])]
)
def test_models_outside_the_theorem_are_refused(experts, gates):
    with pytest.raises(ValueError, match="model must have (unit experts|gates orthogonal)"):
        required_samples(GatedModel(experts, gates, 0.1), 0.1)


@pytest.mark.parametrize(
    "changes,seen",
    [
        (dict(expert_intercepts=[5.0, 0]), r"no intercepts: .*got intercepts \[5"),
        (dict(gate_intercepts=[0.5]), r"no intercepts: .*got intercepts \[0"),
        (dict(noise=[0.1, 0.2]), r"one noise for all experts: .*got noise \[0.1 0.2\]"),
        (dict(noise=[0.1, 0.1]), r"one noise for all experts: .*got noise \[0.1 0.1\]"),
    ],
)
@pytest.mark.parametrize("target", ["experts", "gates"])
def test_intercepts_and_unequal_noise_are_not_covered(changes, seen, target, simulated):
    asked, model = simulated(lambda n, _: 1.0), replace(standard_model(5, 2), **changes)
    with pytest.raises(ValueError, match=f"model must have {seen}"):
        required_samples(model, 0.1, target=target)
    assert asked == []


@pytest.mark.parametrize("target", ["experts", "gates"])
def test_one_error_is_one_of_the_two_losses(target):
    rng, model = np.random.default_rng(0), standard_model(5, 2)
    for changes in (dict(expert_intercepts=[5.0, 0]), dict(noise=[0.1, 0.2])):
        with pytest.raises(ValueError, match="model must have (no intercepts|one noise)"):
            one_error(replace(model, **changes), 100, rng, target=target)
    for n in (0, 10.5):
        with pytest.raises(ValueError, match="n must be an integer of at least 1"):
            one_error(model, n, rng, target=target)
    with pytest.raises(ValueError, match="rng must be"):
        one_error(model, 100, 0, target=target)


def test_one_expert_has_no_theorem():
    with pytest.raises(ValueError, match="model must have two experts or more.*got n_experts 1"):
        required_samples(GatedModel([[1.0, 0]], np.zeros((0, 2)), 0.1), 0.1)


def test_arguments_go_by_name():
    with pytest.raises(TypeError, match="positional"):
        required_samples(standard_model(5, 2), 0.1, 0.1)
