"""Learning the experts: error against samples for four methods, for links, and against mu.

A cell is a part, a design and a number of samples. In ``methods`` every method works on the same
data in 48 dimensions; in ``links`` the reduced loss and the spectral method meet every built-in
link; in ``mu`` the reduced loss is minimised for weights below and above one; ``span`` has the
reduced loss again on every link, with the transforms for the experts' span. Two parts tell the
loss from the order of its moment: ``power`` runs the power method of order 4 in the designs of
``methods``, and in ``orders`` it takes the very tensor that the loss is minimised on. A method
whose name ends in ``optimal`` or ``in-span`` uses these transforms, otherwise the polynomials.
"""

import time
import warnings

import numpy as np

from moelib.data.batches import BATCH_SIZE, shuffled_batches
from moelib.estimator.mixture import MixtureOfExperts
from moelib.experiments.experiment import Experiment
from moelib.experts.l4 import minimize_l4_lbfgs, random_unit_rows
from moelib.experts.learn import learn_experts
from moelib.experts.moments import fourth_moment
from moelib.experts.sgd import l4_sgd, learn_experts_sgd
from moelib.experts.spectral import learn_experts_spectral, power_method
from moelib.experts.transforms import label_transforms
from moelib.metrics import expert_angles, regressor_error, unit_rows
from moelib.model import standard_model

DATA_SETS, DATA_SETS_MU, DATA_SETS_ORDERS = 10, 25, 40
STARTS = 5
SGD_STARTS, SGD_STEPS, SPHERE_STEPS = 2, 400, 800
MU, MU_SPHERE = 0.5, 0.95
MUS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.95, 1.05, 1.25, 1.5, 2.0, 3.0)
SPHERE_STEP = 0.3
KINDS = {"": "polynomial", ", optimal": "optimal"}
KINDS_SPAN = {", in-span": "in-span"}
KINDS_OF = {"span": KINDS_SPAN, "orders": {", optimal": "optimal"} | KINDS_SPAN}  # others: KINDS
SETS_OF = {"mu": DATA_SETS_MU, "orders": DATA_SETS_ORDERS}  # others: DATA_SETS
LINKS = ("identity", "relu", "leaky_relu", "tanh", "sigmoid")
LEAST_SPHERE, MOST_SPHERE = 25_000, 200_000


def make_grid():
    """All cells."""
    base = dict(d=48, k=3, link="identity", noise=0.05)
    sizes: tuple = (12_500, 25_000, 50_000, 100_000, 200_000, 400_000)
    cells: list[dict] = [dict(part="methods", **base, n=n) for n in sizes]
    power = [cell | dict(part="power") for cell in cells]
    base = dict(d=10, k=5)
    sizes = (10_000, 30_000, 100_000, 300_000)
    for link in LINKS:
        more = (1_000_000,) if link == "relu" else ()
        cells += [dict(part="links", **base, link=link, noise=0.05, n=n) for n in (*sizes, *more)]
    designs = (dict(d=10, k=3), dict(d=10, k=5)), (8000, 30_000)
    cells += [
        dict(part="mu", **design, link="identity", noise=0.05, n=n)
        for design, n in zip(*designs, strict=True)
    ]
    span = [cell | dict(part="span") for cell in cells if cell["part"] == "links"]
    sized = dict(d=10, k=3), dict(d=10, k=5), dict(d=16, k=8)
    orders = [
        dict(part="orders", **design, link=link, noise=0.05, n=n)
        for link in ("identity", "relu")
        for design, n in zip(sized, (50_000, 100_000, 200_000), strict=True)
    ]
    return cells + span + power + orders  # new cells at the end: a cell's place is its seed


def run_cell(cell, seed, *, data_sets=None):
    """All rows of a cell: for each data set, method and, where it is varied, mu.

    Columns: ``e_reg``; ``angle`` and ``rms_angle``, largest and root mean square over the experts,
    in radians; ``loss``, the method's objective; ``hits``, the share of starts that end at the
    minimum that a descent from the truth finds, and ``near``, the rms angle of that minimum.
    """
    rows, part = [], cell["part"]
    if data_sets is None:
        data_sets = SETS_OF.get(part, DATA_SETS)
    model = standard_model(cell["d"], cell["k"], cell["noise"], link=cell["link"])
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, *seeds = data_seed.spawn(1 + 2 * len(METHODS))
        X, y = model.sample(cell["n"], np.random.default_rng(sample_seed))
        for method, run in CONTROLS.get(part, METHODS).items():
            for ending, kind in KINDS_OF.get(part, KINDS).items():
                rng = np.random.default_rng(seeds.pop())
                begin = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # odd samples show in the rows
                    found = run(cell, model, X, y, kind, rng)
                seconds = (time.process_time() - begin) / max(len(found), 1)
                for row in found:
                    name = row.pop("method", method) + ending
                    label = {"data": data, "method": name}
                    rows.append(label | row | {"seconds": seconds})
    return rows


def errors(A, model):
    """The three errors of an estimate, angles in radians."""
    angles = expert_angles(A, model.experts)
    return {
        "e_reg": regressor_error(A, model.experts),
        "angle": angles.max(),
        "rms_angle": np.sqrt(np.mean(angles**2)),
    }


def _reduced(cell, model, X, y, kind, rng):
    options = dict(link=cell["link"], transforms=kind, n_init=STARTS)
    fit = learn_experts(X, y, cell["k"], rng, **options)
    if cell["part"] != "mu":
        return [{"mu": MU} | errors(fit.experts, model) | {"loss": fit.loss}]
    goal = _whitened_truth(fit.reduction, model)
    starts = [random_unit_rows(cell["k"], rng) for _ in range(STARTS)]
    rows = []
    for mu in MUS:
        near = minimize_l4_lbfgs(fit.tensor, goal, mu)[0]
        runs = [minimize_l4_lbfgs(fit.tensor, V, mu) for V in starts]
        best, loss = _best(runs)
        rows.append(
            {"mu": mu}
            | errors(fit.reduction.experts(best), model)
            | {
                "loss": loss,
                "hits": np.mean([regressor_error(V, near) < 1e-4 for V, _ in runs]),
                "near": errors(fit.reduction.experts(near), model)["rms_angle"],
            }
        )
    return rows


def _best(runs):
    """Where the run of lowest loss ended, and that loss."""
    V, losses = min(runs, key=lambda run: run[1][-1])
    return V, losses[-1]


def _whitened_truth(reduction, model):
    """The true experts as unit rows in the whitened coordinates of an estimated reduction."""
    return unit_rows(model.experts @ reduction.basis / np.sqrt(reduction.eigenvalues))


def _spectral(cell, model, X, y, kind, rng):
    if cell["part"] in ("mu", "span"):
        return []
    try:
        fit = learn_experts_spectral(X, y, cell["k"], rng, link=cell["link"], transforms=kind)
    except ValueError:  # the link has no transform of order 3
        return []
    return [errors(fit.experts, model) | {"loss": fit.loss}]


def _power(cell, model, X, y, kind, rng):
    options = dict(link=cell["link"], transforms=kind)
    fit = learn_experts_spectral(X, y, cell["k"], rng, order=4, **options)
    return [{"mu": None} | errors(fit.experts, model) | {"loss": fit.loss}]


def _one_tensor(cell, model, X, y, kind, rng):
    """L4 at two weights, the power method, and L4 from where it ends, on one whitened tensor."""
    k, link = cell["k"], cell["link"]
    runs: dict = {}
    fit = learn_experts(X, y, k, rng, link=link, transforms=kind, mu=MU, n_init=STARTS)
    runs["reduced", MU] = fit.directions, fit.loss
    starts = [random_unit_rows(k, rng) for _ in range(STARTS)]
    near_one = _best(minimize_l4_lbfgs(fit.tensor, V, MU_SPHERE) for V in starts)
    runs["reduced", MU_SPHERE] = near_one
    V, found = power_method(fit.tensor, rng)
    runs["power", None] = V, -found[-1]
    beyond = (k + 1) / 3
    runs["power, then L4", beyond] = _best([minimize_l4_lbfgs(fit.tensor, V, beyond)])
    return [
        {"method": name, "mu": mu} | errors(fit.reduction.experts(V), model) | {"loss": loss}
        for (name, mu), (V, loss) in runs.items()
    ]


def _sgd(cell, model, X, y, kind, rng):
    if cell["part"] != "methods" or cell["n"] > MOST_SPHERE:
        return []
    batches = shuffled_batches(X, y, rng)
    options = dict(n_init=SGD_STARTS, n_epochs=_epochs(cell["n"], SGD_STEPS), transforms=kind)
    fit = learn_experts_sgd(batches, cell["k"], rng, link=cell["link"], mu=MU, **options)
    return [{"mu": MU} | errors(fit.experts, model) | {"loss": fit.loss}]


def _on_the_sphere(cell):
    return cell["part"] == "methods" and LEAST_SPHERE <= cell["n"] <= MOST_SPHERE


def _sphere_sgd(cell, model, X, y, kind, rng):
    if not _on_the_sphere(cell):
        return []
    transforms = label_transforms(cell["link"], cell["noise"], kind=kind, dimension=cell["k"])
    batches, runs = shuffled_batches(X, y, rng), []
    n_epochs = _epochs(cell["n"], SPHERE_STEPS)
    for _ in range(SGD_STARTS):
        stream = (batch for _ in range(n_epochs) for batch in batches())
        V = random_unit_rows(cell["k"], rng, cell["d"])
        runs.append(l4_sgd(stream, V, transforms, MU_SPHERE, step=SPHERE_STEP))
    best, loss = _best(runs)
    return [{"mu": MU_SPHERE} | errors(best, model) | {"loss": loss}]


def _sphere(cell, model, X, y, kind, rng):
    if not _on_the_sphere(cell):
        return []
    transforms = label_transforms(cell["link"], cell["noise"], kind=kind, dimension=cell["k"])
    T = fourth_moment(X, transforms.q4(y) / transforms.c4)
    rows = []
    also = kind == "polynomial" and cell["n"] == MOST_SPHERE
    for mu in (MU_SPHERE, MU) if also else (MU_SPHERE,):
        starts = [random_unit_rows(cell["k"], rng, cell["d"]) for _ in range(STARTS)]
        runs = [minimize_l4_lbfgs(T, V, mu) for V in starts]
        best, loss = _best(runs)
        near = minimize_l4_lbfgs(T, model.experts.copy(), mu)[0]
        rows.append(
            {"mu": mu}
            | errors(best, model)
            | {
                "loss": loss,
                "hits": np.mean([regressor_error(V, near) < 1e-4 for V, _ in runs]),
                "near": errors(near, model)["rms_angle"],
            }
        )
    return rows


def _refined(cell, model, X, y, kind, rng):
    if cell["part"] != "links" or cell["link"] not in ("tanh", "sigmoid") or cell["n"] != 100_000:
        return []
    if kind != "polynomial":
        return []
    settings = dict(method="two-loss", link=cell["link"], fit_intercept=False, n_init=1)
    fit = MixtureOfExperts(cell["k"], random_state=rng, **settings).fit(X, y)
    return [errors(fit.experts_, model) | {"loss": -fit.log_likelihood_ / len(y)}]


def _epochs(n, steps):
    """Passes over n samples that make a budget of steps."""
    return max(1, steps * BATCH_SIZE // n)


METHODS = {
    "reduced": _reduced,
    "spectral": _spectral,
    "sgd": _sgd,
    "sphere-sgd": _sphere_sgd,
    "sphere": _sphere,
    "refined": _refined,
}
CONTROLS = {
    "power": {"power": _power},
    "orders": {"reduced": _one_tensor, "spectral": _spectral},
}

EXPERTS = Experiment(
    name="experts",
    description=(
        f"Errors of the experts before refinement: {DATA_SETS} data sets a cell "
        f"({DATA_SETS_MU} where mu is varied, {DATA_SETS_ORDERS} where orders are compared)."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method", "mu"),
)
