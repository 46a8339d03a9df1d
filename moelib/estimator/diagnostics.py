"""What a fit has to say of its data and of itself: one sentence each, and what to do."""

import numpy as np
from scipy.sparse.csgraph import connected_components

from moelib.gates.degeneracy import collapsed_experts, counted, degeneracies_from_sample
from moelib.likelihood.errors import errors_with_covariance
from moelib.likelihood.wider import asks_for_intercepts, asks_for_noises
from moelib.links import HUGE, as_link
from moelib.predictive import cdf_at, components
from moelib.units import Units

DEPENDENT = 1e-6  # singular value of columns of unit spread, in units of the largest
LOST_DIGITS = 1e8  # distance from zero in standard deviations: half of the digits are gone
FAR_OUT = 1e-3  # how many labels so far out one data set is to have
MANY_TIMES = 10  # weight of a row, on average, that is worth a word
HALF = 0.5  # share of rows
MANY_LABELS = 50  # different labels; with fewer, rows repeat because labels do
FEW = 30  # samples
SHIFTED = 6  # standard errors of a mean residual that is not zero
FAR = HUGE  # where a link counts as without end
MOST_NAMED = 8


def remarks_before(settings, sample, free, names):
    """Sentences on data that are hard to learn from, whatever the fit."""
    remarks = []
    total, q = counted(sample), free.count(settings.n_experts, sample.X.shape[1])
    if sample.weights is not None and sample.total < min(total, 2 * q):
        remarks.append(
            f"sample_weight sums to {sample.total:.3g}: weights say how often each sample counts, "
            f"so standard errors and criteria are those of {sample.total:.3g} samples. Multiply "
            "the weights so that they sum to the number of samples"
        )
    elif total < 2 * q:
        remarks.append(
            f"{total:.3g} samples for {q} parameters: fewer than two for each. Use fewer experts, "
            "fewer columns or gate_features"
        )
    if sample.total > MANY_TIMES * len(sample):
        remarks.append(
            f"sample_weight sums to {sample.total:.3g} for {len(sample)} rows: each counts as "
            f"{sample.total / len(sample):.3g} samples on average, and standard errors are as "
            "small as that makes them. Weights of a survey say something else: divide them by "
            "their mean"
        )
    if sample.weights is None and _repeats(sample) > HALF:
        remarks.append(
            f"{_repeats(sample):.0%} of the rows repeat another to the last digit and count as "
            "samples of their own: standard errors and criteria take them for new evidence. Keep "
            "one of each, unless they were measured anew"
        )
    centre = sample.mean(sample.X)
    spread = np.sqrt(sample.mean((sample.X - centre) ** 2))
    for name, m, s in zip(names, np.abs(centre), spread):
        if 0 < s < m / LOST_DIGITS:
            remarks.append(
                f"column {name!r} lies {m / s:.1g} standard deviations from zero, where a number "
                "has too few digits left: subtract its mean before it is stored"
            )
    return remarks + [_dependence(group) for group in dependent_columns(sample, free, names)]


def _repeats(sample):
    """Share of rows that are copies, where labels are finer than categories."""
    n_labels = len(np.unique(sample.y))
    if not MANY_LABELS < n_labels < HALF * len(sample):
        return 0.0
    distinct = np.unique(np.column_stack([sample.X, sample.y]), axis=0)
    return 1 - len(distinct) / len(sample)


def dependent_columns(sample, free, names):
    """Groups of names of columns that determine each other; with intercepts, constants too.

    Of those that experts use, and of those that gates use.
    """
    Z, d = Units.of(sample, free, as_link("identity")).inputs(sample.X), len(names)
    if sample.weights is not None:
        Z = Z * np.sqrt(sample.weights)[:, None]
    groups = []
    for columns in (free.expert_columns(d), free.gate_columns(d)):
        groups += _dependent(Z[:, columns], [names[j] for j in columns])
    return [group for i, group in enumerate(groups) if group not in groups[:i]]


def _dependent(Z, names):
    if not names:
        return []
    _, values, rows = np.linalg.svd(Z.T @ Z / len(Z))
    null = rows[np.sqrt(values) <= DEPENDENT * np.sqrt(max(values[0], 1e-300))]
    together = np.abs(null.T @ null) > 1e-6
    touched = np.flatnonzero(np.diag(together))
    _, group = connected_components(together[np.ix_(touched, touched)], directed=False)
    return [[names[j] for j in touched[group == g]] for g in range(group.max(initial=-1) + 1)]


def _dependence(group):
    if len(group) == 1:
        return (
            f"column {group[0]!r} is constant: it says nothing that the intercept does not. Drop it"
        )
    return (
        f"columns {_joined(group)} determine each other: their slopes are not determined. Drop one "
        "of them"
    )


def diagnosed(model, sample, free, names, found):
    """Remarks on a finished fit, and its standard errors of both kinds.

    Parameters
    ----------
    model : GatedModel
        The fit.
    sample : Sample
        The data.
    free : FreeParameters
        What was learned.
    names : list of str
        Names of the columns.
    found : Found
        What the stages found: whether the likelihood was maximised, and the climb converged.

    Returns
    -------
    remarks : list of str
        One sentence each.
    errors : tuple
        Observed and robust ``StandardErrors``; both None where there is no maximum.
    """
    units = Units.of(sample, free, model.link)
    inner, data, inner_free = units.inward(model), units.sample(sample), units.inward_free(free)
    observed, robust, covariance, remarks = None, None, None, []
    if found.at_maximum:
        observed, robust, covariance = errors_with_covariance(model, sample, free)
    remarks += degeneracies_from_sample(inner, data, free=inner_free, covariance=covariance)
    remarks += _small_experts(inner, data)
    collapsed = collapsed_experts(inner, data)
    if found.climb.converged and observed is not None:
        index = parameter_names(model, free, names)
        left = [name for name, bad in zip(index, observed.undetermined) if bad]
        if len(collapsed):  # said by its own name
            left = [name for name in left if name[0] != "noise"]
        remarks += _undetermined(left, len(index))
    if found.climb.converged and found.at_maximum and not len(collapsed):
        remarks += asks_for_intercepts(inner, data, inner_free)
        remarks += asks_for_noises(inner, data, inner_free)
    remarks += _unreached(inner, data)
    remarks += _far_out(inner, data)
    return remarks, (observed, robust)


def parameter_names(model, free, names):
    """A name for each free parameter, in the order of ``FreeParameters.vector``: (part, row, term).

    Rows are numbered from 1.
    """
    k, d = model.experts.shape
    terms = [names[j] for j in free.expert_columns(d)] + ["intercept"] * free.intercepts
    gate_terms = [names[j] for j in free.gate_columns(d)] + ["intercept"] * free.gate_intercepts
    index = [("expert", str(i + 1), term) for i in range(k) for term in terms]
    index += [("gate", str(i + 1), term) for i in range(k - 1) for term in gate_terms]
    if free.noise_per_expert:
        return index + [("noise", str(i + 1), "") for i in range(k)]
    return index + [("noise", "", "")] * bool(free.noise)


def _undetermined(index, total):
    if not index:
        return
    terms = list(dict.fromkeys(f"{part} {row} {term}".strip() for part, row, term in index))
    more = f" and {len(terms) - MOST_NAMED} more" if len(terms) > MOST_NAMED else ""
    yield (
        f"{len(index)} of {total} parameters are not determined by these data and have "
        f"infinite standard errors ({', '.join(terms[:MOST_NAMED])}{more}): columns may determine "
        "each other, a gate may separate its experts, or experts coincide. Use fewer columns or "
        "fewer experts"
    )


def _small_experts(model, data):
    """Experts of few samples, or of few and far: perhaps no regime."""
    shares = data.mean(model._posterior(data.X, data.y))
    for i, (share, noise) in enumerate(zip(shares, model.noises)):
        others = model.noises[np.arange(model.n_experts) != i]
        broad = share < 0.05 and len(others) and noise > 3 * others.max()
        if broad or (share < 0.03 and share * counted(data) < FEW):
            yield (
                f"expert {i + 1} answers only {share * counted(data):.2g} of {counted(data):g} "
                f"samples{', with much more noise than the others' * bool(broad)}: outliers, or a "
                "small regime? Look at them (posterior), and compare a fit without them"
            )


def _unreached(model, data):
    """Labels that no expert can answer through this link."""
    low, high = reach(model.link)
    outside = data.y - np.clip(data.y, low, high)
    share = float(data.mean(outside != 0))
    far = share > 0.55 or data.mean(outside**2) > 0.5 * data.mean(data.y**2)
    side = max(data.mean(data.y < low), data.mean(data.y > high))  # noise alone: a half at most
    if side > 0.6 or (far and _is_led_outside(model, data)):
        yield (
            f"link {model.link.name!r} answers between {low:.3g} and {high:.3g}, and {share:.0%} "
            "of the labels lie outside: use link='identity', or bring the labels into its range"
        )


def _is_led_outside(model, data):
    """Whether residuals have a mean, or go with the fitted mean: noise alone does neither."""
    low, high, span = data.y.min(), data.y.max(), np.ptp(data.y)
    mean = np.clip(model._mean(data.X), low - span, high + span)  # none outweighs all others
    residual = data.y - mean
    for values in (residual, residual * (mean - data.mean(mean))):
        centre = data.mean(values)
        error = np.sqrt(data.mean((values - centre) ** 2) / counted(data))
        if abs(centre) > SHIFTED * error:
            return True
    return False


def reach(link):
    """The least and the largest that a link answers, infinite where it keeps growing."""
    grid = np.concatenate([-np.logspace(6, -3, 200), [0.0], np.logspace(-3, 6, 200)])
    with np.errstate(all="ignore"):
        values = np.clip(link.value(grid), -FAR, FAR)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    least, most = low, high
    for end, before in ((values[0], values[20]), (values[-1], values[-21])):
        grows = abs(end) == FAR or abs(end - before) > 1e-3 * max(1.0, high - low)
        if grows and end == low:
            least = -np.inf
        if grows and end == high:
            most = np.inf
    return least, most


def _far_out(model, data):
    """Labels that the fit calls all but impossible."""
    below = cdf_at(data.y, *components(model, data.X))
    far = np.flatnonzero(2 * np.minimum(below, 1 - below) < FAR_OUT / counted(data))
    if data.weights is not None:
        far = far[data.weights[far] > 0]
    if len(far):
        rows = ", ".join(map(str, far[:MOST_NAMED])) + ", ..." * (len(far) > MOST_NAMED)
        lie = "labels lie" if len(far) > 1 else "label lies"
        yield (
            f"{len(far)} {lie} further out than one in {1 / FAR_OUT:g} such data sets would "
            f"have (rows {rows}, from 0): outliers, or noise with heavier tails than the normal. "
            "Look at them; compare summary(errors='robust') and a fit without them"
        )


def _joined(names):
    """Names in quotes with commas and an "and", for a sentence."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]
