"""How long the library takes: ``make bench`` prints the table. Not a test: machines differ.

Each row runs a task once to warm up and then a few times, and reports the fastest and the median.
"""

import time

import numpy as np

from moelib import (
    MixtureOfExperts,
    Moments,
    expectation_maximization,
    label_transforms,
    learn_experts,
    learn_gates,
    random_start,
    standard_model,
)

SEED = 0
THEORY = dict(method="two-loss", fit_intercept=False, n_init=1, random_state=SEED)


def two_loss_fit():
    """n = 8000, d = 10, k = 3: both losses, refinement, standard errors."""
    X, y = standard_model().sample(8000, np.random.default_rng(SEED))
    return lambda: MixtureOfExperts(n_experts=3, **THEORY).fit(X, y)


def one_em_start():
    """n = 8000, d = 10, k = 3: EM from one random start."""
    X, y = standard_model().sample(8000, np.random.default_rng(SEED))
    start = random_start(X, y, 3, np.random.default_rng(SEED))
    return lambda: expectation_maximization(X, y, start)


def large_moments():
    """n = 1e6, d = 20, k = 5: second moment, then fourth moment in the top eigenspace."""
    X, y = standard_model(d=20, n_experts=5).sample(10**6, np.random.default_rng(SEED))
    transforms = label_transforms("identity", noise=0.05)

    def run():
        second = Moments(transforms, fourth=False).update(X, y).second_moment
        basis = np.linalg.eigh(second)[1][:, -5:]
        return Moments(transforms, basis).update(X, y).fourth_moment

    return run


def large_experts():
    """n = 1e6, d = 20, k = 10: all three passes over the data and five starts of L4."""
    X, y = standard_model(d=20, n_experts=10).sample(10**6, np.random.default_rng(SEED))
    return lambda: learn_experts(X, y, 10, np.random.default_rng(SEED))


def large_gates():
    """n = 1e6, d = 20, k = 10: gates and noise, from the experts that L4 has found."""
    X, y = standard_model(d=20, n_experts=10).sample(10**6, np.random.default_rng(SEED))
    experts = learn_experts(X, y, 10, np.random.default_rng(SEED)).experts
    return lambda: learn_gates(X, y, experts)


def large_fit():
    """n = 1e6, d = 20, k = 10: both losses, checks and all, without a refinement."""
    X, y = standard_model(d=20, n_experts=10).sample(10**6, np.random.default_rng(SEED))
    return lambda: MixtureOfExperts(10, refine=False, **THEORY).fit(X, y)


# task, times to run it, seconds it may take on two cores
TASKS: list = [(two_loss_fit, 7, 0.5), (one_em_start, 7, 0.3), (large_moments, 3, 3.0)]
TASKS += [(large_experts, 3, None), (large_gates, 3, None), (large_fit, 3, 6.0)]


def main():
    """Time every task and print the table."""
    print(f"{'task':<18}{'fastest':>9}{'median':>9}{'goal':>8}   what")
    for task, repeats, goal in TASKS:
        run = task()
        run()
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begin)
        limit = f"{goal:.1f} s" if goal else "-"
        fastest, median = min(seconds), float(np.median(seconds))
        print(f"{task.__name__:<18}{fastest:>7.2f} s{median:>7.2f} s{limit:>8}   {task.__doc__}")


if __name__ == "__main__":
    main()
