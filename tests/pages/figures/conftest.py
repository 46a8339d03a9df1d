"""What every figure of a chapter has to meet."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def own_style():
    """Whatever a figure sets stays in its test, and none stays open."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def readable():
    """A function that asserts that a figure draws, and that its axes say what they show."""

    def shared(ax, figure, axes):
        return [other for other in figure.axes if other is ax or axes(ax).joined(ax, other)]

    def check(figure):
        figure.canvas.draw()
        for ax in figure.axes:
            if not ax.axison or ax.get_label() == "<colorbar>":
                continue
            below = shared(ax, figure, lambda one: one.get_shared_x_axes())
            left = shared(ax, figure, lambda one: one.get_shared_y_axes())
            assert any(other.get_xlabel() for other in below) or not ax.get_xticks().size
            assert any(other.get_ylabel() for other in left) or not ax.get_yticks().size
        return figure

    return check
