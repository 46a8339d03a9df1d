"""How many samples: the error of the two losses against n, d and k, before any refinement.

Data are batches, each with its own seed, drawn again for every pass and never held together. Part
``n`` goes from ten thousand to ten million samples; part ``d`` up to 200 dimensions, with L4 on the
sphere of the inputs beside the reduced loss as long as its tensor fits; part ``k`` up to ten
experts; part ``gates`` learns the gates too.
"""

import time
import warnings

import numpy as np

from moelib.data.batches import drawn_batches
from moelib.experiments.experiment import Experiment
from moelib.experts.l4 import best_of_starts, random_unit_rows
from moelib.experts.learn import learn_experts_from_batches
from moelib.experts.moments import fourth_moment
from moelib.experts.transforms import label_transforms
from moelib.gates.learn import learn_gates
from moelib.metrics import expert_angles, matched
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


def run_cell(cell, seed, *, data_sets=None):
    """A row for every data set and method.

    Columns: ``angle`` and ``rms_angle``, largest and root mean square over the experts, in radians;
    ``gate_distance``, the length of the error of all gates together, in part ``gates``.
    """
    rows = []
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    data_sets = DATA_SETS[cell["part"]] if data_sets is None else data_sets
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, *seeds = data_seed.spawn(1 + 2 * len(KINDS))
        batches = drawn_batches(model, cell["n"], sample_seed, size=BATCH)
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
    options = dict(mu=MU, n_init=STARTS, transforms=kind)
    fit = learn_experts_from_batches(batches, cell["k"], rng, **options)
    row = {"method": f"reduced, {kind}"} | _angles(fit.experts, model)
    if cell["part"] == "gates":
        X, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
        gates = learn_gates(X, y, fit.experts).model.gates
        row["gate_distance"] = gate_distance(fit.experts, gates, model)
    return row


def _sphere(cell, model, batches, kind, rng):
    if cell["part"] != "d" or cell["d"] > MOST_SPHERE:
        return None
    transforms = label_transforms("identity", cell["noise"], kind=kind, dimension=cell["k"])
    X, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
    T = fourth_moment(X, transforms.q4(y) / transforms.c4)
    starts = [random_unit_rows(cell["k"], rng, cell["d"]) for _ in range(STARTS)]
    return {"method": f"sphere, {kind}"} | _angles(best_of_starts(T, starts, MU_SPHERE)[0], model)


def _angles(A, model):
    angles = expert_angles(A, model.experts)
    return {"angle": angles.max(), "rms_angle": np.sqrt(np.mean(angles**2))}


def gate_distance(A, W, model):
    """Length of the error of the gates, after the order that matches the experts."""
    return float(np.linalg.norm(matched(A, W, model)[1] - model.gates))


SAMPLES = Experiment(
    name="samples",
    description="Error of the two losses against n, d and k: 10 or 20 data sets a cell.",
    grid=make_grid(),
    run=run_cell,
)
