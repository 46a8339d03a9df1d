"""L4 on spheres: its derivatives, and two minimisers of it."""

import numpy as np
import pytest
import torch

from moelib import ConvergenceWarning, Moments, l4_loss, label_transforms, regressor_error
from moelib.experts.l4 import (
    best_of_starts,
    derivatives,
    minimize_l4_gradient,
    minimize_l4_lbfgs,
    move,
    random_unit_rows,
    tangent_basis,
    tensor_l4,
)
from moelib.experts.tensors import orthogonal_tensor, random_symmetric
from moelib.model import GatedModel

MINIMIZERS = [minimize_l4_gradient, minimize_l4_lbfgs]


def test_random_rows_have_length_one_in_any_dimension():
    V = random_unit_rows(3, np.random.default_rng(0), 5)
    assert V.shape == (3, 5) and random_unit_rows(3, np.random.default_rng(0)).shape == (3, 3)
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1)


# --- derivatives -------------------------------------------------------------------------------


def test_gradient_of_l4_autograd_closed_form_and_finite_differences():
    rng = np.random.default_rng(1)
    model = GatedModel(rng.standard_normal((2, 3)), rng.standard_normal((1, 3)), 0.4, link="relu")
    X, y = model.sample(40, rng)
    transforms, A = label_transforms("relu", 0.4), rng.standard_normal((2, 3))
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


@pytest.mark.parametrize("k, r", [(2, 2), (3, 3), (2, 4), (5, 3)])
def test_derivatives_are_those_of_torch(k, r):
    """Along rows v + B x, brought back to length one, first and second derivatives in x agree."""
    rng = np.random.default_rng(0)
    T, V, mu = random_symmetric(r, 4, rng) / 5, random_unit_rows(k, rng, r), 0.7
    value, gradient, hessian = derivatives(T, V, mu)
    B = tangent_basis(V)
    tensor, rows, basis = map(torch.tensor, (T, V, B))

    def loss(x):
        v = rows + torch.einsum("kaq,kq->ka", basis, x.reshape(k, r - 1))
        v = v / v.norm(dim=1, keepdim=True)
        squares = torch.einsum("ia,ib->iab", v, v)
        pairs = torch.einsum("abcd,iab,jcd->ij", tensor, squares, squares)
        return pairs.sum() - (1 + mu) * pairs.diagonal().sum()

    zero = torch.zeros(k * (r - 1), dtype=torch.float64)
    assert value == pytest.approx(loss(zero).item()) == tensor_l4(T, V, mu)[0]
    np.testing.assert_allclose(torch.func.grad(loss)(zero), gradient, atol=1e-10)
    np.testing.assert_allclose(torch.func.hessian(loss)(zero), hessian, atol=1e-9)
    x = 1e-3 * rng.standard_normal(k * (r - 1))
    assert derivatives(T, move(V, x, B), mu)[0] == pytest.approx(
        value + gradient @ x + x @ hessian @ x / 2, abs=1e-5
    )


def test_bases_are_orthonormal_and_batches_give_what_single_calls_give():
    rng = np.random.default_rng(0)
    T = random_symmetric(4, 4, rng) / 5
    V = np.array([random_unit_rows(3, rng, 4) for _ in range(5)])
    V[0, 0] = [-1, 0, 0, 0]
    whole = np.concatenate([V[..., None], tangent_basis(V)], axis=-1)
    np.testing.assert_allclose(np.swapaxes(whole, -1, -2) @ whole - np.eye(4), 0, atol=1e-14)
    for many, one in zip(
        derivatives(T, V, 0.5), zip(*[derivatives(T, v, 0.5) for v in V]), strict=True
    ):
        np.testing.assert_allclose(many, one, atol=1e-12)


# --- minimisers --------------------------------------------------------------------------------


@pytest.mark.parametrize("minimize", MINIMIZERS)
@pytest.mark.parametrize("mu", [0.05, 0.5, 0.95])
def test_no_stray_minima_below_mu_one(population_tensor, minimize, mu):
    rng = np.random.default_rng(0)
    for _ in range(10):
        T, U, weights = population_tensor(4, rng)
        V, losses = minimize(T, random_unit_rows(4, rng), mu)
        assert regressor_error(V, U) < 1e-6
        assert losses[-1] == pytest.approx(-mu * weights.sum(), rel=1e-6)
        assert np.all(np.diff(losses) <= 1e-9)
        np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1)


def test_stray_minima_above_mu_one(population_tensor):
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(20):
        T, U, _ = population_tensor(6, rng)
        V, _ = minimize_l4_lbfgs(T, random_unit_rows(6, rng), 3.0)
        wrong += regressor_error(V, U) > 0.1
    assert wrong >= 10


def test_lbfgs_does_not_starve_a_row(population_tensor):
    """Free rows once grew without bound: of 600 starts at mu = .95 about ten ran out of steps."""
    lengths = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        T, U, _ = population_tensor(6, rng)
        V, losses = minimize_l4_lbfgs(T, random_unit_rows(6, rng), 0.95)
        assert regressor_error(V, U) < 1e-9
        assert np.diff(losses).max() <= 1e-12 * abs(losses[-1])
        lengths.append(len(losses))
    assert max(lengths) < 150


def test_gradient_descent_does_not_bounce():
    """Steps of nearly twice the right length once passed: on this tensor no start converged."""
    T = orthogonal_tensor([2.74, 2.16, 5.8], np.eye(3))
    rng = np.random.default_rng(0)
    for mu in (0.5, 1.5):
        for _ in range(10):
            V, losses = minimize_l4_gradient(T, random_unit_rows(3, rng), mu)
            np.testing.assert_allclose((V**2).max(axis=1), 1, atol=1e-12)
            assert len(losses) < 150 and np.all(np.diff(losses) <= 0)


@pytest.mark.parametrize("minimize", MINIMIZERS)
@pytest.mark.parametrize("k", [2, 4])
def test_fewer_or_more_dimensions_than_rows(minimize, k):
    """With r = 3: two rows find two of three directions, four rows share three (mu = 1.5)."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    T = orthogonal_tensor([2.0, 3.0, 4.0], U)
    for _ in range(5):
        V, losses = minimize(T, random_unit_rows(k, rng, 3), 0.5 if k == 2 else 1.5)
        squares = (V @ U.T) ** 2
        np.testing.assert_allclose(squares.max(axis=1), 1, atol=1e-6)
        assert V.shape == (k, 3) and squares.round().sum(axis=0).max() == k // 2
        assert np.all(np.diff(losses) <= 1e-9)


def test_too_few_steps_warn_the_caller(population_tensor):
    T, _, _ = population_tensor(4, np.random.default_rng(0))
    V = random_unit_rows(4, np.random.default_rng(0))
    for minimize in MINIMIZERS:
        with pytest.warns(ConvergenceWarning, match="raise max_iter") as heard:
            minimize(T, V, max_iter=2)
        assert heard[0].filename == __file__


@pytest.mark.parametrize(
    "solver, minimize", [("lbfgs", MINIMIZERS[1]), ("gradient", MINIMIZERS[0])]
)
def test_the_best_of_starts_is_the_lowest_run(population_tensor, solver, minimize):
    """Above mu = 1 the starts end at minima of different heights."""
    rng = np.random.default_rng(1)
    T, _, _ = population_tensor(4, rng)
    starts = [random_unit_rows(4, rng) for _ in range(8)]
    runs = [minimize(T, start, 2.5) for start in starts]
    ends = [losses[-1] for _, losses in runs]
    assert max(ends) - min(ends) > 0.1
    V, losses = best_of_starts(T, iter(starts), 2.5, solver=solver)
    np.testing.assert_array_equal(V, runs[int(np.argmin(ends))][0])
    assert losses[-1] == min(ends) == pytest.approx(tensor_l4(T, V, 2.5)[0])
    with pytest.raises(ValueError, match="solver must be one of 'lbfgs', 'gradient'"):
        best_of_starts(T, starts, solver="newton")
