"""Critical points of L4: derivatives, kinds, an exact list for small k, and the stored census."""

from itertools import combinations, combinations_with_replacement, permutations, product

import numpy as np
import pandas as pd
import pytest
import torch

from moelib.experiments import census as experiment
from moelib.experiments.runner import EXPERIMENTS, STORED, cell_name, find_cells, read_table
from moelib.experts.critical_points import (
    POINT_KINDS,
    basins,
    census,
    classify,
    find_critical_points,
    merge,
    stable_occupancies,
    torus,
)
from moelib.experts.l4 import (
    derivatives,
    minimize_l4_gradient,
    move,
    random_unit_rows,
    tangent_basis,
    tensor_l4,
)


def symmetric_tensor(r, rng):
    return experiment.random_tensor(r, 3.0, rng)[0]


def diagonal_tensor(lam):
    e = np.eye(len(lam))
    return np.einsum("m,ma,mb,mc,md->abcd", lam, e, e, e, e)


# --- derivatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("k, r", [(2, 2), (3, 3), (2, 4), (5, 3)])
def test_derivatives_are_those_of_torch(k, r):
    """Along rows v + B x, brought back to length one, first and second derivatives in x agree."""
    rng = np.random.default_rng(0)
    T, V, mu = symmetric_tensor(r, rng), random_unit_rows(k, rng, r), 0.7
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
    T = symmetric_tensor(4, rng)
    V = np.array([random_unit_rows(3, rng, 4) for _ in range(5)])
    V[0, 0] = [-1, 0, 0, 0]
    whole = np.concatenate([V[..., None], tangent_basis(V)], axis=-1)
    np.testing.assert_allclose(np.swapaxes(whole, -1, -2) @ whole - np.eye(4), 0, atol=1e-14)
    for many, one in zip(
        derivatives(T, V, 0.5), zip(*[derivatives(T, v, 0.5) for v in V]), strict=True
    ):
        np.testing.assert_allclose(many, one, atol=1e-12)


# --- points ------------------------------------------------------------------------------------


def test_kinds_have_a_tolerance():
    spectra = np.array([[-2.0, -1.0], [-1e-9, 1.0], [1e-9, 1.0], [1e-3, 1.0]])
    assert classify(spectra).tolist() == [
        POINT_KINDS[1],
        POINT_KINDS[2],
        POINT_KINDS[2],
        POINT_KINDS[0],
    ]
    assert classify(spectra, tol=1e-2)[3] == POINT_KINDS[2]


def test_merging_ignores_order_and_signs_and_nothing_else():
    rng = np.random.default_rng(0)
    V = np.array([random_unit_rows(4, rng) for _ in range(50)])
    other = V[:, rng.permutation(4)] * rng.choice([-1, 1], (50, 4, 1))
    labels = merge(np.concatenate([V, other + 1e-9 * rng.standard_normal(V.shape)]))
    np.testing.assert_array_equal(labels[:50], labels[50:])
    assert len(np.unique(labels)) == 50
    turned = V * np.array([1, 1, 1, -1])  # a sign within a row is another configuration
    assert len(np.unique(merge(np.concatenate([V, turned])))) == 100


def exact_squares(lam, mu, k):
    """All critical points up to signs: one linear system in s = v^2 for each choice of supports."""
    r, found = len(lam), []
    supports = [s for n in range(1, r + 1) for s in combinations(range(r), n)]
    for chosen in combinations_with_replacement(supports, k):
        cells = [(i, m) for i, support in enumerate(chosen) for m in support]
        row, column = np.array(cells).T
        meets = (column[:, None] == column) * lam[column][:, None]
        own = (row[:, None] == np.arange(k)).astype(float)
        system = np.block(
            [[meets - (1 + mu) * np.diag(lam[column]), -own], [own.T, np.zeros((k, k))]]
        )
        s = np.linalg.solve(system, np.r_[np.zeros(len(cells)), np.ones(k)])[: len(cells)]
        if s.min() > 1e-9:
            squares = np.zeros((k, r))
            squares[row, column] = s
            found.append(squares)
    return np.array(found)


@pytest.mark.parametrize("mu", [0.3, 1.5, 3.3])
@pytest.mark.parametrize("k, n_starts", [(2, 400), (3, 4000)])
def test_census_is_complete_for_small_k(k, n_starts, mu):
    """Newton's list and the list from linear systems are one and the same, kinds included."""
    rng = np.random.default_rng(k)
    lam = 1 / rng.dirichlet(np.full(k, 5.0))
    T = diagonal_tensor(lam)
    points = census(T, mu, rng, n_starts)
    exact = np.sqrt(exact_squares(lam, mu, k))
    exact = exact[np.unique(merge(exact), return_index=True)[1]]
    found = np.abs([p.V for p in points])
    labels = merge(np.concatenate([exact, found]))
    assert set(labels[: len(exact)]) == set(labels[len(exact) :])
    minima = [p for p in points if p.kind == POINT_KINDS[0]]
    assert all(p.index == 0 and p.smallest > 0 for p in minima)
    assert all(p.index > 0 and p.smallest < 0 for p in points if p.kind == POINT_KINDS[1])
    occupancies = {tuple(np.sum(p.V**2, axis=0).round(6).astype(int)) for p in minima}
    assert occupancies == {tuple(n) for n in stable_occupancies(lam, k, mu)}
    assert sum(p.count for p in points) <= n_starts
    assert [p.value for p in points] == sorted(p.value for p in points)


def test_promised_minima_by_hand():
    assert stable_occupancies([1.0, 9.0, 5.0], 3, 0.9).tolist() == [[1, 1, 1]]
    assert len(stable_occupancies([1.0, 9.0, 5.0], 3, 1.1)) == 7  # and six with two rows and a gap
    assert stable_occupancies([1.0, 1.0], 4, 0.5).tolist() == [[2, 2]]
    assert stable_occupancies([1.0, 4.0], 4, 0.5).tolist() == [[3, 1]]  # here the weights count


def test_newton_reaches_a_saddle_and_leaves_out_what_is_no_critical_point():
    T = diagonal_tensor([3.0, 2.0])
    starts = torus(np.array([[2.0, 3.0], [40.0, 50.0], [87.0, 1.0]]))
    ends = find_critical_points(T, starts, 0.5)
    assert len(ends) == 3
    _, gradient, hessian = derivatives(T, ends, 0.5)
    np.testing.assert_allclose(gradient, 0, atol=1e-8)
    assert np.sum(np.linalg.eigvalsh(hessian)[:, 0] < 0) == 2
    assert len(find_critical_points(T, starts, 0.5, max_iter=1)) == 0


# --- slices and basins -------------------------------------------------------------------------


def test_basins_end_where_a_descent_ends():
    T = diagonal_tensor([1.25, 5.0])
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 180, (20, 2))
    for mu in (0.5, 1.5):
        ends = torus(basins(T, mu, starts))
        for start, end in zip(starts, ends, strict=True):
            V, _ = minimize_l4_gradient(0.05 * T, torus(start), mu)  # short steps
            np.testing.assert_allclose(end**2, V**2, atol=1e-6)


# --- the stored census -------------------------------------------------------------------------


def test_distance_is_the_least_over_orders_and_signs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        V, U = random_unit_rows(3, rng), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        least = min(
            np.linalg.norm(np.array(signs)[:, None] * V[list(order)] - U)
            for order in permutations(range(3))
            for signs in product([-1, 1], repeat=3)
        )
        assert experiment.distance(V, U) == pytest.approx(least)
    assert experiment.distance(np.eye(3)[[0, 0, 1]], np.eye(3)) == pytest.approx(np.sqrt(2))
    assert experiment.NEAR < np.sqrt(2)


def test_only_ends_near_the_truth_are_right():
    """A minimum is not right because a descent from the truth ends there: it has to be near."""
    grid = experiment.make_grid()
    index = grid.index(dict(k=4, mu=0.05, noise=1.0))
    seed = np.random.SeedSequence(0).spawn(len(grid))[index].spawn(1)[0]
    T, U, lam = experiment.random_tensor(4, 1.0, np.random.default_rng(seed))
    end = experiment._minimize(T, U, 0.05)
    assert np.abs(end @ end.T).min() > 0.999  # all rows are one, so three are far from the truth
    counts = experiment.summary(T, end[None], U, 0.05, lam.min())
    assert (counts["right"], counts["stray"], counts["minima"]) == (0, 1, 1)
    counts = experiment.summary(T, end[None, ::-1], -end, 0.05, lam.min())
    assert (counts["right"], counts["stray"], counts["minima"]) == (1, 0, 1)


@pytest.fixture(scope="module")
def stored():
    return read_table("census", STORED.resolve())


def test_stored_census_is_whole_and_shows_the_threshold(stored):
    grid = experiment.make_grid()
    assert list(stored["cell"].unique()) == [cell_name(cell) for cell in grid]
    assert (stored.groupby(["cell", "method"]).size() == experiment.TENSORS).all()
    exact = stored[(stored["noise"] == 0) & (stored["method"] == "descent")]
    assert exact.groupby(["k", "mu"])["starts"].sum().min() >= 1000
    below, above = exact[exact["mu"] < 1], exact[exact["mu"] > 1]
    assert (below["right"] == below["starts"]).all()
    assert above.groupby(["k", "mu"])["stray"].sum().loc[:, [1.5, 3.0]].min() > 100
    newton = stored[(stored["noise"] == 0) & (stored["method"] == "newton")]
    assert (newton[newton["mu"] < 1]["degenerate"] == 0).all()
    assert (stored["noise"] == 0).any() and (exact["minima"] <= exact["promised"]).all()
    descents = stored[stored["method"] == "descent"]
    assert (descents["right"] + descents["stray"] == descents["starts"]).all()
    few = descents[descents["noise"].between(0.01, 0.5)]
    assert len(few) == 100 and few["moved"].max() < experiment.NEAR and few["stray"].max() == 0
    lost = descents["moved"] > experiment.NEAR
    assert (descents.loc[lost, "stray"] > 0).all() and lost.sum() > 20


@pytest.mark.parametrize("draw", range(2))
def test_stored_cells_are_what_a_fresh_run_gives(stored, draw, monkeypatch):
    """Two tensors of random cells; an end near a watershed may fall either way elsewhere."""
    declared = EXPERIMENTS["census"]
    index = int(np.random.default_rng(30).permutation(len(declared.grid))[draw])
    assert find_cells(declared, cell_name(declared.grid[index])) == [index]
    seed = np.random.SeedSequence(0).spawn(len(declared.grid))[index]
    monkeypatch.setattr(experiment, "TENSORS", 2)
    fresh = pd.DataFrame(declared.run(declared.grid[index], seed))
    old = stored[stored["cell"] == cell_name(declared.grid[index])]
    old = old[old["tensor"] < 2].reset_index(drop=True)
    keys = ["tensor", "method", "starts"]
    pd.testing.assert_frame_equal(fresh[keys], old[keys], check_dtype=False)
    for column in ("right", "stray", "at_saddle", "minima", "saddles"):
        assert np.abs(fresh[column] - old[column]).max() <= 3
    np.testing.assert_allclose(fresh["promised"], old["promised"])
    np.testing.assert_allclose(fresh["moved"], old["moved"], rtol=1e-3, atol=1e-6)
