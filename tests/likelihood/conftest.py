"""Which parameters are learned, in every combination, and small models that have them."""

import numpy as np
import pytest

from moelib import FreeParameters, GatedModel

ALL_FREE = {
    "plain": FreeParameters(),
    "intercepts": FreeParameters(intercepts=True),
    "known noise": FreeParameters(intercepts=True, noise=False),
    "constant gate": FreeParameters(intercepts=True, gate_slopes=False),
    "constant gate alone": FreeParameters(gate_slopes=False),
    "noise each": FreeParameters(noise="per-expert"),
    "noise each, intercepts": FreeParameters(intercepts=True, noise="per-expert"),
    "own columns": FreeParameters(
        intercepts=True, noise="per-expert", expert_features=(0,), gate_features=(1,)
    ),
}


@pytest.fixture(scope="session", params=ALL_FREE.values(), ids=ALL_FREE)
def free(request):
    """Each choice of what is learned in turn."""
    return request.param


@pytest.fixture(scope="session")
def instance():
    """A function that draws a random model and n samples: ``model, X, y = instance(seed)``."""

    def draw(seed=0, n=120, link="identity", free=FreeParameters()):
        rng = np.random.default_rng(seed)
        model = GatedModel(
            rng.standard_normal((3, 2)),
            rng.standard_normal((2, 2)) * free.gate_slopes,
            [0.4, 0.5, 0.7] if free.noise_per_expert else 0.5,
            link,
            rng.standard_normal(3) * free.intercepts,
            rng.standard_normal(2) * free.gate_intercepts,
        )
        model = free.restricted(model)
        return (model, *model.sample(n, rng))

    return draw
