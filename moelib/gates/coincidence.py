"""Experts that the data hardly tell apart, by Wald statistics of their differences."""

import numpy as np

from moelib.climb import solve_scaled


def coincidences(model, weight, total, free, covariance, alive):
    """A sentence for each pair of experts that coincide, or that differ in their noise only.

    Parameters
    ----------
    model : GatedModel
        The fit.
    weight, total : float
        Sum of the weights, and how many samples they stand for.
    free : FreeParameters
        What was learned.
    covariance : (q, q) array or None
        Of the estimates; without it nothing is looked for.
    alive : (m,) int array
        The experts that answer more than a few samples.

    Yields
    ------
    str
    """
    if covariance is None:
        return
    covariance = covariance * (weight / total)
    experts, gates = free.rows(model)
    n_answers, each = experts.shape[1], free.noise_per_expert
    places, _, noise_places = free.blocks(np.arange(len(covariance)), *model.experts.shape)
    if each:
        experts = np.column_stack([experts, np.log(model.noises)])
        places = np.column_stack([places, noise_places])
    price = (experts.shape[1] + gates.shape[1]) * np.log(total)
    for a, i in enumerate(alive):
        for j in alive[a + 1 :]:
            difference, own, other = experts[i] - experts[j], places[i], places[j]
            wald = _wald(difference, own, other, covariance)
            some = slice(n_answers)  # slopes and intercept, without the noise
            answers = _wald(difference[some], own[some], other[some], covariance)
            if wald < price:
                yield (
                    f"experts {i + 1} and {j + 1} coincide as far as these data can tell (Wald "
                    f"statistic {wald:.2g}, below the {price:.2g} that BIC charges for an expert): "
                    "use fewer experts or more samples"
                )
            elif each and answers < n_answers * np.log(total):
                noises = f"{model.noises[i]:.2g} and {model.noises[j]:.2g}"
                yield (
                    f"experts {i + 1} and {j + 1} answer alike and differ in their noise only "
                    f"({noises} of the labels' spread): heavy tails, or a noise that changes with "
                    "the inputs, rather than two regimes"
                )


def _wald(difference, own, other, covariance):
    """Wald statistic of the difference of two experts' parameters, at these places."""
    spread = (
        covariance[np.ix_(own, own)]
        + covariance[np.ix_(other, other)]
        - covariance[np.ix_(own, other)]
        - covariance[np.ix_(other, own)]
    )
    return float(difference @ solve_scaled(spread, difference))
