"""L4 in its three forms, their gradients, and the likelihood losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import GatedModel, Link, Moments, gate_loss, l4_loss, label_transforms, log_loss
from moelib.data.batches import BLOCK
from moelib.experts.l4 import tensor_l4
from moelib.hermite import score_tensor

WEIGHTS = dict(mu=0.3, lam=0.7, delta=0.2)


def small_instance(seed, link="relu", n=40, d=3, k=2):
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((k, d)), rng.standard_normal((k - 1, d)), 0.4, link=link)
    X, y = model.sample(n, rng)
    return X, y, label_transforms(link, 0.4), rng.standard_normal((k, d))


def explicit_moments(X, y, transforms, centred=True):
    """The two moments by their definition, every tensor formed."""
    q2, q4 = transforms.q2(y), transforms.q4(y)
    if centred:
        q2, q4 = q2 - q2.mean(), q4 - q4.mean()
    M = np.einsum("n,nab->ab", q2, score_tensor(X, 2)) / (len(y) * transforms.c2)
    T = np.einsum("n,nabcd->abcd", q4, score_tensor(X, 4)) / (len(y) * transforms.c4)
    return M, T


def explicit_l4(A, M, T, mu, lam, delta):
    cross = np.einsum("abcd,ia,ib,jc,jd->ij", T, A, A, A, A)
    off_diagonal = cross.sum() - np.trace(cross)
    lengths = np.einsum("ab,ia,ib->i", M, A, A)
    return (
        off_diagonal
        - mu * np.trace(cross)
        + lam * np.sum((lengths - 1) ** 2)
        + delta / 2 * np.sum(A**2)
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["identity", "relu", "tanh", "sigmoid"]))
def test_three_forms_of_l4_agree(seed, link):
    X, y, transforms, A = small_instance(seed, link)
    explicit = explicit_l4(A, *explicit_moments(X, y, transforms), **WEIGHTS)
    sample = l4_loss(A, X, y, transforms, **WEIGHTS).item()
    moment = Moments(transforms).update(X, y).l4_loss(A, **WEIGHTS)
    assert sample == pytest.approx(explicit, rel=1e-10)
    assert moment == pytest.approx(explicit, rel=1e-10)


def test_uncentred_form():
    X, y, transforms, A = small_instance(5)
    explicit = explicit_l4(A, *explicit_moments(X, y, transforms, centred=False), **WEIGHTS)
    sample = l4_loss(A, X, y, transforms, **WEIGHTS, centred=False).item()
    assert sample == pytest.approx(explicit, rel=1e-10)


def test_gradient_of_l4_autograd_closed_form_and_finite_differences():
    X, y, transforms, A = small_instance(1)
    tensor = Moments(transforms).update(X, y).fourth_moment
    a = torch.tensor(A, requires_grad=True)
    l4_loss(a, X, y, transforms, mu=0.3, lam=0.0).backward()
    _, closed_form = tensor_l4(tensor, A, 0.3)
    np.testing.assert_allclose(closed_form, a.grad.numpy(), rtol=1e-9)
    for index in np.ndindex(A.shape):
        step = np.zeros_like(A)
        step[index] = 1e-5
        slope = (tensor_l4(tensor, A + step, 0.3)[0] - tensor_l4(tensor, A - step, 0.3)[0]) / 2e-5
        assert slope == pytest.approx(closed_form[index], rel=1e-6, abs=1e-7)


def test_whole_l4_gradient_passes_torchs_own_check():
    X, y, transforms, A = small_instance(2)
    a = torch.tensor(A, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: l4_loss(v, X, y, transforms, **WEIGHTS), a)


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
    with pytest.raises(ValueError, match="X must have 3 columns, got 2"):
        kept.update(X[:, :2], y)
    with pytest.raises(ValueError, match="y must have length 40, got 39"):
        kept.update(X, y[1:])
    with pytest.raises(ValueError, match="X must be finite"):
        kept.update(np.where(X > 0, np.nan, X), y)


@pytest.mark.parametrize("link", ["identity", "relu", "leaky_relu", "sigmoid", "tanh"])
def test_likelihood_losses_equal_the_models(link):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.3, link)
    X, y = model.sample(30, rng)
    expected = -model.log_density(X, y).mean()
    W = torch.tensor(np.array(model.gates), requires_grad=True)
    joint = log_loss(model.experts, W, model.noise, X, y, link)
    frozen = gate_loss(W, X, y, model.experts, model.noise, link)
    assert joint.item() == pytest.approx(expected, rel=1e-12)
    assert frozen.item() == pytest.approx(expected, rel=1e-12)


def test_gate_loss_sends_no_gradient_to_the_experts():
    X, y, _, A = small_instance(7, link="identity")
    experts = torch.tensor(A, requires_grad=True)
    W = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
    gate_loss(W, X, y, experts, 0.3).backward()
    assert experts.grad is None
    assert torch.abs(W.grad).max() > 0


def test_losses_need_a_link_in_torch():
    X, y, _, A = small_instance(8)
    with pytest.raises(ValueError, match="has no form in torch"):
        log_loss(A, np.zeros((1, 3)), 0.3, X, y, lambda t: t)
    own = Link("double", lambda t: 2 * t, lambda t: 2 + 0 * t, lambda t: 2 * t)
    doubled = log_loss(A, np.zeros((1, 3)), 0.3, X, y, own)
    assert doubled.item() == pytest.approx(log_loss(2 * A, np.zeros((1, 3)), 0.3, X, y).item())
