"""Problem set 7: what is asked, the right answers, one student's data."""

from math import comb

import numpy as np
from scipy.stats import chi2

from moelib.classroom import Case, Personal, Question, Rng
from moelib.classroom.distances import relative, same_integer, up_to_order

# What students are given in the notebook.


def draw(n, A, noise, rng):
    """n samples of two experts, with equal shares and gates zero."""
    X = rng.standard_normal((n, A.shape[1]))
    z = rng.integers(len(A), size=n)
    return X, np.sum(X * A[z], axis=1) + noise * rng.standard_normal(n)


def pair(gap, rng, d=6):
    """Two experts m + delta and m - delta, |m| = 1, |delta| = gap, at a right
    angle.
    """
    m, u = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    return np.array([m + gap * u, m - gap * u])


# The right answers.


def moment_variance(m, shares, cosines):
    """n times the variance of the moment of order m in one direction."""
    powers = [comb(m, i) ** 2 * comb(2 * i, i) for i in range(m + 1)]
    second = sum(c * cosines ** (2 * i) for i, c in enumerate(powers))
    return float(shares @ second - (shares @ cosines**m) ** 2)


def truncated_mean(F, nu, delta):
    """The mean of terms shortened to the level of the lemma."""
    level = np.sqrt(nu * len(F) / np.log(2 / delta))
    return float(np.mean(np.clip(F, -level, level)))


def two_experts(X, y):
    """Two experts from a first and a second moment."""
    n = len(y)
    mean = y @ X / n
    q = y**2 - np.mean(y**2)
    C = (X.T * q) @ X / (2 * n) - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(C)
    half = np.sqrt(max(values[-1], 0)) * vectors[:, -1]
    return np.array([mean + half, mean - half])


def measure(gap, sizes, trials, rng):
    """Errors, a row for each size and a column for each data set."""
    A = pair(gap, rng)
    errors = np.empty((len(sizes), trials))
    for i, n in enumerate(sizes):
        for j in range(trials):
            found = two_experts(*draw(n, A, 0.5, rng))
            orders = found - A, found[::-1] - A
            errors[i, j] = min(map(np.linalg.norm, orders))
    return errors


def line(n, errors):
    """Weighted least squares of the mean log error on log n: slope, its s.e.,
    chi2, intercept.
    """
    logs, t = np.log(errors), np.log(n)
    r, w = logs.mean(axis=1), errors.shape[1] / logs.var(axis=1, ddof=1)
    middle = w @ t / w.sum()
    spread = w @ (t - middle) ** 2
    slope = w @ ((t - middle) * r) / spread
    intercept = w @ r / w.sum() - slope * middle
    return (
        slope,
        1 / np.sqrt(spread),
        w @ (r - intercept - slope * t) ** 2,
        intercept,
    )


def fit_exponent(n, errors):
    """Slope, its standard error and chi-squared."""
    return line(n, errors)[:3]


def first_kept(n, errors):
    """How many of the smallest sizes to drop: until chi-squared is below its
    95 % point.
    """
    for i in range(len(n) - 3):
        if line(n[i:], errors[i:])[2] <= chi2.ppf(0.95, len(n) - i - 2):
            return i
    return len(n) - 3


def high_line(n, errors, confidence):
    """The line of the quantile of the log error: slope and intercept."""
    i = first_kept(n, errors)
    slope, _, _, intercept = line(n[i:], errors[i:])
    over = np.log(errors[i:]) - intercept - slope * np.log(n[i:])[:, None]
    return slope, intercept + np.quantile(over, confidence)


def plan_n(n, errors, target, confidence):
    """The least n at which the quantile of the error reaches the target."""
    slope, intercept = high_line(n, errors, confidence)
    return int(np.ceil(np.exp((np.log(target) - intercept) / slope)))


def information(a, noise):
    """Fisher information of one sample in a, for y = +-a x + noise N, by the
    trapezoidal rule.
    """
    t = np.linspace(-9, 9, 721)
    weight = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) * (t[1] - t[0])
    x = t[:, None]
    y = a * x + noise * t
    score = x * (y * np.tanh(a * x * y / noise**2) - a * x) / noise**2
    return float(weight @ score**2 @ weight)


def efficiency(a, noise):
    """The Cramer-Rao bound over the variance of the moment estimate, for large
    n.
    """
    moment = (14 * a**4 + 10 * a**2 * noise**2 + noise**4) / (4 * a**2)
    return 1 / (information(a, noise) * moment)


# The data of one student.


def pilot(rng, steps=8, trials=25, start=200):
    """Errors of an estimator that settles to a power law once n is large."""
    n = start * 2 ** np.arange(steps)
    slope, bend = -rng.uniform(0.4, 0.52), rng.uniform(0.7, 1.1)
    typical = rng.uniform(8, 14) * n**slope * (1 + bend * (start / n) ** 1.5)
    scatter = rng.chisquare(6, (steps, trials)) / 6
    return n, typical[:, None] * np.sqrt(scatter)


def personal(truth_rng, data_rng):
    """Samples of two experts, and a pilot study with its target."""
    A = pair(truth_rng.uniform(0.7, 0.9), truth_rng) * truth_rng.uniform(
        1.3, 1.6
    )
    noise = truth_rng.uniform(0.3, 0.6)
    X, y = draw(1200, A, noise, data_rng)
    n, errors = pilot(truth_rng)
    target = np.median(errors[-1]) / truth_rng.uniform(1.5, 3)
    data = {
        "X": X,
        "y": y,
        "pilot_n": n,
        "pilot_errors": errors,
        "target": target,
    }
    return Personal(data=data, truth={"A": A, "noise": noise})


# What student code is called with.


def ask(function, calls):
    """A case for each call, with the right answer."""
    return [Case(args=args, expected=function(*args)) for args in calls]


def moment_variance_cases(rng, _):
    """An expert in the direction itself, others at angles; orders 1 to 4."""
    calls = []
    for m in (1, 2, 3, 4):
        shares = 0.5 * np.eye(3)[0] + 0.5 * rng.dirichlet(np.full(3, 5.0))
        angles = rng.uniform(0.3, 0.7, 2) * rng.choice([-1, 1], 2)
        calls.append((m, shares, np.array([1, *angles])))
    return ask(moment_variance, calls)


def truncated_mean_cases(rng, _):
    """Long terms on both sides, so that dropping them shows."""
    calls = []
    for delta in (0.1, 0.01, 1e-4):
        F = rng.standard_t(4, 400) + 0.5
        F[:5] = np.array([70, -90, 40, 60, 35]) * rng.uniform(0.9, 1.1, 5)
        calls.append((F, 4.0, delta))
    return ask(truncated_mean, calls)


def two_experts_cases(rng, personal):
    """The student's own samples, others, and a largest eigenvalue below 0."""
    calls = [(personal.data["X"], personal.data["y"])]
    for n, d in ((4000, 3), (6000, 9)):
        length = rng.uniform(1.3, 1.6)
        A = pair(rng.uniform(0.6, 0.9), rng, d) * length
        calls.append(draw(n, A, 0.4, rng))
    X, y = below_zero(rng)
    last = Case((X, y), two_experts(X, y), "a negative eigenvalue")
    return [*ask(two_experts, calls), last]


def below_zero(rng):
    """Samples of two equal experts, whose largest eigenvalue is negative."""
    while True:
        A = np.repeat(rng.uniform(0.8, 1.1, (1, 2)) * [[1, -1]], 2, axis=0)
        X, y = draw(60, A, 0.3, rng)
        mean, q = y @ X / len(y), y**2 - np.mean(y**2)
        C = (X.T * q) @ X / (2 * len(y)) - np.outer(mean, mean)
        if np.linalg.eigvalsh(C)[-1] < -0.02:
            return X, y


def measure_cases(rng, _):
    """Two designs; the student's generator is made of the same seed."""
    cases = []
    for gap, sizes, trials in (
        (1.0, [200, 800, 3200], 6),
        (0.3, [500, 2000], 5),
    ):
        seed = int(rng.integers(2**31))
        right = measure(gap, sizes, trials, np.random.default_rng(seed))
        args = gap, np.array(sizes), trials, Rng(seed)
        cases.append(Case(args=args, expected=right))
    return cases


def table(rng, slope, bend, trials=25):
    """Errors that scatter much at small n, so that weights matter."""
    n = 100 * 3 ** np.arange(7)
    typical = 5 * n**slope * (1 + bend * (100 / n))
    scatter = [rng.chisquare(k, trials) / k for k in np.linspace(2, 12, 7)]
    return n, typical[:, None] * np.sqrt(scatter)


def fit_exponent_cases(rng, personal):
    """The student's pilot and two other tables."""
    pilot = personal.data["pilot_n"], personal.data["pilot_errors"]
    others = table(rng, -0.5, 1.0), table(rng, -0.25, 0.6)
    return ask(fit_exponent, [pilot, *others])


def first_kept_cases(rng, _):
    """Tables from which none, one, two and four sizes have to go."""
    calls = []
    for wanted, bend in {0: 0.0, 1: 1.5, 2: 3.0, 4: 6.0}.items():
        args = table(rng, -0.5, bend, trials=60)
        while first_kept(*args) != wanted:
            args = table(rng, -0.5, bend * rng.uniform(0.5, 30), trials=60)
        calls.append(args)
    return ask(first_kept, calls)


def plan_n_cases(rng, _):
    """Bends at small n, targets beyond the largest, three confidences; and a
    plan so small that rounding shows.
    """
    calls = []
    for confidence in (0.75, 0.85, 0.95):
        n, errors = pilot(rng)
        target = float(np.median(errors[-1]) / rng.uniform(1.5, 4))
        calls.append((n, errors, target, confidence))
    return [*ask(plan_n, calls), small_plan(rng)]


def small_plan(rng):
    """A target reached between two small integers, so that rounding shows."""
    n, errors = pilot(rng)
    slope, intercept = high_line(n, errors, 0.8)
    least = int(rng.integers(5, 10))
    target = float(np.exp(intercept + slope * np.log(least - 0.7)))
    return Case((n, errors, target, 0.8), least, "a plan below ten")


def my_n_cases(_, personal):
    """The plan for the student's own pilot."""
    keys = "pilot_n", "pilot_errors", "target"
    n, errors, target = (personal.data[key] for key in keys)
    return [Case(args=None, expected=plan_n(n, errors, float(target), 0.9))]


def noisy_pairs(rng):
    """Pairs (a, noise), from sharp labels to labels that say little."""
    noises = np.array([0.35, 1.0, 1.6, 2.5]) * rng.uniform(0.95, 1.05, 4)
    lengths = rng.uniform(0.5, 2, 4)
    return list(zip(lengths.tolist(), (lengths * noises).tolist()))


def information_cases(rng, _):
    """Four pairs."""
    return ask(information, noisy_pairs(rng))


def efficiency_cases(rng, _):
    """Four pairs."""
    return ask(efficiency, noisy_pairs(rng))


def part_by_part(answer, expected):
    """The worst relative error of three numbers of different size."""
    if not isinstance(answer, tuple | list | np.ndarray) or len(answer) != 3:
        return np.inf, "slope, standard error and chi-squared were expected"
    names = "the slope", "the standard error", "chi-squared"
    parts = [relative(a, e)[0] for a, e in zip(answer, expected)]
    return float(np.max(parts)), f"{names[np.argmax(parts)]} is off most"


QUESTIONS = [
    Question("moment_variance", moment_variance_cases, 1e-9, 1e-5),
    Question("truncated_mean", truncated_mean_cases, 1e-8, 1e-2),
    Question("two_experts", two_experts_cases, 1e-6, 0.05, up_to_order),
    Question("measure", measure_cases, 1e-6, 0.05),
    Question("fit_exponent", fit_exponent_cases, 1e-6, 1e-2, part_by_part),
    Question("first_kept", first_kept_cases, 0, 1, same_integer),
    Question("plan_n", plan_n_cases, 1e-3, 0.1),
    Question("my_n", my_n_cases, 1e-3, 0.1),
    Question("information", information_cases, 0.02, 0.3),
    Question("efficiency", efficiency_cases, 0.02, 0.06),
]
