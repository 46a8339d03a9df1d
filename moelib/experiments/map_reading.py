"""Reading the map of failure: rates, restarts, what the likelihood knows, and who beats whom.

A table of *fits* has the rows of the stored map, and whether each is a ``success``. For people who
read a map: no experiment imports this.
"""

import numpy as np
import pandas as pd
from scipy.special import comb

from moelib.experiments.sign_flips import holm, sign_flip_test

SUCCESS = 0.05  # of the regressor error
ON_DATA = ["cell", "method", "data"]
LIKELIER = 1e-6  # nats per sample


def with_success(fits, bound=SUCCESS):
    """Fits, with a column that says which of them found the experts.

    Parameters
    ----------
    fits : DataFrame
        The stored map.
    bound : float
        A fit is a success below this regressor error; one without numbers is none.

    Returns
    -------
    DataFrame
    """
    return fits.assign(success=fits["e_reg"] < bound)


def summarise(fits, seconds=None):
    """Success by cell and method, each data set with the same weight.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.
    seconds : DataFrame, optional
        Mean seconds of a start, by cell and method.

    Returns
    -------
    DataFrame
        Success, data sets, the share of fits that converged and the seconds of a start; the index
        has a level for each setting, and the method.
    """
    settings = list(fits.columns[1 : fits.columns.get_loc("data")])
    by = [*settings, "method"]
    shares = fits.groupby([*by, "data"])["success"].mean().groupby(by)
    table = pd.DataFrame({"success": shares.mean(), "data_sets": shares.size()})
    table["converged"] = fits.groupby(by)["converged"].mean()
    if seconds is not None:
        table["seconds"] = seconds.set_index(by)["seconds"]
    return table.sort_index()


def along(table, base, *axes):
    """The rows of a table whose settings are those of a base, but for some.

    Parameters
    ----------
    table : DataFrame
        Its index has the settings as levels.
    base : dict
        All settings.
    *axes : str
        Settings that may differ; they stay in the index.

    Returns
    -------
    DataFrame
    """
    rest = {key: value for key, value in base.items() if key not in axes}
    return table.xs(tuple(rest.values()), level=list(rest))


def short_name(cell, base):
    """What tells a cell from others: k, d and n, and what differs from the base.

    Examples
    --------
    >>> short_name("k=4,d=8,n=250,noise=1.0,rho=0.0", {"noise": 0.05, "rho": 0.0})
    'k = 4, d = 8, n = 250, noise = 1.0'
    """
    parts = dict(part.split("=") for part in cell.split(","))
    kept = {key: x for key, x in parts.items() if key in "kdn" or x != str(base[key])}
    return ", ".join(f"{key} = {value}" for key, value in kept.items())


def best_of(fits, m):
    """How often the start with the best objective, out of m, is a success.

    The m starts are drawn from those of a data set, all subsets alike; none is drawn in fact.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.
    m : int
        How many starts.

    Returns
    -------
    Series
        By cell, method and data set, for those with at least m starts.
    """
    by = [fits[key] for key in ON_DATA]
    score = fits["objective"].fillna(-np.inf).groupby(by)
    n_starts = score.transform("size")
    tickets = comb(n_starts - score.rank(ascending=False, method="first"), m - 1)
    chance = (fits["success"] * tickets / comb(n_starts, m)).where(n_starts >= m)
    return chance.groupby(by).sum(min_count=1).dropna()


def ranks_right(fits):
    """Whether every success of a data set has a better objective than every failure.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.

    Returns
    -------
    Series
        By cell, method and data set, for those with successes and failures.
    """
    score = fits["objective"].fillna(-np.inf)
    right, by = fits["success"], [fits[key] for key in ON_DATA]
    worst = score.where(right, np.inf).groupby(by).min()
    best = score.where(~right, -np.inf).groupby(by).max()
    share = right.groupby(by).mean()
    return (worst > best)[(share > 0) & (share < 1)]


def restarts(fits, most=5):
    """What several starts gain, by method, on the data sets that have so many.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.
    most : int
        How many starts.

    Returns
    -------
    DataFrame
        Success of ``one`` start and of the ``best`` of several; on how many data sets the starts
        end ``both`` ways, and on how many of these the objective has ``ranked`` them right.
    """
    fits = fits[fits.groupby(ON_DATA)["start"].transform("nunique") == most]
    table = {"one": best_of(fits, 1), "best": best_of(fits, most)}
    table = pd.DataFrame(table).groupby("method", sort=False).mean()
    ranked = ranks_right(fits).groupby("method").agg(["size", "sum"])
    table[["both", "ranked"]] = ranked.reindex(table.index, fill_value=0).astype(int)
    return table


def verdicts(fits, truth):
    """Why a data set is not solved: for want of search, or of samples.

    A right fit that is likelier than all wrong ones is known for a data set, from a method or from
    the climb that begins at the truth: then it is *found* by a method, or all of them lack only
    *search*. Else no rule that goes by the likelihood could choose it: it lacks *samples*.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.
    truth : str
        Name of the climb from the truth among the methods.

    Returns
    -------
    DataFrame
        By cell and data set, where the climb ran: the verdict; ``margin``, the log-density per
        sample of the likeliest right fit above that of the likeliest wrong one; and whether the
        climb was right.
    """
    by = ["cell", "data"]
    ran = (fits["method"] == truth).groupby([fits[key] for key in by]).transform("any")
    fits = fits[ran]
    climb = fits["method"] == truth
    right, density = fits["success"], fits["log_density"].fillna(-np.inf)
    keys = [fits[key] for key in by]
    best_right = density.where(right, -np.inf).groupby(keys, sort=False).max()
    best_wrong = density.where(~right, -np.inf).groupby(keys, sort=False).max()
    found = (right & ~climb).groupby(keys, sort=False).any()
    known = best_right > best_wrong - LIKELIER
    verdict = np.select([~known, found], ["samples", "found"], "search")
    climbs = fits[climb].set_index(by)["success"].reindex(found.index)
    return pd.DataFrame(
        {"verdict": verdict, "margin": best_right - best_wrong, "climb_right": climbs}
    )


def duels(fits, one, rivals):
    """One method against the best of its rivals in every cell, data set by data set.

    Parameters
    ----------
    fits : DataFrame
        The fits of a map.
    one : str
        The method.
    rivals : list of str
        The best is picked after the fact, on the same data sets: this favours the rivals.

    Returns
    -------
    DataFrame
        By cell: the rival, the success of both, the p-value of :func:`sign_flip_test`, and after
        :func:`holm`.
    """
    shares = fits.groupby(ON_DATA, sort=False)["success"].mean().unstack("method")
    rows = {}
    for cell, table in shares.dropna(subset=one).groupby("cell", sort=False):
        table = table.dropna(axis=1)
        rival = table[[name for name in rivals if name in table]].mean().idxmax()
        rows[cell] = {
            "rival": rival,
            "success": table[one].mean(),
            "rival_success": table[rival].mean(),
            "p": sign_flip_test(table[one] - table[rival]),
        }
    found = pd.DataFrame.from_dict(rows, orient="index")
    return found.assign(p_holm=holm(found["p"]))


def leaders(table):
    """Over some cells: which method is right most often, and which one soonest.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`summarise`; methods that miss some of its cells are left out.

    Returns
    -------
    dict
        ``most`` and its mean ``success``; ``soonest`` and its seconds to a ``solution``, seconds
        of a start over success: their median over the cells, infinite without any success.
    """
    by = table.assign(wait=table["seconds"] / table["success"]).groupby("method")
    means = by.agg(success=("success", "mean"), wait=("wait", "median"), cells=("wait", "size"))
    means = means[means["cells"] == means["cells"].max()].sort_values("wait")
    most, soonest = means["success"].idxmax(), means.index[0]
    return {
        "most": most,
        "success": means.loc[most, "success"],
        "soonest": soonest,
        "solution": means.loc[soonest, "wait"],
    }
