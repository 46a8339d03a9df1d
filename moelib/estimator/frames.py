"""What a user passes as X becomes the design matrix, with a name for each of its columns."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import check_array

from moelib.estimator.formulas import categories, matrix, parsed
from moelib.estimator.remarks import listed, say

MANY_LEVELS = 20
# what a column holds, in pandas' words: numbers, what is refused; all else is a category
NUMBERS = "floating integer mixed-integer-float decimal boolean".split()
REFUSED = "datetime64 datetime date time timedelta64 timedelta period complex".split()


@dataclass(frozen=True, eq=False)
class Columns:
    """The way from X to the design matrix Z: numbers pass, categories become columns of 0 and 1.

    An array passes as it is. In a DataFrame, a column of categories or text becomes one column for
    each level but the first, the reference: the first of a pandas Categorical, else of the
    alphabet. Columns of a DataFrame that neither experts nor gates use are left out.

    Attributes
    ----------
    names : list of str
        Names of the p columns of Z.
    expert_features, gate_features : tuple of int or None
        Columns of Z that experts and gates use, None for all; a gate without any is constant.
    known, used : list of str
        Columns of the DataFrame in ``fit``, and those that Z is made of; empty for an array.
    levels : dict
        Maps a column of categories to its levels.
    makers : tuple
        What makes Z: scikit-learn's transformer, or formulaic's specifications.

    Examples
    --------
    >>> frame = pd.DataFrame({"price": [1.0, 2.0, 4.0], "season": ["fall", "spring", "summer"]})
    >>> columns, Z = Columns.fit(frame, gate_features=["season"])
    >>> columns.names, columns.gate_features
    (['price', 'season=spring', 'season=summer'], (1, 2))
    >>> columns.transform(frame.tail(1))
    array([[4., 0., 1.]])
    >>> Columns.fit(frame, formula="np.log(price) | season")[0].names
    ['np.log(price)', 'season[T.spring]', 'season[T.summer]']
    """

    names: list
    expert_features: tuple | None
    gate_features: tuple | None
    known: list = field(default_factory=list)
    used: list = field(default_factory=list)
    levels: dict = field(default_factory=dict)
    makers: tuple = ()

    @property
    def by_formula(self):
        """Whether a formula made the columns: new data need no others than those it names."""
        return bool(self.makers) and not isinstance(self.makers[0], ColumnTransformer)

    @classmethod
    def fit(cls, X, formula=None, expert_features=None, gate_features=None):
        """Learn names and levels from X; return the columns and the (n, p) design matrix.

        Warns of a category with a single level, which is left out, and of one with very many.

        Parameters
        ----------
        X : (n, d) array or DataFrame
            Inputs.
        formula : str, optional
            Terms as in R, without a left side: ``"price * promo + C(season)"``; after a bar those
            of the gates, ``"price | season"``. The intercepts are the estimator's.
        expert_features, gate_features : list of str or int, or callable, optional
            Columns of X by name or position; a callable is given X.

        Raises
        ------
        ValueError
            When X holds missing values, dates, or text in an array, or when a name is unknown.
        """
        is_frame = isinstance(X, pd.DataFrame)
        data = _named(X) if is_frame else _array(X)
        known = list(data) if is_frame else [f"x{j + 1}" for j in range(data.shape[1])]
        experts = _positions(expert_features, "expert_features", X, known)
        gates = _positions(gate_features, "gate_features", X, known)
        if formula is None and not is_frame:
            return cls(known, experts, gates), _finite(data, known)
        if formula is None:
            return _fit_frame(data, experts, gates)
        if not isinstance(formula, str) or not is_frame:
            raise ValueError(f"formula must be a string, and X a DataFrame, got {formula!r}")
        if experts is not None or gates is not None:
            raise ValueError("formula takes the place of expert_features and gate_features")
        return _fit_formula(data, formula)

    def transform(self, X):
        """Design matrix of new data: (m, d) array or DataFrame -> (m, p) array.

        A missing value, a missing column and a level that ``fit`` did not see raise ValueError.
        """
        if not self.known:
            return _finite(_array(X), self.names)
        X = X if isinstance(X, pd.DataFrame) else pd.DataFrame(_array(X), columns=self.known)
        return self._design(_plain(_named(X), self.used, self.levels))

    def _design(self, frame):
        if not self.by_formula:
            return _finite(self.makers[0].transform(frame), self.names)
        Z = np.hstack([matrix(spec, frame, self.known) for spec in self.makers])
        names = [name for spec in self.makers for name in spec.column_names]
        return _finite(Z.take([names.index(name) for name in self.names], axis=1), self.names)


def _fit_frame(X, experts, gates):
    places = range(X.shape[1]) if experts is None or gates is None else sorted({*experts, *gates})
    used = [X.columns[j] for j in places]
    levels = _levels(X, used)
    frame = _plain(X, used, levels)
    _judge(levels)
    if all(len(levels.get(name, "01")) == 1 for name in used):
        raise ValueError("X has no column that a slope can be learned for")
    options = dict(drop="first", sparse_output=False, feature_name_combiner="{}={}".format)
    coders = {name: OneHotEncoder(categories=[levels[name]], **options) for name in levels}
    parts = [(str(j), coders.get(name, "passthrough"), [name]) for j, name in zip(places, used)]
    maker = ColumnTransformer(parts, verbose_feature_names_out=False)
    names = [str(name) for name in maker.fit(frame).get_feature_names_out()]
    blocks = {j: range(len(names))[maker.output_indices_[str(j)]] for j in places}
    experts, gates = (
        None if part is None else tuple(i for j in part for i in blocks[j])
        for part in (experts, gates)
    )
    columns = Columns(names, experts, gates, list(X.columns), used, levels, (maker,))
    return columns, columns._design(frame)


def _fit_formula(X, formula):
    known = list(X.columns)
    parts = parsed(formula, known)
    text = " ".join(map(str, parts))
    used = [name for name in known if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    levels = _levels(X, used)
    frame = _plain(X, used, levels)
    specs = tuple(matrix(part, frame, known).model_spec for part in parts)
    _judge({name: found for spec in specs for name, found in categories(spec).items()})
    owns = [[name for name in spec.column_names if name != "Intercept"] for spec in specs]
    names = list(dict.fromkeys(name for own in owns for name in own))
    if not names:
        raise ValueError(f"formula {formula!r} has no term that a slope can be learned for")
    features = [tuple(sorted(names.index(name) for name in own)) for own in owns]
    experts, gates = features if len(features) == 2 else (None, None)
    columns = Columns(names, experts, gates, known, used, levels, specs)
    return columns, columns._design(frame)


def _positions(features, argument, X, known):
    """Column numbers of the features that an argument asks for."""
    if features is None:
        return None
    features = features(X) if callable(features) else features
    numbers = {name: j for j, name in enumerate(known)} | {j: j for j in range(len(known))}
    asked = np.asarray(features)
    if asked.ndim != 1 or asked.dtype == bool or any(f not in numbers for f in features):
        raise ValueError(
            f"{argument} must list columns of X by name or position, got {features!r}; "
            f"the columns are {listed(known)}"
        )
    return tuple(sorted({numbers[feature] for feature in features}))


def _array(X):
    """X as a float64 matrix, by scikit-learn's rules."""
    X = check_array(X, dtype=None, ensure_all_finite=False)
    objects = X.flat if X.dtype == object else ()
    if X.dtype.kind in "SUmM" or any(isinstance(value, str) for value in objects):
        raise ValueError("X holds text or dates: pass a pandas DataFrame, where text is a category")
    return np.asarray(X, dtype=np.float64)


def _named(X):
    """The DataFrame with strings for names, each once."""
    names = pd.Index([str(name) for name in X.columns])
    if names.has_duplicates:
        raise ValueError(f"X has two columns named {names[names.duplicated()][0]!r}")
    return X.set_axis(names, axis=1)


def _levels(X, used):
    """Levels of each category, as strings: in the order of a Categorical, else of the alphabet."""
    levels = {}
    for name in used:
        if isinstance(X[name].dtype, pd.CategoricalDtype):
            found = X[name].cat.remove_unused_categories().cat.categories
            levels[name] = [str(level) for level in found]
        elif pd.api.types.infer_dtype(X[name]) not in NUMBERS + REFUSED:
            levels[name] = sorted(set(X[name].dropna().astype(str)))
    return levels


def _plain(X, used, levels):
    """The columns that are used, without gaps: numbers, and categories of strings."""
    absent = [name for name in used if name not in X.columns]
    if absent:
        raise ValueError(f"X lacks the columns {listed(absent)}, which fit used")
    if X.empty:
        raise ValueError(f"X must have rows and columns, got shape {X.shape}")
    _refuse_gaps(X[used].isna().sum(), used)
    frame = pd.DataFrame({name: _plain_column(X[name], levels.get(name)) for name in used})
    _finite(frame.drop(columns=list(levels)), [name for name in used if name not in levels])
    return frame


def _plain_column(column, levels):
    name, kind = repr(column.name), pd.api.types.infer_dtype(column)
    if kind in REFUSED:
        how = "convert it to a number, e.g. (t - t.min()).dt.days"
        raise ValueError(f"column {name} is of type {kind}: {how}")
    if levels is not None:
        values = column.astype(str)
        new = sorted(set(values) - set(levels))
        if new:
            saw = f"fit saw only {listed(levels)}"
            raise ValueError(f"column {name} has the new level {listed(new)}; {saw}")
        return pd.Categorical(values, categories=levels)
    if kind not in NUMBERS:
        raise ValueError(f"column {name} held numbers in fit, and now is of type {kind}")
    values = column.to_numpy()
    return values.astype(float) if values.dtype == object else values


def _judge(levels):
    """Warn of categories with a single level or very many."""
    for name, known in levels.items():
        n = len(known)
        if n == 1:
            say(f"column {name!r} has one level, {known[0]!r}: left out")
        elif n > MANY_LEVELS:
            what = f"{n} levels: k experts learn k times {n - 1} slopes for it"
            say(f"column {name!r} has {what}")


def _finite(Z, names):
    Z = np.asarray(Z, dtype=np.float64)
    _refuse_gaps(np.sum(~np.isfinite(Z), axis=0), names)
    return Z


def _refuse_gaps(counts, names):
    gaps = [f"{name!r} ({count})" for name, count in zip(names, counts) if count]
    if gaps:
        where = ", ".join(gaps[:MANY_LEVELS])
        raise ValueError(f"X has NaN or infinite values in {where}: drop these rows or impute them")
