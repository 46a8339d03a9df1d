"""Each lemma of the theorem against matrices that come close to it, and against its page."""

import inspect
import re

import claims
import numpy as np
import pytest
from scipy.stats import norm

import moelib.bounds
from moelib.bounds import concentration, lemmas, theorem
from moelib.bounds.lemmas import (
    cube_bound,
    expert_bound,
    gate_bound,
    landscape_room,
    lost_curvature,
    posterior_bound,
    rotation_bound,
    signs_are_right,
    span_bound,
    tensor_bound,
)
from moelib.bounds.theorem import TwoLossBound
from moelib.experts.reduction import whiten
from moelib.gates.loss import gate_hessian, log_normal_density
from moelib.model import random_model, standard_model
from moelib.quadrature import gaussian_rule

PI = np.array([0.6, 0.3, 0.1])  # shares of three orthonormal experts, and so the spectrum too


# --- the page -------------------------------------------------------------------------------------

PAGE = "book/part5/sample-complexity"
NOT_STEPS = {"def-complexity-estimator", "prop-complexity-local", "cor-complexity-powers"}


def labels_in(text):
    return set(re.findall(r":prf:ref:`([^`]+)`", text or ""))


def documented():
    """Docstrings of the wing's modules, public functions and classes with their methods."""
    for name in ("concentration", "information", "lemmas", "theorem", "required"):
        module = getattr(__import__(f"moelib.bounds.{name}").bounds, name)
        yield name, module.__doc__
        for key, value in vars(module).items():
            if getattr(value, "__module__", None) == module.__name__:
                yield f"{name}.{key}", value.__doc__
                for method, member in vars(value).items() if inspect.isclass(value) else ():
                    yield f"{name}.{key}.{method}", getattr(member, "__doc__", None)


def test_labels_in_docstrings_exist_on_a_page():
    files = filter(None, map(claims.source, claims.pages()))
    known = set().union(*(claims.labels(claims.markdown(path)) for path in files))
    named = {label for _, text in documented() for label in labels_in(text)}
    assert len(named) >= 9 and named <= known
    assert not labels_in("See :prf:ref:`lem-complexity-none`.") <= known


def test_every_lemma_has_a_function_that_names_it():
    page = claims.markdown(claims.source(PAGE))
    statements = {s.label for s in claims.statements(page, PAGE)} - NOT_STEPS
    first_lines = {name: (text or "").strip().partition("\n")[0] for name, text in documented()}
    named = {
        name: labels_in(first_lines[f"{module.__name__.rpartition('.')[2]}.{name}"])
        for module in (lemmas, concentration, theorem)
        for name in moelib.bounds.__all__
        if inspect.isfunction(vars(module).get(name))
        and vars(module)[name].__module__ == module.__name__
    }
    assert {name for name, labels in named.items() if len(labels) != 1} == {"least_samples"}
    # the theorem on the experts is what TwoLossBound.steps joins from the lemmas
    assert set().union(*named.values()) | {"thm-complexity-experts"} == statements
    assert "thm-complexity-experts" in labels_in(theorem.TwoLossBound.steps.__doc__)


# --- the span and whitening -----------------------------------------------------------------------


def test_span_bound_is_kept_and_nearly_attained():
    """Disturbances that mix the weakest direction of the span with one outside."""
    reached = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        A, pi = random_model(6, 3, rng).experts, rng.dirichlet(5 * np.ones(3))
        values, vectors = np.linalg.eigh((A.T * pi) @ A)
        (out, weak), span = vectors[:, [0, 3]].T, vectors[:, 3:]
        F = np.outer(out, weak) + np.outer(weak, out)
        F += (0, 1, 3)[seed % 3] * (np.outer(out, out) - np.outer(weak, weak))
        e2 = rng.uniform(0, 0.5) * values[3]
        top = np.linalg.eigh((A.T * pi) @ A + e2 * F / np.linalg.norm(F, 2))[1][:, 3:]
        tilt = np.linalg.norm(span - top @ (top.T @ span), 2)
        reached.append(tilt / span_bound(e2, values[3:]))
    assert 0.98 < max(reached) < 1


def test_span_bound_does_not_ask_for_an_order():
    assert span_bound(0.04, PI) == span_bound(0.04, PI[::-1]) == 0.04 / (0.1 - 0.04)
    assert tensor_bound(0.01, 0.1, PI, PI) == tensor_bound(0.01, 0.1, PI[::-1], PI[::-1])


@pytest.mark.parametrize("e2", [0.05, 0.06, 0.2, np.inf])
def test_half_an_eigenvalue_is_too_much(e2):
    assert span_bound(e2, PI) == np.inf
    assert tensor_bound(e2, 0.0, PI, PI) == np.inf
    assert np.all(expert_bound(e2, np.zeros(3), PI, PI) == np.inf)


def tensor(weights, U):
    return np.einsum("m,ma,mb,mc,md->abcd", weights, U, U, U, U)


def size(T, rng, starts=30, steps=60):
    """Largest |T[v, v, v, v]|, by power steps from both sides."""
    found = []
    for sign in (1, -1):
        V = rng.standard_normal((starts, len(T)))
        for _ in range(steps):
            V = V / np.linalg.norm(V, axis=1, keepdims=True)
            V = sign * np.einsum("abcd,ia,ib,ic->id", T, V, V, V) + 0.5 * V
        V = V / np.linalg.norm(V, axis=1, keepdims=True)
        found.append(np.abs(np.einsum("abcd,ia,ib,ic,id->i", T, V, V, V, V)).max())
    return max(found)


@pytest.mark.parametrize(
    "e2,e4,low,high", [(0, 1, 1 - 1e-6, 1 + 1e-6), (0.02, 5, 0.98, 1), (0.03, 0, 0.3, 0.5)]
)
def test_tensor_bound_is_attained_in_its_second_term(e2, e4, low, high):
    """A second moment too small by e2, and e4 in the weakest direction; the root takes half."""
    A, weakest = np.eye(6)[:3], np.eye(3)[:1]
    values, vectors = np.linalg.eigh((A.T * PI) @ A - e2 * np.eye(6))
    B, scale = vectors[:, -3:], values[-3:]
    left, _, right = np.linalg.svd(np.sqrt(PI)[:, None] * (A @ B) / np.sqrt(scale))
    found = whiten(tensor(PI, A @ B) + e4 * tensor(np.ones(1), weakest), scale)
    E = found - tensor(1 / PI, left @ right)
    assert low < size(E, np.random.default_rng(0)) / tensor_bound(e2, e4, PI, PI) < high


def test_tensor_bound_by_hand():
    shares = [0.5, 0.3, 0.2]
    expected = (1.25**4 - 1) / 0.2 + 0.7 / 0.4**2
    np.testing.assert_allclose(tensor_bound(0.1, 0.7, [0.9, 0.5], shares), expected)


# --- the landscape and the way back ---------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("mu", [0.1, 0.9])
def test_the_room_leaves_a_quarter_to_chance(k, mu):
    """At the room's edge zeta of the proof is mu / 4 (k - 1), for the least weight 1 / max pi."""
    pi = np.random.default_rng(k).dirichlet(np.ones(k))
    zeta = k * (k - 1 + mu) * landscape_room(pi, mu) * pi.max()
    np.testing.assert_allclose(zeta, mu / (4 * (k - 1)))


def test_rotation_pair_by_pair():
    pi, mu, E = np.array([0.5, 0.3, 0.2]), 0.4, 0.01
    found = rotation_bound(E, pi, mu)
    for i in range(3):
        moves = [2.31 * 2.4 * E / (1 / pi[m] + 0.4 / pi[i]) for m in range(3) if m != i]
        np.testing.assert_allclose(found[i], np.hypot(*moves))


def test_rotation_needs_the_room():
    room = landscape_room(PI, 0.5)
    assert np.all(np.isfinite(rotation_bound(room, PI, 0.5)))
    for E in (1.0001 * room, np.inf):
        assert np.all(rotation_bound(E, PI, 0.5) == np.inf)


def test_constants_are_above_what_the_proofs_need():
    assert 2 * np.sqrt(4 / 3) < lemmas.TURN < 2.3101
    assert 1 / np.cos(np.radians(15)) < lemmas.CHORD < 1.0401
    assert np.sqrt(2) + 1 / 3 + 1 / 4 < lemmas.DOUBLED
    z, weight = gaussian_rule()
    np.testing.assert_allclose(weight @ np.abs(z) ** 3, lemmas.THIRD_MOMENT)
    np.testing.assert_allclose(weight @ z**4, [lemmas.FOURTH_MOMENT])
    np.testing.assert_allclose(weight @ z**4 / 4, [lemmas.CUT_OFF])


def test_expert_bound_is_kept_and_nearly_attained():
    """The rarest expert tilts out of the span or turns towards the commonest."""
    A, reached = np.eye(6)[:3], []
    for e2, phi in ((0, 0.02), (0.03, 0), (0.001, 0.02), (0.01, 0)):
        F = np.outer(A[2], np.eye(6)[3])
        values, vectors = np.linalg.eigh((A.T * PI) @ A + e2 * (F + F.T))
        B, scale = vectors[:, 3:], values[3:]
        left, _, right = np.linalg.svd(np.sqrt(PI)[:, None] * (A @ B) / np.sqrt(scale))
        U = left @ right
        v = np.sqrt(1 - phi**2) * U[2] + phi * U[0]
        a = B @ (np.sqrt(scale) * v)
        sine = np.sqrt(1 - (A[2] @ a) ** 2 / (a @ a))
        reached.append(sine / expert_bound(e2, np.full(3, phi), PI, PI)[2])
    assert 0.95 < reached[0] < 1 and max(reached) < 1


def test_expert_bound_by_hand():
    phi = np.array([0.1, 0.2, 0.51])
    found = expert_bound(0.02, phi, PI, PI)
    for i in range(2):
        expected = 0.25 + np.sqrt(0.62 / PI[i]) * (0.25 + 1.04 * phi[i])
        np.testing.assert_allclose(found[i], expected)
    assert found[2] == np.inf  # more than 30 degrees
    assert np.all(np.isfinite(expert_bound(0.02, np.full(3, 0.5), PI, PI)))


# --- signs and gates ------------------------------------------------------------------------------


def signs(error, n, delta=0.1, **changes):
    """Two orthonormal experts with shares 1/2, identity link, labels of variance 1.01."""
    known = dict(shares=[0.5, 0.5], least=1.0, slope=1.0, fourth=3 * 1.01**2)
    return signs_are_right(error, n, delta, **(known | changes))


@pytest.mark.parametrize("n,works", [(150, False), (400, True), (2e5, True)])
def test_signs_need_samples(n, works):
    """2 sqrt(v L / n) against 1/2, by hand."""
    noise = 2 * np.sqrt(np.sqrt(3 * 3 * 1.01**2) * np.log(4 / 0.1) / n)
    assert (noise < 0.5) == works and signs(0.0, n) is works


def test_signs_by_hand_at_the_edge():
    """The least n at which e / s + 2 sqrt(v L / n) < min pi, each number written out."""
    pi, e, s = [0.5, 0.3, 0.2], 0.05, 0.8 - np.sqrt(3) * 0.05
    v, L = np.sqrt(3 * 7.0) / s**2, np.log(2 * 3 / 0.02)
    n = v * L * (2 / (0.6 * 0.2 - 0.6 * e / s)) ** 2
    known = dict(shares=pi, least=0.8, slope=0.6, fourth=7.0)
    assert not signs_are_right(e, 0.9999 * n, 0.02, **known)
    assert signs_are_right(e, 1.0001 * n, 0.02, **known)


@pytest.mark.parametrize("error", [0.0, 0.1, 0.25, 0.29, 0.3, 0.4, 0.9, np.inf])
def test_signs_need_experts(error):
    """e / (1 - sqrt(2) e) < 1/2 up to 0.2929."""
    assert signs(error, 1e12) == (error < 0.2929)


def test_a_first_moment_of_zero_tells_no_sign():
    """The errors of four experts just outweigh a share, and labels without spread."""
    known = dict(shares=[0.25] * 4, least=1.5, slope=1.0, fourth=0.0)
    assert not signs_are_right(0.25, 100, 0.1, **known)  # s = 1.5 - 2 / 4 is exact
    assert signs_are_right(0.2499, 100, 0.1, **known)


def test_no_signs_from_an_even_link_or_dependent_experts():
    assert not signs(0.0, 1e12, slope=0.0) and not signs(0.0, 1e12, least=0.0)


@pytest.mark.parametrize("e,low", [(0.001, 0.99), (0.3, 0.6)])
def test_what_errors_of_the_experts_take_from_a_sign_is_nearly_attained(e, low):
    """All experts err against the first: e / s of the lemma, with s = 1 - sqrt(3) e."""
    model = standard_model(10, 3)
    beta = -e * np.eye(10)[[0, 0, 0]]
    dual = np.linalg.pinv(model.experts + beta).T
    lost = np.abs(dual @ beta.T @ model.shares()).max() / e
    assert low < lost * (1 - np.sqrt(3) * e) < 1


def test_spread_of_the_first_moment_along_an_expert():
    """The bound 3 E y^4 takes the label to know the direction; half of the answers do."""
    X, y = standard_model(5, 2).sample(200_000, np.random.default_rng(0))
    share = np.mean((y * X[:, 0]) ** 2) / (3 * (1 + 0.05**2))
    assert 0.6 < share < 0.75  # near (3 + 1) / 2 / 3


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_posterior_bound_is_the_mean_of_its_proof(k, t):
    """8 E (N^2 + log k + S) S for gates zero and one common error, S = k t^2 x^2."""
    z, weight = gaussian_rule()
    S = k * t**2 * z**2
    mean = 8 * (1 + np.log(k)) * (weight @ S) + 8 * weight @ S**2
    np.testing.assert_allclose(posterior_bound(k, t), mean, atol=1e-14)


def test_cube_bound_for_one_number_and_for_many():
    """One sample in one dimension: a normal quantile. Many: the third moment, for d = 1."""
    for delta in (0.1, 0.01, 1e-4):
        assert 2 * norm.sf(cube_bound(1, 1, np.log(1 / delta))) < delta
    assert 2 * norm.sf(cube_bound(1, 1, 0.0)) > 0.01  # the logarithm is needed
    z, weight = gaussian_rule()
    np.testing.assert_allclose(cube_bound(1, 1e30, 1.0) ** 3, weight @ np.abs(z) ** 3)
    np.testing.assert_allclose(cube_bound(9, 64.0, 2.0), (8 / np.pi) ** (1 / 6) + 5 / 4)


@pytest.mark.parametrize("d,n", [(1, 100_000), (2000, 2), (5, 1000), (20, 200)])
def test_cube_bound_against_samples(d, n):
    rng = np.random.default_rng(d)
    X, U = rng.standard_normal((n, d)), rng.standard_normal((10, d))
    for _ in range(40):  # ascent of the mean cube
        U = U / np.linalg.norm(U, axis=1, keepdims=True)
        P = X @ U.T
        U = (P * np.abs(P)).T @ X
    U = U / np.linalg.norm(U, axis=1, keepdims=True)
    root = np.max(np.mean(np.abs(X @ U.T) ** 3, axis=0)) ** (1 / 3)
    assert (0.9 if d in (1, 2000) else 0.5) < root / cube_bound(d, n, np.log(20)) < 1


def gates_by_hand(n, delta, k, d, t, h):
    """The theorem as on the page; and the condition that it derives for h of at most 1/2."""
    L = np.log(5 / delta)
    c = (8 / np.pi) ** (1 / 6) + (np.sqrt(d) + np.sqrt(2 * L)) / n ** (1 / 3)
    nu = 16 * k * t**2 * (1 + np.log(k) + 3 * k * t**2) + 14 * L / (3 * n)
    gamma = np.sqrt(2 * d / n) * (1 + np.sqrt(L)) + c * np.sqrt(nu)
    more, R = L + np.log((k - 1) * d), np.sqrt(d) + np.sqrt(2 * (L + np.log(n)))
    omega = np.sqrt((d + 2) * more / (2 * n)) + 2 * R**2 * more / (3 * n)
    omega += np.sqrt(3 / (4 * n)) * np.exp(-L / 2)
    fits = [c**2 <= 2, omega <= h / 4, 8 * gamma / h < h / (4 * np.sqrt(2) * c**3)]
    fits.append((2 * nu) ** (1 / 3) * c**2 <= h / 4)
    return (4 * gamma / h if all(fits) else np.inf), fits


def test_lost_curvature_by_hand_and_against_samples():
    """The least eigenvalue of the Hessian at the truth, in 20 data sets of 20,000 samples."""
    n, k, d, L = 20_000, 2, 5, np.log(50)
    more, R = L + np.log(5), np.sqrt(5) + np.sqrt(2 * (L + np.log(n)))
    omega = np.sqrt(7 * more / (2 * n)) + 2 * R**2 * more / (3 * n)
    omega += np.sqrt(0.75 / n) * np.exp(-L / 2)
    np.testing.assert_allclose(lost_curvature(n, k=k, d=d, L=L), omega)
    more, R = L + np.log(12), 2 + np.sqrt(2 * (L + np.log(50)))
    omega = np.sqrt(6 * more / 100) + 2 * R**2 * more / 150 + np.sqrt(0.75 / 50) * np.exp(-L / 2)
    np.testing.assert_allclose(lost_curvature(50, k=4, d=4, L=L), omega)
    model, lost = standard_model(d, k), []
    h = TwoLossBound(model).curvature
    for seed in range(20):
        X, y = model.sample(n, np.random.default_rng(seed))
        log_normals = log_normal_density((y[:, None] - X @ model.experts.T) ** 2, 0.05**2)
        lost.append(h - np.linalg.eigvalsh(gate_hessian(model.gates, X, log_normals))[0])
    assert 0.01 < max(lost) / lost_curvature(n, k=k, d=d, L=L) < 1


def test_gates_by_hand_and_each_condition_decides_somewhere():
    """Random arguments near the edges, some with an h that no model has; but omega never does."""
    rng, alone = np.random.default_rng(0), np.zeros(4, dtype=int)
    for _ in range(20_000):
        k, d = int(rng.integers(2, 6)), int(rng.integers(1, 60))
        n, delta = 10 ** rng.uniform(0, 7), 10 ** rng.uniform(-6, -0.1)
        t, h = 10 ** rng.uniform(-5, 0.5), 10 ** rng.uniform(-0.5, 2.5)
        expected, fits = gates_by_hand(n, delta, k, d, t, h)
        np.testing.assert_allclose(gate_bound(n, delta, k=k, d=d, t=t, h=h), expected)
        if fits.count(False) == 1:
            alone[fits.index(False)] += 1
    assert alone[1] == 0 and alone[[0, 2, 3]].min() >= 5


@pytest.mark.parametrize("lost,kept", [(0.125, True), (0.1251, False), (np.inf, False)])
def test_a_quarter_of_the_curvature_may_be_lost(lost, kept, monkeypatch):
    """For h = 1/2; the omega of the page never gets there while all else holds."""
    monkeypatch.setattr(lemmas, "lost_curvature", lambda n, **of: lost)
    assert np.isfinite(gate_bound(1e9, 0.1, k=2, d=3, t=0.0, h=0.5)) == kept


def test_the_last_condition_follows_for_the_curvatures_of_models():
    rng = np.random.default_rng(1)
    for _ in range(20_000):
        n, t = 10 ** rng.uniform(4, 24), 10 ** rng.uniform(-9, -1)
        _, fits = gates_by_hand(n, 0.1, 3, 8, t, h=rng.uniform(0, 0.5))
        assert fits[3] or not all(fits[:3])


# --- what the lemmas do not cover -----------------------------------------------------------------


@pytest.mark.parametrize("bad", [-1e-9, np.nan, "a"])
def test_errors_that_are_none_are_refused(bad):
    known = dict(shares=PI, least=1.0, slope=1.0, fourth=3.0)
    calls = {
        "e2": [
            lambda: span_bound(bad, PI),
            lambda: tensor_bound(bad, 0.1, PI, PI),
            lambda: expert_bound(bad, PI, PI, PI),
        ],
        "e4": [lambda: tensor_bound(0.01, bad, PI, PI)],
        "tensor": [lambda: rotation_bound(bad, PI, 0.5)],
        "error": [lambda: signs_are_right(bad, 100, 0.1, **known)],
        "t": [
            lambda: posterior_bound(2, bad),
            lambda: gate_bound(100, 0.1, k=2, d=3, t=bad, h=0.1),
        ],
    }
    for name, functions in calls.items():
        for call in functions:
            with pytest.raises(ValueError, match=f"{name} must be"):
                call()


@pytest.mark.parametrize("mu", [-1, 0, 1, 2.0, np.nan, "a"])
def test_weights_that_the_landscape_does_not_cover_are_refused(mu):
    for call in (lambda: landscape_room(PI, mu), lambda: rotation_bound(0.01, PI, mu)):
        with pytest.raises(ValueError, match="mu must be a number strictly between 0 and 1"):
            call()


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]])
def test_shares_that_are_none_are_refused(shares):
    known = dict(least=1.0, slope=1.0, fourth=3.0)
    for call in (
        lambda: tensor_bound(0.01, 0.1, [0.5, 0.5], shares),
        lambda: landscape_room(shares, 0.5),
        lambda: rotation_bound(0.0, shares, 0.5),
        lambda: expert_bound(0.01, np.zeros(2), [0.5, 0.5], shares),
        lambda: signs_are_right(0.0, 100, 0.1, shares=shares, **known),
    ):
        with pytest.raises(ValueError, match="shares must be"):
            call()


@pytest.mark.parametrize("name", ["gates", "signs"])
@pytest.mark.parametrize(
    "n,delta,message",
    [
        *[(n, 0.1, "n must be") for n in (0, -1, 0.5, np.nan, np.inf, "a")],
        *[(100, delta, "delta must be") for delta in (0, 1, -1, 2, np.nan, "a")],
    ],
)
def test_sample_sizes_and_chances_that_are_none_are_refused(name, n, delta, message):
    with pytest.raises(ValueError, match=message):
        if name == "gates":
            gate_bound(n, delta, k=2, d=3, t=0.0, h=0.1)
        else:
            signs(0.0, n, delta)


@pytest.mark.parametrize(
    "changes,message",
    [
        (dict(k=1), "k must be at least 2"),
        (dict(d=0), "d at least 1"),
        (dict(h=0.0), "h must be a positive"),
        (dict(h=np.nan), "h must be a positive"),
    ],
)
def test_gates_that_are_none_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        gate_bound(1e6, 0.1, **(dict(k=2, d=3, t=0.0, h=0.1) | changes))


@pytest.mark.parametrize(
    "d,n,L,message", [(0, 1, 1, "d must"), (1, 0, 1, "n must"), (1, 1, -1, "L must")]
)
def test_cubes_that_are_none_are_refused(d, n, L, message):
    with pytest.raises(ValueError, match=message):
        cube_bound(d, n, L)
