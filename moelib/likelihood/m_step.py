r"""M-steps: what EM and gradient EM do with the responsibilities of the experts."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from moelib.climb import backtrack
from moelib.gates.loss import log_gate_probabilities, surrogate_step

LEAST_ANSWERS = 1e-8  # samples; who answers fewer keeps its noise
WELL_CONDITIONED = 1e-8  # least eigenvalue of normal equations with a unit diagonal
RANK_TOLERANCE = 1e-13  # singular values of scaled columns below this share are left out


def m_step(
    model,
    expert_design,
    gate_design,
    y,
    responsibilities,
    free,
    *,
    noise_floor=0.0,
    gate_step=surrogate_step,
):
    """One M-step: experts, noise and gates for given responsibilities (n, k).

    The responsibilities of a sample sum to its weight, one if there are no weights. The designs
    are those of ``free`` for the inputs. ``gate_step`` is called as
    :func:`moelib.gates.loss.surrogate_step` is. Returns a ``GatedModel``.
    """
    experts, gates = free.rows(model)
    experts = np.array(
        [
            _fit_expert(a, expert_design, y, weight, model.link)
            for a, weight in zip(experts, responsibilities.T, strict=True)
        ]
    )
    noise = _noise(model, experts, expert_design, y, responsibilities, free, noise_floor)
    if gates.size:
        gates, _ = gate_step(gates, gate_design, responsibilities, free.ridge(model.n_features))
    return free.model(experts, gates, noise, like=model)


def gradient_m_step(
    model, expert_design, gate_design, y, r, free, *, expert_step, gate_step, noise_floor=0.0
):
    """One gradient step in place of :func:`m_step`, of the given lengths."""
    experts, gates = free.rows(model)
    p = np.exp(log_gate_probabilities(gates, gate_design))
    gates = gates + gate_step * (r - p)[:, :-1].T @ gate_design / len(y)
    experts = np.array(
        [
            _expert_gradient_step(a, expert_design, y, weight, model.link, expert_step)
            for a, weight in zip(experts, r.T, strict=True)
        ]
    )
    noise = _noise(model, experts, expert_design, y, r, free, noise_floor)
    return free.model(experts, gates, noise, like=model)


def _noise(model, experts, design, y, r, free, floor):
    """The noise of experts in rows, in closed form if it is learned.

    An expert that answers nothing keeps its own.
    """
    if not free.noise:
        return model.noise
    squares = (y[:, None] - model.link.value(design @ experts.T)) ** 2
    if not free.noise_per_expert:
        return max(np.sqrt(np.mean(np.sum(r * squares, axis=1))), floor)
    answers = r.sum(axis=0)
    variance = np.divide(
        np.sum(r * squares, axis=0), answers, out=model.noises**2, where=answers > LEAST_ANSWERS
    )
    return np.maximum(np.sqrt(variance), floor)


def _fit_expert(a, design, y, weight, link):
    """Weighted least squares for one expert; one guarded Gauss-Newton step if not linear."""
    answers = link.value(design @ a)
    slope = link.derivative(design @ a)
    direction = _least_squares(design, weight * slope, weight * slope**2, y - answers)
    if link.name == "identity":
        return a + direction
    return _guarded(a, direction, design, y, weight, link, shortest=1e-6)


def _least_squares(design, weight, curvature, residual):
    """The change of a row that fits weighted residuals best, from normal equations if they hold.

    Their condition is the square of the design's: where they would lose more than half of the
    digits (inputs far from zero within one regime, columns that repeat each other), the design
    itself is decomposed instead.
    """
    gram = (design * curvature[:, None]).T @ design
    target = design.T @ (weight * residual)
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    scaled = gram / np.outer(size, size)
    if np.linalg.eigvalsh(scaled)[0] > WELL_CONDITIONED:
        return cho_solve(cho_factor(scaled), target / size) / size
    root = np.sqrt(curvature)
    wanted = np.divide(weight * residual, root, out=np.zeros_like(root), where=root > 0)
    rows = root[:, None] * design / size
    return np.linalg.lstsq(rows, wanted, rcond=RANK_TOLERANCE)[0] / size


def _expert_gradient_step(a, design, y, weight, link, first):
    """One gradient step on an expert's weighted squares, halved until they do not rise."""
    residual = y - link.value(design @ a)
    direction = (weight * residual * link.derivative(design @ a)) @ design / len(y)
    return _guarded(a, direction, design, y, weight, link, shortest=1e-12, first=first)


def _guarded(a, direction, design, y, weight, link, **lengths):
    """The longest step along a direction that does not raise the weighted squares; a if none."""

    def squares(row):
        return np.sum(weight * (y - link.value(design @ row)) ** 2)

    loss = squares(a)

    def attempt(step):
        candidate = a + step * direction
        return candidate if squares(candidate) <= loss else None

    found = backtrack(attempt, **lengths)
    return a if found is None else found
