"""Every public function takes tables, lists and arrays of any kind, and gives the same numbers.

``CASES`` calls each public function. Arrays among the arguments are data: they are passed as they
are, then as tables, as lists, in another type or another order, and the results have to agree. What
a face lists and neither ``CASES`` nor ``NO_DATA`` names fails the tests. The same calls show that
what cannot be used is refused in words.
"""

import dataclasses
import inspect
import re
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import moelib
from moelib import (
    bounds,
    estimator,
    experts,
    gates,
    hermite,
    likelihood,
    losses,
    metrics,
    quadrature,
)
from moelib import data as batches_of
from moelib.experts.reduction import Reduction
from moelib.experts.transforms import KINDS

pytestmark = pytest.mark.filterwarnings("ignore")  # methods say that these samples are few

WITHOUT = {"pages", "experiments", "displays", "classroom"}  # they take no samples, or have tests
GROUND = [metrics, losses, hermite, quadrature]
FACES = [moelib] + [
    import_module(f"moelib.{path.parent.name}")
    for path in sorted(Path(moelib.__file__).parent.glob("*/__init__.py"))
    if path.parent.name not in WITHOUT
]


# --- data, each number of which fits into 32 bits -------------------------------------------------


def single(values):
    return np.asarray(values, dtype=np.float32).astype(float)


def symmetric(r):
    orthogonal = experts.orthogonal_tensor(4 * np.ones(r), np.eye(r))
    return single(orthogonal + experts.random_symmetric(r, 4, rng()) / 5)


rng = partial(np.random.default_rng, 0)
MODEL = moelib.standard_model(d=4, n_experts=2, noise=0.25)
START = moelib.GatedModel(MODEL.experts + 0.25, MODEL.gates / 2, 0.5)
LARGE = moelib.GatedModel([*START.experts, [0, 0, 0, 1]], [*START.gates, [0, 0, 0, 0]], 0.5)
PAIR = moelib.label_transforms("identity", 0.25)
X, y = map(single, MODEL.sample(240, rng()))
WEIGHTS = single(rng().uniform(0.5, 1.5, len(y)))
DATA = dict(X=X, y=y)
WEIGHTED = DATA | dict(sample_weight=WEIGHTS)
A, W = single(START.experts), single(START.gates)
M = single(MODEL.experts.T @ [[0.75, 0.25], [0.25, 0.5]] @ MODEL.experts + 0.125 * np.eye(4))
SHARES = np.array([0.75, 0.25])
T, V = symmetric(4), single(metrics.unit_rows(A))
T2, STARTS = symmetric(2), single(experts.random_unit_rows(6, rng(), 2)).reshape(3, 2, 2)
F = single(M - np.diag(np.diag(M)))
P = single(rng().dirichlet([1, 1], len(y)))
SQUARES = single((y[:, None] - MODEL.expert_means(X)) ** 2)
OF_GATES = dict(W=W, D=X, log_normals=single(gates.log_normals(MODEL, X, y)), weights=WEIGHTS)


# --- calls that take more than a line -------------------------------------------------------------


def looks(X, y):
    model = MODEL
    of_inputs = [
        look(X)
        for look in (
            model.expert_means,
            model.gate_probabilities,
            model.log_gate_probabilities,
            model.mean,
        )
    ]
    return of_inputs, [look(X, y) for look in (model.log_joint, model.log_density, model.posterior)]


def transformed(y):
    return [moelib.label_transform(2, "tanh", 0.25, kind=kind)(y) for kind in KINDS]


def moments(X, y, sample_weight, basis, V):
    found = moelib.Moments(PAIR, basis).update(X, y, sample_weight)
    return found.second_moment, found.fourth_moment, found.l4_loss(V)


def batched(function):
    def call(X, y, sample_weight=None, **options):
        batch = (X, y) if sample_weight is None else (X, y, sample_weight)
        return function(lambda: [batch], **options)

    return call


def stream(X, y, V, frame):
    return experts.l4_sgd([(X, y)] * 2, V, PAIR, frame=frame)


def descents(function):
    return lambda X, y, start: function(moelib.l4_loss, start, X, y, PAIR)


def unreduced(V, eigenvalues, basis):
    eigenvalues, basis = np.asarray(eigenvalues), np.asarray(basis)
    return Reduction(PAIR, 1.0, 240, X[0], M, eigenvalues, basis).experts(V)


def solved(D, weights, gradient, **options):
    return gates.bound_solver(D, weights=weights, **options)(gradient)


def drawn(**arguments):
    return list(batches_of.drawn_batches(MODEL, seed=np.random.SeedSequence(0), **arguments)())


def shuffled(**arguments):
    return list(batches_of.shuffled_batches(**arguments)())


def fitted(X, y, sample_weight, **settings):
    fit = moelib.MixtureOfExperts(2, "em", random_state=0, **settings).fit(X, y, sample_weight)
    criteria = fit.bic(X, y, sample_weight), fit.icl(X, y, sample_weight)
    return fit.model_, fit.predict(X), fit.log_density(X, y), fit.posterior(X, y), criteria


def certified(**arguments):
    return estimator.certificate_of(n_draws=20, **arguments).table.to_numpy()


def chosen(X, y, **options):
    em = moelib.MixtureOfExperts(method="em", n_init=1, random_state=0)
    return moelib.choose_n_experts(em, X, y, **options).table["bic"].tolist()


@dataclasses.dataclass
class Case:
    """A call: arrays among the arguments are data, and ``rng`` stands for a fresh generator."""

    function: object
    arguments: dict

    def __call__(self, convert=lambda values: values, **changes):
        arguments = self.arguments | changes
        for name, value in self.arguments.items():
            if name not in changes and isinstance(value, np.ndarray):
                arguments[name] = convert(value)
            elif arguments[name] is rng:
                arguments[name] = rng()
        return self.function(**arguments)

    @property
    def data(self):
        return {name for name, value in self.arguments.items() if isinstance(value, np.ndarray)}


def case(function, /, **arguments):
    return Case(function, arguments)


def climbs():
    """Cases of what takes X, y and a first model."""
    names = "gradient_em least_squares joint_likelihood".split()
    weighted = "expectation_maximization split_merge_em maximum_likelihood".split()
    for name in names + weighted:
        of = WEIGHTED if name in weighted else DATA
        yield name, case(getattr(moelib, name), **of, init=START, max_iter=20)
    for name in ("joint_likelihood_sgd", "least_squares_sgd"):
        yield name, case(getattr(moelib, name), **DATA, init=START, rng=rng, n_steps=100)


def reads_of_a_model():
    """Cases of what takes a model, X and y."""
    weighted = [moelib.gate_curvature, moelib.find_degeneracies, moelib.standard_errors]
    weighted += [moelib.scoring_step, likelihood.drop_costs, likelihood.mean_score]
    weighted += [likelihood.score_moments, likelihood.observed_information]
    plain = [gates.slowest_directions, gates.log_normals, likelihood.scores, likelihood.certify]
    plain += [gates.separating_gate]
    for look in weighted + plain:
        of = WEIGHTED if look in weighted else DATA
        yield look.__name__, case(look, model=START, **of)
    yield "polish", case(likelihood.polish, model=START, **DATA, max_iter=2)
    yield "gate_drift", case(gates.gate_drift, model=START, **DATA, direction=A)


CASES = {
    **dict(climbs()),
    **dict(reads_of_a_model()),
    # the ground floor
    "GatedModel": case(moelib.GatedModel, experts=A, gates=W, noise=np.array([0.5, 0.25])),
    "GatedModel, its methods": case(looks, **DATA),
    "GatedModel.sample": case(MODEL.sample, n=5, rng=rng),
    "GatedModel.sample_labels": case(MODEL.sample_labels, X=X, rng=rng),
    "certificate_of": case(certified, model=MODEL, **WEIGHTED, rng=rng),
    "held_noise": case(
        likelihood.held_noise, rate=0.02, batch_size=64, shares=np.array([0.4, 0.6]), n_features=4
    ),
    "standard_model": case(moelib.standard_model, d=4, n_experts=2),
    "random_model": case(moelib.random_model, d=4, n_experts=2, rng=rng),
    "match_experts": case(metrics.match_experts, A=A, A_true=V),
    "regressor_error": case(metrics.regressor_error, A=A, A_true=V),
    "expert_angles": case(metrics.expert_angles, A=A, A_true=V),
    "gate_error": case(metrics.gate_error, W=W, W_true=MODEL.gates, permutation=[1, 0]),
    "reorder_gates": case(metrics.reorder_gates, W=W, permutation=[1, 0]),
    "relabelled": case(metrics.relabelled, model=MODEL, order=[1, 0]),
    "matched": case(metrics.matched, A=A, W=W, truth=MODEL),
    "unit_rows": case(metrics.unit_rows, V=A),
    "standard_errors_off": case(metrics.standard_errors_off, samples=X, expected=X[0]),
    "bias_share": case(metrics.bias_share, errors=X),
    "l4_loss": case(losses.l4_loss, A=A, **DATA, transforms=PAIR),
    "l4_of_tensors": case(
        losses.l4_of_tensors,
        **{name: torch.tensor(value) for name, value in (DATA | dict(A=A)).items()},
        transforms=PAIR,
    ),
    "log_loss": case(losses.log_loss, A=A, W=W, noise=0.5, **DATA),
    "log_loss, a noise each": case(losses.log_loss, A=A, W=W, noise=SHARES, **DATA),
    "least_squares_loss": case(losses.least_squares_loss, A=A, W=W, **DATA),
    "gate_loss": case(losses.gate_loss, W=W, **DATA, experts=A, noise=SHARES),
    "hermite": case(hermite.hermite, m=3, t=y),
    "score2": case(hermite.score2, x=X, u=A[0]),
    "score3": case(hermite.score3, x=X, u=A[0], v=A[1]),
    "score4": case(hermite.score4, x=X, u=A[0], v=A[1]),
    "score_norm": case(hermite.score_norm, x=X, order=4),
    "score_tensor": case(hermite.score_tensor, x=X, order=2),
    "label_power": case(quadrature.label_power, power=3, answers=y, noise=0.25),
    "mean_over_noise": case(quadrature.mean_over_noise, function=np.sin, answers=y, noise=0.25),
    # batches
    "as_batch": case(batches_of.as_batch, **WEIGHTED),
    "checked": case(batched(lambda batches: list(batches_of.checked(batches)())), **WEIGHTED),
    "drawn_batches": case(drawn, n=30, size=20),
    "shuffled_batches": case(shuffled, **DATA, rng=rng, size=100),
    # experts
    "noise_from_labels": case(experts.noise_from_labels, y=2 * y),
    "conditional_hermite": case(experts.conditional_hermite, y=y[:9], order=2, noise=0.25),
    "label_transform": case(moelib.label_transform, order=2, dimension=3),
    "LabelTransform": case(transformed, y=y),
    "score_weights": case(experts.score_weights, m=2, dimension=3),
    "optimal_transform": case(experts.optimal_transform, m=2, link="tanh", noise=0.5, dimension=3),
    "gate_slopes": case(experts.gate_slopes, model=MODEL, u=A[0], order=2),
    "mixed_moment": case(experts.mixed_moment, t=A[0], model=MODEL, u=A[1]),
    "orthogonal_tensor": case(experts.orthogonal_tensor, weights=SHARES, U=A),
    "random_symmetric": case(experts.random_symmetric, d=2, order=3, rng=rng),
    "tensor_norm": case(experts.tensor_norm, T=T, rng=rng, n_init=2),
    "Moments": case(moments, **WEIGHTED, basis=np.eye(4)[:, :3], V=A[:, :3]),
    "fourth_moment": case(experts.fourth_moment, X=X, q=y, block=100),
    "population_moments": case(experts.population_moments, A=A, shares=SHARES, basis=M),
    "score4_sum": case(experts.score4_sum, pair_products=M[:3, :3], products=M[:2, :2], weight=2.0),
    "entry_variances": case(
        experts.entry_variances, transform=np.square, order=2, shares=SHARES, nodes=9
    ),
    "hermite_exponents": case(experts.hermite_exponents, r=2, degree=2),
    "hermite_features": case(experts.hermite_features, z=X, degree=2),
    "Reduction": case(unreduced, V=A[:, :2], eigenvalues=SHARES, basis=np.eye(4)[:, :2]),
    "reduce_batches": case(batched(experts.reduce_batches), **WEIGHTED, n_experts=2, n_blocks=2),
    "top_eigenpairs": case(experts.top_eigenpairs, M=M, k=2),
    "whiten": case(experts.whiten, T=T2, eigenvalues=SHARES),
    "first_order_error": case(experts.first_order_error, F=F, E=T, A=V, shares=SHARES),
    "best_of_starts": case(experts.best_of_starts, T=T2, starts=STARTS),
    "derivatives": case(experts.derivatives, T=T, V=V, mu=0.5),
    "minimize_l4_gradient": case(experts.minimize_l4_gradient, T=T, V=V, max_iter=9),
    "minimize_l4_lbfgs": case(experts.minimize_l4_lbfgs, T=T, V=V, max_iter=9),
    "largest_overlap": case(experts.largest_overlap, V=V),
    "minimize_l4_orthonormal": case(experts.minimize_l4_orthonormal, T=T2, V=A[:, :2], max_iter=9),
    "random_unit_rows": case(experts.random_unit_rows, k=2, rng=rng, r=3),
    "tensor_l4": case(experts.tensor_l4, T=T, V=V, mu=0.5),
    "gradient_path": case(descents(partial(experts.gradient_path, n_steps=3)), **DATA, start=A),
    "minimize_free_rows": case(descents(experts.minimize_free_rows), **DATA, start=A),
    "minimize_on_ellipsoid": case(experts.minimize_on_ellipsoid, M=M, T=T, A=A),
    "null_vectors": case(experts.null_vectors, M=F, rng=rng, n_vectors=3),
    "steepness": case(experts.steepness, M=M, T=T, lam=1.0, starts=V),
    "basins": case(experts.basins, T=T2, mu=0.5, angles=10 * A, n_steps=5),
    "census": case(experts.census, T=T2, mu=0.5, rng=rng, n_init=20, n_experts=2),
    "classify": case(experts.classify, eigenvalues=F),
    "find_critical_points": case(experts.find_critical_points, T=T2, V=STARTS, mu=0.5),
    "merge": case(experts.merge, V=STARTS),
    "stable_occupancies": case(experts.stable_occupancies, lam=1 / SHARES[1:], k=2, mu=0.5),
    "torus": case(experts.torus, angles=A),
    "critical_squares": case(experts.critical_squares, lam=SHARES, mu=0.5, k=2),
    "farthest_move": case(experts.farthest_move, size=0.01, lam=SHARES, mu=0.5),
    "first_order_move": case(experts.first_order_move, E=T2, U=np.eye(2), lam=SHARES, mu=0.5),
    "critical_angles": case(experts.critical_angles, T=T2, mu=0.5, rng=rng, n_init=20),
    "flows_together": case(experts.flows_together, T=T2, mu=0.5, angles=10 * A, n_steps=5),
    "landscape_map": case(experts.landscape_map, T=T2, mu=0.5, rng=rng, n_side=5),
    "learn_experts": case(moelib.learn_experts, **WEIGHTED, n_experts=2, rng=rng, n_init=2),
    "learn_experts_from_batches": case(
        batched(moelib.learn_experts_from_batches), **WEIGHTED, n_experts=2, rng=rng, n_init=2
    ),
    "learn_experts_sgd": case(
        batched(moelib.learn_experts_sgd), **DATA, n_experts=2, rng=rng, n_init=2, n_epochs=2
    ),
    "l4_sgd": case(stream, **DATA, V=np.eye(2), frame=A),
    "learn_experts_spectral": case(
        moelib.learn_experts_spectral, **WEIGHTED, n_experts=2, rng=rng, n_init=2
    ),
    "power_method": case(experts.power_method, T=T2, rng=rng, n_init=2),
    "first_moment_signs": case(experts.first_moment_signs, experts=A, mean_yx=A[0]),
    "third_moment_signs": case(experts.third_moment_signs, experts=A, **DATA),
    "likelihood_signs": case(experts.likelihood_signs, experts=A, **DATA, noise=0.5),
    "aligned": case(experts.aligned, A=A, A_true=V),
    "learn_sets": case(experts.learn_sets, learn=lambda X, y, rng: V, model=MODEL, n=9, n_sets=2),
    "moment_errors": case(experts.moment_errors, model=MODEL, transforms=PAIR, n=9, n_sets=2),
    "signs_found": case(experts.signs_found, model=MODEL, n=99, n_sets=2),
    # gates
    "learn_gates": case(moelib.learn_gates, **WEIGHTED, experts=A, init=W),
    "covariance_hessian": case(gates.covariance_hessian, q=P, D=X, weights=WEIGHTS, less=P[::-1]),
    "em_step": case(gates.em_step, **OF_GATES),
    "gate_gradient": case(gates.gate_gradient, **OF_GATES),
    "gate_hessian": case(gates.gate_hessian, **OF_GATES),
    "gradient_step": case(gates.gradient_step, **OF_GATES),
    "newton_step": case(gates.newton_step, **OF_GATES),
    "negative_log_likelihood": case(gates.negative_log_likelihood, **OF_GATES),
    "log_normal_density": case(gates.log_normal_density, squares=SQUARES, variance=0.25),
    "surrogate_step": case(gates.surrogate_step, W=W, D=X, r=P),
    "bound_solver": case(solved, D=X, n_experts=2, weights=WEIGHTS, gradient=W),
    "bound_step": case(gates.bound_step, W=W, D=X, r=P),
    "curvature_bound": case(gates.curvature_bound, D=X, n_experts=2, weights=WEIGHTS),
    "errors_along": case(
        gates.errors_along, step=lambda W: W / 2, start=W, goal=np.zeros_like(W), max_iter=9
    ),
    "measured_rate": case(gates.measured_rate, errors=single(0.5 ** np.arange(50))),
    # likelihood
    "random_start": case(moelib.random_start, **WEIGHTED, n_experts=2, rng=rng),
    "make_start": case(moelib.make_start, **WEIGHTED, n_experts=2, rng=rng, init="kmeans"),
    "pruned_em": case(moelib.pruned_em, **WEIGHTED, init=LARGE, n_experts=2, max_iter=20),
    "optima_reached": case(
        likelihood.optima_reached, truth=MODEL, **DATA, angles=10 * A[0], n_steps=3
    ),
    # bounds
    "recover_from_density": case(
        bounds.recover_from_density,
        log_density=MODEL.log_density,
        x=np.array([1.0, -0.5, 0.25, 0.5]),
        n_experts=2,
    ),
    "fisher_information": case(bounds.fisher_information, model=MODEL, n_draws=99, rng=rng),
    "complete_information": case(bounds.complete_information, model=MODEL, n_draws=99, rng=rng),
    "cramer_rao_bound": case(
        bounds.cramer_rao_bound, model=MODEL, n=99, information=np.diag(np.arange(1.0, 14))
    ),
    "moment_bound": case(bounds.moment_bound, transform=PAIR.q2, dimension=3),
    "span_bound": case(bounds.span_bound, e2=0.1, spectrum=SHARES),
    "tensor_bound": case(bounds.tensor_bound, e2=0.1, e4=0.1, spectrum=SHARES, shares=SHARES),
    "landscape_room": case(bounds.landscape_room, shares=SHARES, mu=0.5),
    "rotation_bound": case(bounds.rotation_bound, tensor=1e-3, shares=SHARES, mu=0.5),
    "expert_bound": case(
        bounds.expert_bound, e2=0.1, rotation=SHARES / 2, spectrum=SHARES, shares=SHARES
    ),
    "signs_are_right": case(
        bounds.signs_are_right,
        error=0.01,
        n=1_000_000,
        delta=0.1,
        shares=SHARES,
        least=1.0,
        slope=1.0,
        fourth=3.0,
    ),
    "gate_errors": case(bounds.gate_errors, model=MODEL, experts=A, **DATA, curvature=0.1),
    "posterior_errors": case(
        bounds.posterior_errors, model=MODEL, experts=A, **DATA, z=(y > 0).astype(int), slope=1.0
    ),
    "largest_cube": case(bounds.largest_cube, X=X, rng=rng, n_init=2),
    "step_errors": case(
        bounds.step_errors, A=MODEL.experts[:2], shares=SHARES, M_hat=M, E4=T2 / 64, rng=rng
    ),
    "one_error": case(bounds.one_error, model=MODEL, n=200, rng=rng),
    "required_samples": case(bounds.required_samples, model=MODEL, eps=0.9, n_runs=10, rng=rng),
    # where they meet
    "MixtureOfExperts": case(fitted, **WEIGHTED, n_init=2),
    "align_experts": case(moelib.align_experts, model=START, reference=MODEL, X=X),
    "choose_n_experts": case(chosen, **WEIGHTED, n_experts=(2, 3)),
}

NO_DATA = set(
    """
    LINKS Link FreeParameters AssumptionWarning ConvergenceWarning explore LabelTransforms
    label_transforms mean_square error_constants ControlSums PlainSums ExpertFit expert_fit
    CriticalPoint POINT_KINDS GateCurvature StandardErrors StationaryPoint drop_expert MomentBound
    posterior_bound cube_bound lost_curvature gate_bound TwoLossBound least_samples RequiredSamples
    check_two_loss_inputs Summary parameter_table Selection with_twin row_blocks gaussian_rule
    hermite_moments label_moment mean_slope joint_rule Certificate
    """.split()
)


# --- nothing is left out --------------------------------------------------------------------------


def public():
    """Everything that a face lists, and the functions of the ground floor that take data."""
    names = {name: face for face in FACES for name in face.__all__ if not name.endswith("Display")}
    found = {name: getattr(face, name) for name, face in names.items()}
    for module in GROUND:
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                found |= {} if name.startswith("_") else {name: value}
    return found


PUBLIC = public()


def own(name):
    """The public function or class that a case is about."""
    first, *rest = re.split(r"[,.]", name)[:2]
    return getattr(PUBLIC[first], rest[0]) if rest and "." in name else PUBLIC[first]


def test_every_public_function_has_a_case_or_takes_no_data():
    called = {re.split("[,.]", name)[0] for name in CASES}
    assert set(PUBLIC) - called - NO_DATA == set()
    assert (called | NO_DATA) - set(PUBLIC) == set() and called & NO_DATA == set()


def test_what_takes_no_data_has_no_argument_that_is_data_elsewhere():
    telling = set("X y A W V T M D U E F q shares experts spectrum sample_weight answers".split())
    assert telling <= set.union(*(case.data for case in CASES.values()))
    for name in NO_DATA:
        if inspect.isfunction(PUBLIC[name]):
            assert not telling & set(inspect.signature(PUBLIC[name]).parameters), name


# --- the same numbers -----------------------------------------------------------------------------


def table(values):
    """A Series, or a DataFrame, with labels that are in no order."""
    index = [f"row {i}" for i in range(len(values))][::-1]
    if values.ndim == 2:
        return pd.DataFrame(values, index, [f"column {i}" for i in range(values.shape[1])])
    return pd.Series(values, np.arange(len(values))[::-1] + 7) if values.ndim == 1 else values


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


KINDS_OF_DATA = {
    "tables": table,
    "lists": lambda values: values.tolist(),
    "float32": lambda values: values.astype(np.float32),
    "columns first": np.asfortranarray,
    "read-only": read_only,
    "backwards": lambda values: values[::-1].copy()[::-1],
}


def leaves(value):
    """The arrays that a result is made of."""
    if torch.is_tensor(value):
        value = value.detach().numpy()
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    if value is None or isinstance(value, str) or callable(value):
        return []
    assert not isinstance(value, pd.DataFrame | pd.Series), "a table came back"
    array = np.asarray(value)
    assert array.dtype.kind in "biUf" and array.dtype != np.float32, f"{array.dtype} came back"
    return [array]


@pytest.fixture(scope="module")
def plain():
    """What a case returns for plain arrays, computed once."""
    found: dict = {}

    def result(name):
        if name not in found:
            found[name] = leaves(CASES[name]())
        return found[name]

    return result


@pytest.mark.parametrize("kind", KINDS_OF_DATA)
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].data])
def test_other_kinds_of_data_give_the_same_numbers(name, kind, plain):
    expected, found = plain(name), leaves(CASES[name](KINDS_OF_DATA[kind]))
    assert len(expected) == len(found) > 0 or name in ("find_degeneracies", "separating_gate")
    for one, other in zip(expected, found, strict=True):
        if one.dtype.kind == "U":
            np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in CASES if "y" in CASES[name].data])
def test_a_column_of_labels_is_taken_or_the_cure_is_named(name, plain):
    try:
        found = leaves(CASES[name](y=CASES[name].arguments["y"][:, None]))
    except ValueError as refusal:
        assert re.search(r"y must be .*1-d.*y\.ravel\(\)", str(refusal)), str(refusal)
    else:
        for one, other in zip(plain(name), found, strict=True):
            np.testing.assert_allclose(np.squeeze(other), np.squeeze(one), rtol=1e-6, atol=1e-8)


# --- what cannot be used is refused in words ------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if "X" in CASES[name].data])
def test_no_samples_are_refused_in_words_or_have_no_results(name):
    given = CASES[name].arguments
    rows = {n: given[n][:0] for n in CASES[name].data if len(given[n]) == len(X)}
    assert "X" in rows
    try:
        found = leaves(CASES[name](**rows))
    except ValueError as refusal:
        assert re.search(r"\b(X|y|batches|stream)\b|0 sample", str(refusal)), str(refusal)
    else:
        assert any(leaf.size == 0 for leaf in found) and all(
            np.all(np.isfinite(leaf)) for leaf in found
        )


def with_parameter(*names):
    """Pairs of a case and a parameter of its function, of which the case may say nothing."""
    for name in CASES:
        function = own(name)
        taken = set(inspect.signature(function).parameters) | set(CASES[name].arguments)
        taken -= CASES[name].data | ({"size"} if name == "farthest_move" else set())
        yield from ((name, each) for each in names if each in taken and inspect.isroutine(function))


@pytest.mark.parametrize("seed", [0, None, np.random.RandomState(0)], ids=["0", "None", "legacy"])
@pytest.mark.parametrize("name", [name for name, _ in with_parameter("rng")])
def test_what_is_no_generator_is_refused(name, seed):
    if seed is None and inspect.signature(own(name)).parameters["rng"].default is None:
        return
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator such as"):
        CASES[name](rng=seed)


COUNTS = "k r n_experts n_init n_epochs n_sets n_vectors n_blocks n_side n_runs nodes block".split()
COUNTS += "size dimension d".split()


@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
@pytest.mark.parametrize(("name", "parameter"), list(with_parameter(*COUNTS)))
def test_what_is_no_count_is_refused(name, parameter, value):
    with pytest.raises(ValueError, match=rf"\b{parameter} must "):
        CASES[name](**{parameter: value})
