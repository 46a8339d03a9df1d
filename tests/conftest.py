"""What tests of several modules draw their data from."""

import numpy as np
import pytest

from moelib import standard_model


@pytest.fixture(scope="session")
def standard():
    """A function that draws n samples of a standard design: ``model, X, y = standard(n, d=5)``."""

    def draw(n, seed=0, **design):
        model = standard_model(**design)
        return (model, *model.sample(n, np.random.default_rng(seed)))

    return draw
