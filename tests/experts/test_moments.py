"""Moments of transformed labels: against explicit tensors, in any cut, basis and block."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import GatedModel, Moments, l4_loss, label_transforms
from moelib.data.batches import BLOCK
from moelib.experts.moments import fourth_moment, population_moments
from moelib.hermite import score_tensor

WEIGHTS = dict(mu=0.3, lam=0.7, delta=0.2)


def small_instance(seed, link="relu", n=40, d=3, k=2):
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((k, d)), rng.standard_normal((k - 1, d)), 0.4, link=link)
    X, y = model.sample(n, rng)
    return X, y, label_transforms(link, 0.4), rng.standard_normal((k, d))


def explicit_moments(X, y, transforms):
    """The two moments by their definition, every tensor formed."""
    q2, q4 = transforms.q2(y), transforms.q4(y)
    q2, q4 = q2 - q2.mean(), q4 - q4.mean()
    M = np.einsum("n,nab->ab", q2, score_tensor(X, 2)) / (len(y) * transforms.c2)
    T = np.einsum("n,nabcd->abcd", q4, score_tensor(X, 4)) / (len(y) * transforms.c4)
    return M, T


@pytest.fixture(scope="module")
def data(standard):
    _, X, y = standard(3001, d=5, n_experts=2, noise=0.3)
    return X, y, label_transforms("identity", 0.3)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["identity", "relu", "tanh", "sigmoid"]))
def test_moments_and_their_loss_are_those_of_explicit_tensors(seed, link):
    X, y, transforms, A = small_instance(seed, link)
    moments, (M, T) = Moments(transforms).update(X, y), explicit_moments(X, y, transforms)
    np.testing.assert_allclose(moments.second_moment, M, atol=1e-10 * np.abs(M).max())
    np.testing.assert_allclose(moments.fourth_moment, T, atol=1e-10 * np.abs(T).max())
    sample_form = l4_loss(A, X, y, transforms, **WEIGHTS).item()
    assert moments.l4_loss(A, **WEIGHTS) == pytest.approx(sample_form, rel=1e-10)


@pytest.mark.parametrize("options", [{}, dict(control=True), dict(truncate=2.0)])
def test_a_sample_of_weight_two_counts_twice(data, options):
    X, y, transforms = data
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    weighted = Moments(transforms, **options).update(X, y, weights)
    again = np.repeat(np.arange(len(y)), weights.astype(int))
    repeated = Moments(transforms, **options).update(X[again], y[again])
    assert weighted.n == repeated.n == weights.sum()
    np.testing.assert_allclose(weighted.second_moment, repeated.second_moment, atol=1e-10)
    np.testing.assert_allclose(weighted.fourth_moment, repeated.fourth_moment, atol=1e-10)


def test_batches_add_up_in_any_cut():
    X, y, transforms, _ = small_instance(3, n=BLOCK + 100)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 2)))[0]
    whole = Moments(transforms, basis).update(X, y)
    first = Moments(transforms, basis).update(X[:7], y[:7])
    rest = Moments(transforms, basis).update(X[7:5000], y[7:5000]).update(X[5000:], y[5000:])
    both = first.merge(rest).merge(Moments(transforms, basis))
    assert both.n == whole.n == len(y)
    np.testing.assert_allclose(both.second_moment, whole.second_moment, rtol=1e-9)
    np.testing.assert_allclose(both.fourth_moment, whole.fourth_moment, rtol=1e-9, atol=1e-12)
    assert first.n == 7


def test_moments_in_a_basis_are_the_rotated_moments():
    X, y, transforms, _ = small_instance(4, n=200)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 2)))[0]
    full, reduced = Moments(transforms).update(X, y), Moments(transforms, basis).update(X, y)
    rotated = np.einsum("abcd,ai,bj,ck,dl->ijkl", full.fourth_moment, *[basis] * 4)
    np.testing.assert_allclose(reduced.fourth_moment, rotated, atol=1e-10)
    np.testing.assert_allclose(
        reduced.second_moment, basis.T @ full.second_moment @ basis, atol=1e-10
    )


def test_a_constant_added_to_a_transform_is_centred_away():
    X, y, transforms, _ = small_instance(9, n=300)
    shifted = replace(
        transforms,
        q2=replace(transforms.q2, function=lambda y: transforms.q2(y) + 3.0),
        q4=replace(transforms.q4, function=lambda y: transforms.q4(y) + 5.0),
    )
    one, other = Moments(transforms).update(X, y), Moments(shifted).update(X, y)
    np.testing.assert_allclose(other.second_moment, one.second_moment, atol=1e-9)
    np.testing.assert_allclose(other.fourth_moment, one.fourth_moment, atol=1e-9)


@pytest.mark.parametrize("control", [False, True])
def test_without_the_fourth_moment_its_transform_is_not_asked(control):
    X, y, transforms, _ = small_instance(2, n=200)

    def refuse(y):
        raise AssertionError("the transform of order 4 was computed")

    deaf = replace(transforms, q4=replace(transforms.q4, function=refuse))
    found = Moments(deaf, fourth=False, control=control).update(X, y)
    kept = Moments(transforms, control=control).update(X, y)
    np.testing.assert_array_equal(found.second_moment, kept.second_moment)
    with pytest.raises(AssertionError):
        Moments(deaf, control=control).update(X, y)


# --- blocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [[3001], [7, 1, 1000, 1993]])
def test_blocks_are_dealt_in_turn_whatever_the_batches(data, batches):
    X, y, transforms = data
    moments, ends = Moments(transforms, n_blocks=4), np.cumsum([0, *batches])
    for start, stop in pairwise(ends):
        moments.update(X[start:stop], y[start:stop])
    apart = [Moments(transforms).update(X[i::4], y[i::4]) for i in range(4)]
    for name in ("second_moment", "fourth_moment"):
        expected = np.median([getattr(m, name) for m in apart], axis=0)
        np.testing.assert_allclose(getattr(moments, name), expected, atol=1e-12)
    assert moments.n == len(y)


def test_one_block_is_the_plain_mean_and_blocks_merge(data):
    X, y, transforms = data
    plain, one = Moments(transforms).update(X, y), Moments(transforms, n_blocks=1).update(X, y)
    np.testing.assert_array_equal(plain.fourth_moment, one.fourth_moment)
    halves = [
        Moments(transforms, n_blocks=3).update(X[s], y[s]) for s in (slice(900), slice(900, None))
    ]
    whole = Moments(transforms, n_blocks=3).update(X, y)
    merged = halves[0].merge(halves[1])
    np.testing.assert_allclose(merged.fourth_moment, whole.fourth_moment, atol=1e-12)
    merged.update(X[:2], y[:2])
    whole.update(X[:2], y[:2])
    np.testing.assert_allclose(merged.second_moment, whole.second_moment, atol=1e-12)


def test_a_wild_sample_moves_the_median_of_means_less(data):
    X, y, transforms = data
    far = np.full((1, 5), 6.0), np.array([6.0])
    moved = []
    for n_blocks in (1, 15):
        before, after = (Moments(transforms, n_blocks=n_blocks).update(X, y) for _ in range(2))
        after.update(*far)
        moved.append(np.linalg.norm(after.fourth_moment - before.fourth_moment))
    assert moved[1] < moved[0] / 5


def test_truncation_is_off_far_out_and_shrinks_when_close():
    rng = np.random.default_rng(0)
    model = GatedModel(np.eye(4)[:2], np.eye(4)[2:3], 0.05)
    X, y = model.sample(2000, rng)
    transforms = label_transforms("identity", noise=0.05)
    plain = Moments(transforms).update(X, y)
    loose = Moments(transforms, truncate=1e6).update(X, y)
    np.testing.assert_array_equal(loose.fourth_moment, plain.fourth_moment)
    far = np.full((1, 4), 6.0), np.array([6.0])
    moved = [
        np.linalg.norm(
            Moments(transforms, truncate=t).update(X, y).update(*far).fourth_moment
            - Moments(transforms, truncate=t).update(X, y).fourth_moment
        )
        for t in (None, 3.0)
    ]
    assert moved[1] < moved[0] / 10


# --- what cannot be used -----------------------------------------------------------------------


def test_moments_refuse_what_cannot_be_used():
    X, y, transforms, A = small_instance(6)
    with pytest.raises(ValueError, match="no sample yet"):
        _ = Moments(transforms).second_moment
    kept = Moments(transforms, fourth=False).update(X, y)
    with pytest.raises(ValueError, match="fourth moment was not kept"):
        kept.l4_loss(A)
    with pytest.raises(ValueError, match="same moments"):
        kept.merge(Moments(transforms))
    with pytest.raises(ValueError, match="share this object's transforms"):
        kept.merge(Moments(label_transforms("relu", 0.1), fourth=False))
    with pytest.raises(ValueError, match="X must have 3 columns, got shape .40, 2"):
        kept.update(X[:, :2], y)
    with pytest.raises(ValueError, match="y must have length 40, got 39"):
        kept.update(X, y[1:])
    with pytest.raises(ValueError, match="X must be finite"):
        kept.update(np.where(X > 0, np.nan, X), y)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        kept.update(X, y, -np.ones(40))
    assert kept.n == 40


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(n_blocks=0), "n_blocks must be an integer of at least 1"),
        (dict(n_blocks=2.5), "n_blocks must be an integer of at least 1"),
        (dict(truncate=0), "truncate must be a positive"),
        (dict(control=True, truncate=3.0), "cannot be combined with truncate"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        Moments(label_transforms("identity", 0.05), **options)


def test_too_few_samples_or_other_settings(data):
    X, y, transforms = data
    with pytest.raises(ValueError, match="no sample yet"):
        _ = Moments(transforms, n_blocks=5).update(X[:4], y[:4]).second_moment
    with pytest.raises(ValueError, match="126 Hermite features"):
        _ = Moments(transforms, control=True).update(X[:126], y[:126]).fourth_moment
    plain = Moments(transforms).update(X, y)
    with pytest.raises(ValueError, match="n_blocks= and control="):
        Moments(transforms, n_blocks=2).update(X, y).merge(plain)
    with pytest.raises(ValueError, match="the same fourth= and truncate="):
        plain.merge(Moments(transforms, truncate=1e6).update(X, y))


# --- in all dimensions, and in the population --------------------------------------------------


@pytest.mark.parametrize("block", [100, BLOCK])
def test_the_tensor_by_two_gram_matrices(data, block):
    X, y, transforms = data
    found = fourth_moment(X, transforms.q4(y) / transforms.c4, block=block)
    expected = Moments(transforms).update(X, y).fourth_moment
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_population_moments_are_what_sample_moments_tend_to():
    """Dependent unit experts, uneven shares; every entry within five standard errors."""
    A = np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]])
    model = GatedModel(A, [[0, 0, 1.0, 0]], 0.2, gate_intercepts=[0.0])
    transforms = label_transforms("identity", 0.2)
    parts = [
        Moments(transforms).update(*model.sample(20_000, np.random.default_rng(seed)))
        for seed in range(40)
    ]
    M, T = population_moments(A, model.shares())
    for found, expected in (
        ([m.second_moment for m in parts], M),
        ([m.fourth_moment for m in parts], T),
    ):
        error = np.std(found, axis=0, ddof=1) / np.sqrt(40)
        assert np.all(np.abs(np.mean(found, axis=0) - expected) < 5 * error)


def test_population_moments_in_a_basis():
    rng = np.random.default_rng(0)
    A, shares = rng.standard_normal((3, 4)), np.array([0.5, 0.3, 0.2])
    basis = np.linalg.qr(rng.standard_normal((4, 2)))[0]
    M, T = population_moments(A, shares, basis)
    rows = A @ basis
    for index in np.ndindex(2, 2):
        assert M[index] == pytest.approx(shares @ np.prod(rows[:, index], axis=1))
    for index in np.ndindex(2, 2, 2, 2):
        assert T[index] == pytest.approx(shares @ np.prod(rows[:, index], axis=1))
