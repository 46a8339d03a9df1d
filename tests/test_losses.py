"""L4 in its three forms, its gradient, and the likelihood losses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import GatedModel, Link, Moments, gate_loss, l4_loss, label_transforms, log_loss
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


def test_whole_l4_gradient_passes_torchs_own_check():
    X, y, transforms, A = small_instance(2)
    a = torch.tensor(A, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: l4_loss(v, X, y, transforms, **WEIGHTS), a)


@pytest.mark.parametrize("link", ["identity", "relu", "leaky_relu", "sigmoid", "tanh"])
def test_likelihood_losses_equal_the_models(link):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.3, link)
    X, y = model.sample(30, rng)
    expected = -model.log_density(X, y).mean()
    W = torch.tensor(np.array(model.gates), requires_grad=True)
    joint = log_loss(model.experts, W, model.noise, X, y, link=link)
    frozen = gate_loss(W, X, y, model.experts, model.noise, link=link)
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
        log_loss(A, np.zeros((1, 3)), 0.3, X, y, link=lambda t: t)
    own = Link("double", lambda t: 2 * t, lambda t: 2 + 0 * t, lambda t: 2 * t)
    doubled = log_loss(A, np.zeros((1, 3)), 0.3, X, y, link=own)
    assert doubled.item() == pytest.approx(log_loss(2 * A, np.zeros((1, 3)), 0.3, X, y).item())
