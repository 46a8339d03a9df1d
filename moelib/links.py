r"""Links: the function :math:`g` through which an expert answers, :math:`g(\langle a, x\rangle)`.

Five links come by name. A link of your own is any function of an array, or a :class:`Link`
that carries its derivative too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Link:
    """A link function, its derivative, and its form in torch.

    Parameters
    ----------
    name : str
        Shown in messages and summaries.
    value : callable
        Maps an array to one of the same shape, elementwise.
    derivative : callable
        The elementwise derivative of ``value``, from array to array.
    torch_value : callable, optional
        Maps a tensor to a tensor; needed only by the losses that torch differentiates.
    second_derivative : callable, optional
        The elementwise second derivative; see :meth:`curvature`.

    Notes
    -----
    At a kink (ReLU at zero) ``derivative`` may return either one-sided value.
    Taught in: :ref:`ch-gated-model`.

    Examples
    --------
    >>> square = Link("square", value=lambda t: t**2, derivative=lambda t: 2 * t)
    >>> square.value(np.array([3.0])), square.derivative(np.array([3.0]))
    (array([9.]), array([6.]))
    """

    name: str
    value: Callable
    derivative: Callable
    torch_value: Callable | None = None
    second_derivative: Callable | None = None

    def curvature(self, t):
        """The second derivative, by central differences if none was given."""
        second = self.second_derivative or partial(_central_difference, self.derivative)
        return second(t)

    @property
    def is_homogeneous(self):
        """Whether g(c t) = c g(t) for positive c: then labels have no natural unit."""
        return self.name in ("identity", "relu", "leaky_relu")


HUGE = 1e30  # the largest that a bare function answers
LEAK = 0.2  # slope of the leaky ReLU on negative inputs


def _identity(t):
    return t


def _relu(t):
    return np.maximum(t, 0.0)


def _relu_slope(t):
    return (t > 0) * 1.0


def _relu_torch(t):
    return t.clamp(min=0)


def _leaky_relu(t):
    return np.where(t > 0, t, LEAK * t)


def _leaky_relu_slope(t):
    return np.where(t > 0, 1.0, LEAK)


def _leaky_relu_torch(t):
    return t.clamp(min=0) + LEAK * t.clamp(max=0)


def _sigmoid_slope(t):
    return expit(t) * expit(-t)


def _sigmoid_torch(t):
    return t.sigmoid()


def _tanh_slope(t):
    return 1.0 - np.tanh(t) ** 2


def _tanh_torch(t):
    return t.tanh()


def _sigmoid_curvature(t):
    return _sigmoid_slope(t) * (1.0 - 2.0 * expit(t))


def _tanh_curvature(t):
    return -2.0 * np.tanh(t) * _tanh_slope(t)


LINKS = {
    link.name: link
    for link in [
        Link("identity", _identity, np.ones_like, _identity, np.zeros_like),
        Link("relu", _relu, _relu_slope, _relu_torch, np.zeros_like),
        Link("leaky_relu", _leaky_relu, _leaky_relu_slope, _leaky_relu_torch, np.zeros_like),
        Link("sigmoid", expit, _sigmoid_slope, _sigmoid_torch, _sigmoid_curvature),
        Link("tanh", np.tanh, _tanh_slope, _tanh_torch, _tanh_curvature),
    ]
}


def as_link(link):
    """Turn a name, a function or a :class:`Link` into a :class:`Link`.

    A bare function gets a derivative by central differences, good to about 1e-10 where it is
    smooth.

    Parameters
    ----------
    link : str, callable or Link
        Name of a link, a function of arrays, or a link.

    Raises
    ------
    ValueError
        When the name is unknown, or ``link`` is none of the three.

    Examples
    --------
    >>> as_link("relu").value(np.array([-1.0, 2.0]))
    array([0., 2.])
    >>> softplus = as_link(lambda t: np.logaddexp(0, t))
    >>> float(softplus.derivative(np.array(0.0)).round(8))
    0.5
    """
    if isinstance(link, Link):
        return link
    if isinstance(link, str) and link in LINKS:
        return LINKS[link]
    if callable(link):
        bounded = _Bounded(link)
        slope = partial(_central_difference, bounded)
        return Link(getattr(link, "__name__", "user"), bounded, slope)
    raise ValueError(
        f"link must be one of {', '.join(map(repr, LINKS))}, a function or a Link; got {link!r}"
    )


@dataclass(frozen=True)
class _Bounded:
    """A bare function, huge where it overflows: the exponential of an expert gone astray."""

    function: Callable

    def __call__(self, t):
        with np.errstate(over="ignore"):
            return np.clip(self.function(t), -HUGE, HUGE)


def _central_difference(function, t, step=1e-5):
    return (function(t + step) - function(t - step)) / (2 * step)
