"""How many samples: the error of the two losses against n, d and k, before any refinement.

Data are batches, each with its own seed, drawn again for every pass and never held together. Part
``n`` goes from ten thousand to ten million samples; part ``d`` up to 200 dimensions, with L4 on the
sphere of the inputs beside the reduced loss as long as its tensor fits; part ``k`` up to ten
experts; part ``gates`` learns the gates too.
"""

import time
import warnings

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experiments.experts import errors, fourth_moment
from moelib.experts.l4 import minimize_l4_lbfgs, random_unit_rows
from moelib.experts.learn import learn_experts_from_batches
from moelib.experts.transforms import label_transforms
from moelib.gates.learn import learn_gates
from moelib.metrics import match_experts
from moelib.model import standard_model

BATCH = 20_000
STARTS = 5
MU, MU_SPHERE = 0.5, 0.95
DATA_SETS = {"n": 10, "d": 10, "k": 10, "gates": 20}
KINDS = ("polynomial", "in-span")
MOST_SPHERE = 40  # dimensions


def make_grid():
    """All cells."""
    base = dict(k=3, d=10, noise=0.05)
    sizes: tuple = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
    cells: list[dict] = [dict(part="n") | base | dict(n=n) for n in sizes]
    cells += [
        dict(part="d") | base | dict(d=d, n=100_000) for d in (5, 10, 20, 40, 70, 100, 140, 200)
    ]
    sizes = (10_000, 30_000, 100_000, 300_000, 1_000_000)
    cells += [
        dict(part="k", k=k, d=20, noise=0.05, n=n) for k in (2, 3, 4, 5, 6, 8, 10) for n in sizes
    ]
    sizes = (3000, 10_000, 30_000, 100_000)
    cells += [
        dict(part="gates", k=k, d=d, noise=noise, n=n)
        for k, d, noise in ((2, 5, 0.05), (2, 10, 0.05), (2, 5, 0.5), (3, 5, 0.05), (3, 10, 0.05))
        for n in sizes
    ]
    return cells


def stream(model, n, seed):
    """A callable that yields the batches of a data set, the same ones every time it is called."""
    seeds = seed.spawn(-(-n // BATCH))
    sizes = [min(BATCH, n - i * BATCH) for i in range(len(seeds))]

    def batches():
        return (
            model.sample(size, np.random.default_rng(one))
            for size, one in zip(sizes, seeds, strict=True)
        )

    return batches


def run_cell(cell, seed):
    """A row for every data set and method.

    Columns: ``angle`` and ``rms_angle``, largest and root mean square over the experts, in radians;
    ``gate_distance``, the length of the error of all gates together, in part ``gates``.
    """
    rows = []
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    for data, data_seed in enumerate(seed.spawn(DATA_SETS[cell["part"]])):
        sample_seed, *seeds = data_seed.spawn(1 + 2 * len(KINDS))
        batches = stream(model, cell["n"], sample_seed)
        for kind in KINDS:
            for method in (_reduced, _sphere):
                rng = np.random.default_rng(seeds.pop())
                begin = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # odd samples show in the rows
                    found = method(cell, model, batches, kind, rng)
                if found:
                    seconds = time.process_time() - begin
                    rows.append({"data": data} | found | {"seconds": seconds})
    return rows


def _reduced(cell, model, batches, kind, rng):
    fit = learn_experts_from_batches(batches, cell["k"], rng, mu=MU, n_init=STARTS, kind=kind)
    row = {"method": f"reduced, {kind}"} | _angles(fit.experts, model)
    if cell["part"] == "gates":
        X, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
        gates = learn_gates(X, y, fit.experts).gates
        row["gate_distance"] = gate_distance(fit.experts, gates, model)
    return row


def _sphere(cell, model, batches, kind, rng):
    if cell["part"] != "d" or cell["d"] > MOST_SPHERE:
        return None
    transforms = label_transforms("identity", cell["noise"], kind, dimension=cell["k"])
    X, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
    T = fourth_moment(X, transforms.q4(y) / transforms.c4)
    starts = [random_unit_rows(cell["k"], rng, cell["d"]) for _ in range(STARTS)]
    runs = [minimize_l4_lbfgs(T, V, MU_SPHERE) for V in starts]
    best = min(runs, key=lambda run: run[1][-1])[0]
    return {"method": f"sphere, {kind}"} | _angles(best, model)


def _angles(A, model):
    found = errors(A, model)
    return {name: found[name] for name in ("angle", "rms_angle")}


def gate_distance(A, W, model):
    """Length of the error of the gates, after the order that matches the experts."""
    order, _ = match_experts(A, model.experts)
    gates = np.vstack([W, np.zeros(model.n_features)])[order]
    return float(np.linalg.norm((gates - gates[-1])[:-1] - model.gates))


SAMPLES = Experiment(
    name="samples",
    description="Error of the two losses against n, d and k: 10 or 20 data sets a cell.",
    grid=make_grid(),
    run=run_cell,
)
