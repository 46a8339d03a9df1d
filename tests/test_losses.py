"""L4 in its three forms, its gradient, and the likelihood losses."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    GatedModel,
    Link,
    Moments,
    gate_loss,
    l4_loss,
    label_transforms,
    least_squares_loss,
    log_loss,
)
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


# --- tensors, and what makes an array -------------------------------------------------------------

LOSSES = {
    "l4": lambda A, W, X, y: l4_loss(A, X, y, label_transforms("identity", 0.4), **WEIGHTS),
    "least squares": lambda A, W, X, y: least_squares_loss(A, W, X, y),
    "log": lambda A, W, X, y: log_loss(A, W, 0.4, X, y),
    "gates": lambda A, W, X, y: gate_loss(W, X, y, A, 0.4),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_flow_through_tensors_beside_tables(name):
    """The derivative along a direction is that of two losses of arrays."""
    X, y, _, A = small_instance(3, link="identity")
    W, direction = np.array([[0.5, -1.0, 0.25]]), np.array([[0.3, 0.1, -0.2]])
    moves = "W" if name == "gates" else "A"
    start = {"A": A, "W": W}[moves]
    row = torch.tensor(start, requires_grad=True)
    frame, series = pd.DataFrame(X), pd.Series(y, index=np.arange(len(y))[::-1])
    loss = LOSSES[name](*((A, row) if moves == "W" else (row, W)), frame, series)
    loss.backward()
    shifted = [start + sign * 1e-5 * direction for sign in (1, -1)]
    up, down = (LOSSES[name](*((A, v) if moves == "W" else (v, W)), X, y).item() for v in shifted)
    assert loss.dtype == torch.float64
    assert np.sum(row.grad.numpy() * direction) == pytest.approx((up - down) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_tensors_of_32_bits_and_columns_of_labels_are_taken(name):
    X, y, _, A = (np.float32(v) if isinstance(v, np.ndarray) else v for v in small_instance(4))
    W = np.float32([[0.5, -1.0, 0.25]])
    expected = LOSSES[name](*(np.asarray(v, dtype=float) for v in (A, W, X, y)))
    assert LOSSES[name](*map(torch.tensor, (A, W, X, y[:, None]))).dtype == torch.float64
    for labels in (y, y[:, None]):
        for found in (
            LOSSES[name](*map(torch.tensor, (A, W, X, labels))),
            LOSSES[name](A.tolist(), W.tolist(), X.tolist(), labels.tolist()),
        ):
            assert found.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_what_does_not_fit_together_is_refused(name, make):
    X, y, _, A = small_instance(6)
    W = np.zeros((1, 3))
    for wrong, message in [
        (dict(X=X[:, :2]), r"(A|W|experts) must have 2 columns like X"),
        (dict(y=y[:-1]), "y must have length 40, got 39"),
        (dict(y=np.column_stack([y, y])), "y must be a 1-d"),
        (dict(X=X[0]), "X must be a 2-d"),
        (dict(X=X[:0], y=y[:0]), "X must have at least one row"),
        (dict(W=np.zeros((2, 3))), "W must have one row fewer than A .1., got 2"),
    ]:
        if name == "l4" and "W" in wrong:
            continue
        given = {key: make(value) for key, value in (dict(A=A, W=W, X=X, y=y) | wrong).items()}
        with pytest.raises(ValueError, match=message):
            LOSSES[name](**given)


def test_arrays_have_to_be_finite():
    X, y, transforms, A = small_instance(6)
    with pytest.raises(ValueError, match="X must be finite, got 40 NaN"):
        l4_loss(A, X * [np.nan, 1, 1], y, transforms)


def test_a_noise_for_each_expert():
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), [0.2, 0.5, 0.9])
    X, y = model.sample(30, rng)
    expected = -model.log_density(X, y).mean()
    for noise in (model.noise, torch.tensor(np.array(model.noise), requires_grad=True)):
        joint = log_loss(model.experts, model.gates, noise, X, y)
        frozen = gate_loss(model.gates, X, y, model.experts, noise)
        assert joint.item() == pytest.approx(expected, rel=1e-12)
        assert frozen.item() == pytest.approx(expected, rel=1e-12)
        assert joint.requires_grad == torch.is_tensor(noise) and not frozen.requires_grad
    for noise in (np.ones(2), torch.ones(2)):
        with pytest.raises(ValueError, match="noise must"):
            log_loss(model.experts, model.gates, noise, X, y)


def test_one_expert_has_a_normal_density():
    rng = np.random.default_rng(0)
    X, y, a = rng.standard_normal((30, 2)), rng.standard_normal(30), np.array([[1.0, -2.0]])
    residuals = y - X @ a[0]
    expected = np.mean(residuals**2) / (2 * 0.25) + np.log(0.5 * np.sqrt(2 * np.pi))
    none = np.zeros((0, 2))
    assert log_loss(a, none, 0.5, X, y).item() == pytest.approx(expected)
    assert least_squares_loss(a, none, X, y).item() == pytest.approx(np.mean(residuals**2))
