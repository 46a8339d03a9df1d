"""Links, against finite differences and torch."""

import numpy as np
import pytest
import torch

from moelib import LINKS, Link
from moelib.links import as_link

points = np.array([-3.1, -1.2, -0.4, 0.3, 0.9, 2.7])


@pytest.mark.parametrize("name", LINKS)
def test_link_derivative_matches_finite_differences_and_torch(name):
    link = LINKS[name]
    numeric = (link.value(points + 1e-6) - link.value(points - 1e-6)) / 2e-6
    np.testing.assert_allclose(link.derivative(points), numeric, atol=1e-8)
    t = torch.tensor(points, requires_grad=True)
    value = link.torch_value(t)
    np.testing.assert_allclose(value.detach().numpy(), link.value(points), rtol=1e-14)
    value.sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), link.derivative(points), rtol=1e-12)


def test_user_links():
    softplus = as_link(lambda t: np.logaddexp(0, t))
    np.testing.assert_allclose(softplus.derivative(points), 1 / (1 + np.exp(-points)), atol=1e-9)
    own = Link("cube", lambda t: t**3, lambda t: 3 * t**2)
    assert as_link(own) is own
    with pytest.raises(ValueError, match="link must be one of 'identity', 'relu'"):
        as_link("softmax")
    with pytest.raises(ValueError, match="a function or a Link; got 3"):
        as_link(3)


@pytest.mark.parametrize("name", LINKS)
def test_second_derivatives_match_finite_differences_and_torch(name):
    link = LINKS[name]
    numeric = (link.derivative(points + 1e-6) - link.derivative(points - 1e-6)) / 2e-6
    np.testing.assert_allclose(link.curvature(points), numeric, atol=1e-8)
    t = torch.tensor(points, requires_grad=True)
    (slope,) = torch.autograd.grad(link.torch_value(t).sum(), t, create_graph=True)
    if slope.requires_grad:
        (second,) = torch.autograd.grad(slope.sum(), t)
        np.testing.assert_allclose(link.curvature(points), second.numpy(), atol=1e-12)
    else:
        assert not np.any(link.curvature(points))


def test_a_link_without_a_second_derivative_gets_one():
    own = Link("cube", lambda t: t**3, lambda t: 3 * t**2)
    np.testing.assert_allclose(own.curvature(points), 6 * points, atol=1e-8)
    softplus = as_link(lambda t: np.logaddexp(0, t))
    expected = LINKS["sigmoid"].derivative(points)
    np.testing.assert_allclose(softplus.curvature(points), expected, atol=1e-4)


@pytest.mark.parametrize("name", LINKS)
def test_homogeneous_links_are_those_that_pass_a_scale_on(name):
    link = LINKS[name]
    passes = np.allclose(link.value(3.7 * points), 3.7 * link.value(points), rtol=1e-12)
    assert link.is_homogeneous == passes
