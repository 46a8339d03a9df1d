"""Known wrong answers to problem set 8, and right ones in another form."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("split", keeps=0.0)
def rows_instead_of_sites(groups, seed):
    """You dealt out rows: rows of one site are then on both sides, and the
    test rows are no longer new."""
    order = np.random.default_rng(seed).permutation(len(groups))
    return np.isin(np.arange(len(groups)), order[: round(len(groups) / 4)])


@mistake("split", keeps=0.0)
def training_rows_marked(groups, seed):
    """You marked the training rows: True means a test row."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    return ~np.isin(groups, names[order[: round(len(names) / 4)]])


@mistake("split", keeps=0.0)
def seed_ignored(groups, seed):
    """You took the last sites whatever the seed: the order in which a table
    was written is seldom random."""
    names = np.unique(groups)
    return np.isin(groups, names[-round(len(names) / 4) :])


@mistake("prepare", keeps=0.0)
def prepared_with_all_rows(X, test):
    """You filled and scaled with the statistics of all rows: the training
    rows have then seen the test rows."""
    mean = np.nanmean(X, axis=0)
    filled = np.where(np.isnan(X), mean, X)
    return (filled - mean) / filled.std(axis=0)


@mistake("prepare", keeps=0.0)
def each_part_by_itself(X, test):
    """You scaled the test rows by their own mean and spread: the same input
    then means one thing in training and another in the test."""
    Z = np.empty(X.shape)
    for part in (test, ~test):
        mean = np.nanmean(X[part], axis=0)
        filled = np.where(np.isnan(X[part]), mean, X[part])
        Z[part] = (filled - mean) / filled.std(axis=0)
    return Z


@mistake("n_regimes", keeps=0.0)
def chosen_by_training_likelihood(X, y):
    """You chose too many: the likelihood of the rows that were fitted rises
    with every regime, AIC takes back too little of that, and the largest of
    several held-out gains may be luck: compare it with its standard error."""
    import warnings

    from moelib import MixtureOfExperts

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [
            MixtureOfExperts(k, n_init=3, random_state=0).fit(X, y)
            for k in (1, 2, 3)
        ]
    return 1 + int(np.argmax([fit.log_likelihood_ for fit in fits]))


@mistake("fit", keeps=0.0, wraps=True)
def opposite_sign(answer, X, y, k):
    """One expert has the opposite sign: a sign is no symmetry of an expert."""
    signs = np.ones((k, 1))
    signs[0] = -1
    return answer[0] * signs, answer[1]


@mistake("fit", keeps=0.0, wraps=True)
def slopes_of_scaled_labels(answer, X, y, k):
    """You fitted labels scaled to unit spread and did not scale back: the
    lengths of the experts are wrong."""
    return answer[0] / (2 * np.std(y)), answer[1]


@mistake("fit", keeps=0.0, wraps=True)
def experts_reordered_without_gates(answer, X, y, k):
    """You put the experts into another order and left the gates as they
    were: a gate belongs to its expert."""
    return answer[0][::-1], answer[1]


@equivalent("fit")
def another_order(answer, X, y, k):
    """The last expert first, with gates relative to the new last one."""
    A, W = answer
    gates = np.vstack([W, np.zeros(W.shape[1])])
    order = np.roll(np.arange(k), 1)
    return A[order], (gates[order] - gates[order[-1]])[:-1]


@equivalent("fit")
def one_gate_without_rows(answer, X, y, k):
    """For two experts the one gate as a vector."""
    return answer[0], answer[1][0] if k == 2 else answer[1]


@equivalent("fit")
def a_gate_for_every_expert(answer, X, y, k):
    """All k gates, with something added to each."""
    A, W = answer
    return A, np.vstack([W, np.zeros(W.shape[1])]) + 1.5


@mistake("held_out_gain", keeps=0.0)
def fitted_on_the_test_rows(X, y, test, k):
    """You fitted all rows, the test rows among them: a gain on rows that the
    fit has seen says little of new ones."""
    from moelib import MixtureOfExperts

    one, more = (
        MixtureOfExperts(m, n_init=5, random_state=0)
        .fit(X, y)
        .log_density(X[test], y[test])
        for m in (1, k)
    )
    gain = more - one
    return gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))


@mistake("held_out_gain", keeps=0.0)
def gain_on_the_training_rows(X, y, test, k):
    """You measured the gain on the rows that were fitted: it is positive for
    every mixture."""
    from moelib import MixtureOfExperts

    A, b = X[~test], y[~test]
    one, more = (
        MixtureOfExperts(m, n_init=5, random_state=0)
        .fit(A, b)
        .log_density(A, b)
        for m in (1, k)
    )
    gain = more - one
    return gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))


@mistake("held_out_gain", keeps=0.0, wraps=True)
def scatter_for_standard_error(answer, X, y, test, k):
    """You returned the standard deviation of the rows' gains: the mean is
    surer than one row, by the root of their number."""
    return answer[0], answer[1] * np.sqrt(np.sum(test))


@mistake("predict_interval", keeps=0.0)
def interval_of_the_mean(X, y, X_new):
    """You gave an interval for the mean: it holds the line, and hardly ever
    a label."""
    Z = np.column_stack([X, np.ones(len(y))])
    coef, rest, *_ = np.linalg.lstsq(Z, y, rcond=None)
    bread = np.linalg.inv(Z.T @ Z) * rest[0] / (len(y) - Z.shape[1])
    N = np.column_stack([X_new, np.ones(len(X_new))])
    half = 1.645 * np.sqrt(np.sum(N @ bread * N, axis=1))
    return np.column_stack([N @ coef - half, N @ coef + half])


@mistake("predict_interval", keeps=0.33)
def one_line_for_all(X, y, X_new):
    """You took one line and its residuals: right for one regime; for more
    it covers, but it is much wider than it need be."""
    Z = np.column_stack([X, np.ones(len(y))])
    coef = np.linalg.lstsq(Z, y, rcond=None)[0]
    half = 1.645 * np.std(y - Z @ coef)
    mean = np.column_stack([X_new, np.ones(len(X_new))]) @ coef
    return np.column_stack([mean - half, mean + half])
