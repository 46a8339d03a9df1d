"""Known wrong answers to problem set 7, and right ones in another form."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("moment_variance", keeps=0.0)
def second_moment_for_variance(m, shares, cosines):
    """You returned the second moment of a term: the square of its mean has to
    be subtracted.
    """
    from math import comb

    powers = [comb(m, i) ** 2 * comb(2 * i, i) for i in range(m + 1)]
    return shares @ sum(c * cosines ** (2 * i) for i, c in enumerate(powers))


@mistake("moment_variance", keeps=0.0)
def experts_at_right_angles(m, shares, cosines):
    """You took every expert but the one in direction u to be orthogonal to it,
    and left out the cosines.
    """
    from math import comb

    kappa = sum(comb(m, i) ** 2 * comb(2 * i, i) for i in range(m + 1))
    return shares[0] * kappa + 1 - shares[0] - shares[0] ** 2


@mistake("truncated_mean", keeps=0.0)
def long_terms_dropped(F, nu, delta):
    """You left the long terms out: they have to be shortened to the level, not
    dropped.
    """
    level = np.sqrt(nu * len(F) / np.log(2 / delta))
    return np.mean(np.where(np.abs(F) <= level, F, 0))


@mistake("truncated_mean", keeps=0.0)
def one_side_only(F, nu, delta):
    """You shortened the long positive terms only; a long negative term does
    the same harm.
    """
    return np.mean(np.minimum(F, np.sqrt(nu * len(F) / np.log(2 / delta))))


@mistake("two_experts", keeps=0.0, wraps=True)
def opposite_sign(answer, X, y):
    """One expert has the opposite sign: the first moment knows the signs, so
    they count.
    """
    return np.array(answer) * np.array([[1], [-1]])


@mistake("two_experts", keeps=0.0, wraps=True)
def unit_length(answer, X, y):
    """You scaled the experts to length one: these two moments know the
    lengths, so they count.
    """
    return np.array(answer) / np.linalg.norm(answer, axis=1, keepdims=True)


@mistake("two_experts", keeps=0.0)
def mean_left_in(X, y):
    """You took the top eigenvector of the second moment without subtracting
    the square of the first: it points along the sum of the experts, not along
    their difference.
    """
    mean, q = y @ X / len(y), y**2 - np.mean(y**2)
    values, vectors = np.linalg.eigh((X.T * q) @ X / (2 * len(y)))
    half = np.sqrt(values[-1]) * vectors[:, -1]
    return np.array([mean + half, mean - half])


@mistake("two_experts", keeps=0.75)
def size_of_a_negative_eigenvalue(X, y):
    """You took the size of a negative eigenvalue: below zero it is noise, and
    step 3 makes it zero.
    """
    mean, q = y @ X / len(y), y**2 - np.mean(y**2)
    C = (X.T * q) @ X / (2 * len(y)) - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(C)
    half = np.sqrt(np.abs(values[-1])) * vectors[:, -1]
    return np.array([mean + half, mean - half])


@equivalent("two_experts")
def other_order(answer, X, y):
    """The experts in the other order."""
    return np.array(answer)[::-1]


@mistake("measure", keeps=0.0, wraps=True)
def squared_distance(answer, gap, sizes, trials, rng):
    """You returned squared distances: their exponent is twice that of the
    error.
    """
    return np.array(answer) ** 2


@mistake("measure", keeps=0.0)
def order_not_matched(gap, sizes, trials, rng):
    """You compared the experts in the order in which they came: half of the
    errors then measure the labels' order, and no number of samples makes them
    small.
    """
    m, u = np.linalg.qr(rng.standard_normal((6, 2)))[0].T
    A, errors = (
        np.array([m + gap * u, m - gap * u]),
        np.empty((len(sizes), trials)),
    )
    for i, j in np.ndindex(errors.shape):
        X = rng.standard_normal((sizes[i], 6))
        z = rng.integers(2, size=sizes[i])
        y = np.sum(X * A[z], axis=1) + 0.5 * rng.standard_normal(sizes[i])
        mean, q = y @ X / len(y), y**2 - np.mean(y**2)
        C = (X.T * q) @ X / (2 * len(y)) - np.outer(mean, mean)
        values, vectors = np.linalg.eigh(C)
        half = np.sqrt(max(values[-1], 0)) * vectors[:, -1]
        found = np.array([mean + half, mean - half])[:: (-1) ** (i + j)]
        errors[i, j] = np.linalg.norm(found - A)
    return errors


@mistake("fit_exponent", keeps=0.0)
def not_divided_by_trials(n, errors):
    """You did not divide the variance over the trials by T: v is the variance
    of the mean of T logarithms, not of one.
    """
    logs, t = np.log(errors), np.log(n)
    r, w = logs.mean(axis=1), 1 / logs.var(axis=1, ddof=1)
    middle = w @ t / w.sum()
    spread = w @ (t - middle) ** 2
    slope = w @ ((t - middle) * r) / spread
    rest = r - w @ r / w.sum() - slope * (t - middle)
    return slope, 1 / np.sqrt(spread), w @ rest**2


@mistake("fit_exponent", keeps=0.0)
def divided_by_all_trials(n, errors):
    """You divided the variance over the trials by T: asked is T - 1, and then
    a division by T.
    """
    logs, t = np.log(errors), np.log(n)
    r, w = logs.mean(axis=1), errors.shape[1] / logs.var(axis=1)
    middle = w @ t / w.sum()
    spread = w @ (t - middle) ** 2
    slope = w @ ((t - middle) * r) / spread
    rest = r - w @ r / w.sum() - slope * (t - middle)
    return slope, 1 / np.sqrt(spread), w @ rest**2


@mistake("fit_exponent", keeps=0.0)
def no_weights(n, errors):
    """You gave all sizes the same weight, although their mean log errors are
    not equally sure.
    """
    r, t = np.log(errors).mean(axis=1), np.log(n)
    v = np.log(errors).var(axis=1, ddof=1).mean() / errors.shape[1]
    slope, intercept = np.polyfit(t, r, 1)
    chi2 = np.sum((r - intercept - slope * t) ** 2) / v
    return slope, np.sqrt(v / np.sum((t - t.mean()) ** 2)), chi2


@mistake("fit_exponent", keeps=0.0)
def log_of_the_mean(n, errors):
    """You took the logarithm of the mean error: asked is the mean of the
    logarithms, which no single data set leads.
    """
    r, t = np.log(errors.mean(axis=1)), np.log(n)
    w = errors.shape[1] / np.log(errors).var(axis=1, ddof=1)
    middle = w @ t / w.sum()
    spread = w @ (t - middle) ** 2
    slope = w @ ((t - middle) * r) / spread
    rest = r - w @ r / w.sum() - slope * (t - middle)
    return slope, 1 / np.sqrt(spread), w @ rest**2


@mistake("first_kept", keeps=0.25)
def nothing_dropped(n, errors):
    """You keep all sizes, by choice or because the chi-squared of your
    fit_exponent is too small: sizes that are not on the line yet bend the fit.
    """
    return 0


@mistake("first_kept", keeps=0.0, wraps=True)
def how_many_are_left(answer, n, errors):
    """You returned how many sizes are kept: asked is how many of the smallest
    are dropped.
    """
    return len(n) - int(answer)


@mistake("plan_n", keeps=0.0)
def typical_and_not_sure(n, errors, target, confidence):
    """You planned for the typical error: half of the data sets will miss the
    target, whatever confidence was asked for.
    """
    from scipy.stats import chi2

    logs, t = np.log(errors), np.log(n)
    r, w = logs.mean(axis=1), errors.shape[1] / logs.var(axis=1, ddof=1)
    for i in range(len(n) - 2):
        slope, intercept = np.polyfit(t[i:], r[i:], 1, w=np.sqrt(w[i:]))
        off = w[i:] @ (r - intercept - slope * t)[i:] ** 2
        if off <= chi2.ppf(0.95, len(n) - i - 2):
            break
    return int(np.ceil(np.exp((np.log(target) - intercept) / slope)))


@mistake("plan_n", keeps=0.0)
def small_sizes_kept(n, errors, target, confidence):
    """You kept the small sizes, by choice or because the chi-squared of your
    fit_exponent is too small: the error is above its power of n there, which
    makes the slope too steep and the plan too small.
    """
    logs, t = np.log(errors), np.log(n)
    w = np.sqrt(errors.shape[1] / logs.var(axis=1, ddof=1))
    slope, intercept = np.polyfit(t, logs.mean(axis=1), 1, w=w)
    q = np.quantile(logs - intercept - slope * t[:, None], confidence)
    return int(np.ceil(np.exp((np.log(target) - intercept - q) / slope)))


@mistake("plan_n", keeps=0.75, wraps=True)
def rounded_down(answer, n, errors, target, confidence):
    """You rounded down: at the integer below, the error is still above the
    target.
    """
    return answer - 1


@mistake("my_n", keeps=0.0)
def half_of_the_time(pilot_n, pilot_errors, target):
    """You carried the typical error of the largest size on by one over the
    root of n: neither the exponent nor the nine times out of ten is in it.
    """
    return int(pilot_n[-1] * (np.median(pilot_errors[-1]) / target) ** 2)


@mistake("information", keeps=0.3)
def told_the_sign(a, noise):
    """You returned the information of a sample whose sign is known: the sign
    is hidden, and it takes information away.
    """
    return 1 / noise**2


@mistake("efficiency", keeps=0.0)
def upside_down(a, noise):
    """You divided the variance by the bound: an efficiency is at most one."""
    t = np.linspace(-9, 9, 361)
    p = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) * (t[1] - t[0])
    x, y = t[:, None], a * t[:, None] + noise * t
    s = x * (y * np.tanh(a * x * y / noise**2) - a * x) / noise**2
    moment = (14 * a**4 + 10 * a**2 * noise**2 + noise**4) / (4 * a**2)
    return moment * (p @ s**2 @ p)
