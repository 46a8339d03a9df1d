"""From X to the design matrix: categories, features by name, formulas, and what is refused."""

import copy
import pickle
import sys
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import BSpline
from sklearn import config_context
from sklearn.compose import make_column_selector

from moelib.estimator.frames import Columns
from moelib.validation import AssumptionWarning

SEASONS = ["fall", "spring", "summer", "winter"]


def sales(seed=0, n=60):
    """Sales with numbers of several kinds, text, and a Categorical in an order of its own."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price": rng.lognormal(size=n),
            "promo": rng.integers(0, 2, n),
            "season": rng.permutation(np.resize(SEASONS, n)),
            "online": rng.permutation(np.resize([True, False], n)),
            "size": pd.Categorical(rng.permutation(np.resize(["S", "M", "L"], n)), ["S", "M", "L"]),
            "year": rng.permutation(np.resize([2000, 2001, 2002], n)),
        }
    )


def dummies(frame):
    """The design matrix in pandas' way, which keeps no order of numbers and categories."""
    return pd.get_dummies(frame, drop_first=True, prefix_sep="=", dtype=float).astype(float)


def is_one_of(frame, name, levels):
    """Columns of 0 and 1, by hand."""
    return np.column_stack([[float(value == level) for value in frame[name]] for level in levels])


# --- arrays and numbers ---------------------------------------------------------------------------


def test_an_array_passes_as_it_is():
    X = np.random.default_rng(0).normal(size=(5, 3))
    columns, Z = Columns.fit(X, expert_features=["x3", 0], gate_features=[])
    assert columns.names == ["x1", "x2", "x3"]
    assert (columns.expert_features, columns.gate_features) == ((0, 2), ())
    assert Z is X
    np.testing.assert_array_equal(columns.transform(X[1:3].tolist()), X[1:3])


@pytest.mark.parametrize("names", [list("abc"), [10, 20, 30]])
def test_a_frame_of_numbers_equals_its_array(names):
    X = np.random.default_rng(0).normal(size=(5, 3))
    columns, Z = Columns.fit(pd.DataFrame(X, columns=names))
    np.testing.assert_array_equal(Z, X)
    assert columns.names == [str(name) for name in names]
    assert (columns.expert_features, columns.gate_features) == (None, None)
    np.testing.assert_array_equal(columns.transform(X[:2]), X[:2])  # of an array, by place


@pytest.mark.parametrize("formula", [None, "a"])
@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, 0, 1], dtype="Int64"),
        pd.array([1, 0, 1], dtype="Float64"),
        pd.array([True, False, True], dtype="boolean"),
        [True, False, True],
        np.array([1, 0.0, 1], dtype=object),
        [Decimal(1), Decimal(0), Decimal(1)],
        np.array([1, 0, 1], dtype=np.int8),
        np.array([1, 0, 1], dtype=np.float32),
    ],
    ids=lambda values: f"{type(values).__name__}-{getattr(values, 'dtype', type(values[0]))}",
)
def test_numbers_of_every_kind_become_float64(values, formula):
    columns, Z = Columns.fit(pd.DataFrame({"a": values}), formula)
    np.testing.assert_array_equal(Z, [[1.0], [0.0], [1.0]])
    assert (columns.names, Z.dtype) == (["a"], np.float64)


# --- categories -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_categories_are_those_of_get_dummies(seed):
    frame = sales(seed)
    columns, Z = Columns.fit(frame)
    expected = dummies(frame)
    assert sorted(columns.names) == sorted(expected.columns)
    np.testing.assert_array_equal(Z, expected[columns.names])
    assert columns.names == [
        *("price", "promo", "season=spring", "season=summer", "season=winter"),
        *("online", "size=M", "size=L", "year"),
    ]
    assert Z.dtype == np.float64 and Z.flags.c_contiguous


@pytest.mark.parametrize("kind", ["str", "string", "object", "category"])
def test_text_of_every_kind_is_a_category(kind):
    frame = pd.DataFrame({"season": pd.Series(["b", "a", "c", "b"]).astype(kind)})
    columns, Z = Columns.fit(frame)
    assert columns.names == ["season=b", "season=c"]
    np.testing.assert_array_equal(Z, is_one_of(frame, "season", "bc"))


def test_categorical_numbers_keep_their_order_and_lose_levels_without_data():
    frame = pd.DataFrame({"rate": pd.Categorical([3, 1, 2, 3], categories=[2, 9, 3, 1])})
    columns, Z = Columns.fit(frame)
    assert columns.names == ["rate=3", "rate=1"]
    np.testing.assert_array_equal(Z, is_one_of(frame, "rate", [3, 1]))
    assert Columns.fit(frame, "rate")[0].names == ["rate[T.3]", "rate[T.1]"]


def test_intervals_are_a_category():
    frame = pd.DataFrame({"age": pd.cut(pd.Series([1.0, 5.0, 9.0]), [0, 4, 8, 12])})
    columns, Z = Columns.fit(frame)
    assert columns.names == ["age=(4, 8]", "age=(8, 12]"]
    np.testing.assert_array_equal(Z, [[0, 0], [1, 0], [0, 1]])


def test_names_that_scikit_learn_keeps_for_itself():
    names = ["n_jobs", "remainder", "a__b"]
    frame = pd.DataFrame([["u", 1.0, 2.0], ["v", 3.0, 4.0]], columns=names)
    columns, Z = Columns.fit(frame)
    assert columns.names == ["n_jobs=v", "remainder", "a__b"]
    np.testing.assert_array_equal(Z, [[0, 1, 2], [1, 3, 4]])


def test_the_output_set_for_scikit_learn_does_not_matter():
    frame = sales()
    _, expected = Columns.fit(frame)
    with config_context(transform_output="pandas"):
        columns, Z = Columns.fit(frame)
        assert type(columns.transform(frame)) is type(Z) is np.ndarray
    np.testing.assert_array_equal(Z, expected)


def test_a_single_level_is_left_out_with_a_warning():
    frame = sales().assign(shop="north")
    with pytest.warns(AssumptionWarning, match="'shop' has one level, 'north': left out") as caught:
        columns, Z = Columns.fit(frame)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(Z, Columns.fit(frame.drop(columns="shop"))[1])
    with pytest.raises(ValueError, match="'shop' has the new level 'south'; fit saw only 'north'"):
        columns.transform(frame.assign(shop="south"))


@pytest.mark.parametrize("formula", [None, "name", "C(number)"])
def test_many_levels_are_warned_of(formula):
    def frame(n):
        return pd.DataFrame({"name": [f"n{i}" for i in range(n)], "number": range(n)})

    with pytest.warns(AssumptionWarning, match="has 21 levels: k experts learn k times 20 slopes"):
        Columns.fit(frame(21), formula)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Columns.fit(frame(20), formula)


# --- what experts and gates use -------------------------------------------------------------------


@pytest.mark.parametrize(
    "features",
    [
        ["season", "price"],
        [2, 0],
        (np.int64(0), "season"),
        pd.Index(["price", "season", "price"]),
        lambda frame: ["price", "season"],
    ],
)
def test_features_by_name_position_or_rule(features):
    columns, Z = Columns.fit(sales(), gate_features=features)
    used = [columns.names[j] for j in columns.gate_features]
    assert used == ["price", "season=spring", "season=summer", "season=winter"]
    assert columns.expert_features is None and Z.shape == (60, 9)


def test_what_nobody_uses_is_left_out_and_may_hold_anything():
    frame = sales().assign(day=pd.Timestamp("2020-01-01"), note=None)
    columns, Z = Columns.fit(frame, expert_features=["price", "year"], gate_features=["size"])
    assert columns.names == ["price", "size=M", "size=L", "year"]
    assert (columns.expert_features, columns.gate_features) == ((0, 3), (1, 2))
    np.testing.assert_array_equal(Z, dummies(frame[["price", "size", "year"]])[columns.names])
    np.testing.assert_array_equal(columns.transform(frame[["year", "size", "price"]]), Z)


def test_column_selectors():
    numbers = make_column_selector(dtype_include="number")
    text = make_column_selector(dtype_include=[str, "category"])
    columns, _ = Columns.fit(sales(), expert_features=numbers, gate_features=text)
    of = [columns.names[j] for j in columns.expert_features]
    assert of == ["price", "promo", "year"]
    of = [columns.names[j] for j in columns.gate_features]
    assert of == ["season=spring", "season=summer", "season=winter", "size=M", "size=L"]


def test_a_constant_gate():
    assert Columns.fit(sales(), gate_features=[])[0].gate_features == ()


@pytest.mark.parametrize(
    "features",
    [["pirce"], [6], [-1], "price", 3, [True, False], np.array([True, False]), [0.5], slice(0, 2)],
    ids=str,
)
@pytest.mark.parametrize("argument", ["expert_features", "gate_features"])
def test_unknown_features_are_refused_with_those_that_are_known(argument, features):
    message = f"{argument} must list columns of X by name or position, got .*; .*'price', 'promo'"
    with pytest.raises(ValueError, match=message):
        Columns.fit(sales(), **{argument: features})


# --- formulas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_an_interaction_by_hand(seed):
    frame = sales(seed)
    columns, Z = Columns.fit(frame, "price * promo + C(season)")
    price, promo = frame["price"].to_numpy(), frame["promo"].to_numpy()
    seasons = is_one_of(frame, "season", SEASONS[1:])
    expected = dict(zip(columns.names, Z.T))
    np.testing.assert_array_equal(expected.pop("price"), price)
    np.testing.assert_array_equal(expected.pop("promo"), promo)
    np.testing.assert_allclose(expected.pop("price:promo"), price * promo)
    assert Z.dtype == np.float64 and Z.flags.c_contiguous
    assert list(expected) == [f"C(season)[T.{season}]" for season in SEASONS[1:]]
    np.testing.assert_array_equal(np.column_stack(list(expected.values())), seasons)
    assert (columns.expert_features, columns.gate_features) == (None, None)


def test_a_bar_parts_experts_and_gates():
    frame = sales()
    columns, Z = Columns.fit(frame, "price + size | promo + price")
    assert columns.names == ["price", "size[T.M]", "size[T.L]", "promo"]
    assert (columns.expert_features, columns.gate_features) == ((0, 1, 2), (0, 3))
    by_hand = [frame["price"], *is_one_of(frame, "size", "ML").T, frame["promo"]]
    np.testing.assert_array_equal(Z, np.column_stack(by_hand))


@pytest.mark.parametrize(
    "formula, experts, gates", [("price | 1", (0,), ()), ("1 | price", (), (0,))]
)
def test_a_part_without_columns(formula, experts, gates):
    frame = sales()
    columns, Z = Columns.fit(frame, formula)
    assert (columns.expert_features, columns.gate_features) == (experts, gates)
    np.testing.assert_array_equal(Z, frame[["price"]])
    np.testing.assert_array_equal(columns.transform(frame.head(3)), Z[:3])


def test_a_dot_is_all_columns():
    frame = sales()
    columns, Z = Columns.fit(frame, ".")
    plain, expected = Columns.fit(frame)
    names = [name.replace("[T.", "=").rstrip("]") for name in columns.names]
    np.testing.assert_array_equal(Z, expected[:, [plain.names.index(name) for name in names]])
    assert len(names) == len(plain.names)


def test_new_data_are_transformed_as_the_old_ones():
    frame = sales()
    columns, Z = Columns.fit(frame, "center(price) + scale(year) + log(price) | bs(price, df=4)")
    price = frame["price"].to_numpy()
    new = frame.iloc[[7, 2]].copy()
    out = dict(zip(columns.names, columns.transform(new).T))
    np.testing.assert_allclose(out["center(price)"], price[[7, 2]] - price.mean())
    year = (new["year"] - frame["year"].mean()) / frame["year"].std()
    np.testing.assert_allclose(out["scale(year)"], year)
    np.testing.assert_allclose(out["log(price)"], np.log(price[[7, 2]]))
    knots = [price.min()] * 4 + [np.median(price)] + [price.max()] * 4
    by_hand = BSpline.design_matrix(price, np.array(knots), 3).toarray()[:, 1:]
    splines = [f"bs(price, df=4)[{i}]" for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(Z[:, list(columns.gate_features)], by_hand, atol=1e-12)
    np.testing.assert_allclose([out[name] for name in splines], by_hand[[7, 2]].T, atol=1e-12)


def test_a_polynomial_is_orthogonal_and_spans_the_powers():
    frame = sales()
    columns, Z = Columns.fit(frame, "poly(price, 3)")
    np.testing.assert_allclose(Z.T @ Z, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(Z.sum(axis=0), 0, atol=1e-10)
    new = frame.iloc[:20]
    powers = np.vander(frame["price"], 4)
    weights = np.linalg.lstsq(powers, Z, rcond=None)[0]
    np.testing.assert_allclose(columns.transform(new), np.vander(new["price"], 4) @ weights, 1e-6)


def test_names_with_blanks_and_other_columns():
    unused = dict(day=pd.Timestamp(0), mo=np.nan, price=np.nan)
    frame = sales().rename(columns={"price": "price_2"}).assign(**{"unit cost": 2.0}, **unused)
    columns, Z = Columns.fit(frame, "`unit cost`:price_2 + promo")
    assert columns.names == ["promo", "unit cost:price_2"]
    np.testing.assert_allclose(Z, np.column_stack([frame["promo"], 2 * frame["price_2"]]))
    new = frame[["promo", "unit cost", "price_2"]].tail(2)
    np.testing.assert_allclose(columns.transform(new), Z[-2:])


@pytest.mark.parametrize(
    "formula, message",
    [
        ("price - 1", "'price - 1' drops the intercept: fit_intercept=False does that"),
        ("0 + price", "drops the intercept"),
        ("price | 0 + promo", "drops the intercept"),
        ("price | promo - 1", "drops the intercept"),
        ("price ~ promo", "must be 'experts . gates' without a left side, got 'price ~ promo'"),
        ("price ~ promo | year", "without a left side"),
        ("price | promo | year", "must be 'experts . gates'"),
        ("price ++", r"formula 'price ..' cannot be read: Operator[^\n]*misplaced.\Z"),
        ("pirce", "`pirce` is not present in the dataset.*the columns of X are 'price', 'promo'"),
        ("center(pirce)", "formula cannot be computed from X.*the columns of X are 'price'"),
        ("log(promo)", r"NaN or infinite values in 'log\(promo\)' \(30\)"),
        ("log(promo - 1)", "formula cannot be computed from X.*null values"),
        ("C(season, levels=['fall'])", "formula cannot be computed from X.*nominated levels"),
        ("1", "formula '1' has no term that a slope can be learned for"),
        ("1 | 1", "has no term that a slope can be learned for"),
        (3, "formula must be a string, and X a DataFrame, got 3"),
    ],
)
def test_formulas_that_are_refused(formula, message):
    frame = sales().assign(promo=np.resize([0, 1], 60))
    with pytest.raises(ValueError, match=message), warnings.catch_warnings():
        warnings.simplefilter("error")  # of log(0), say: the error is enough
        Columns.fit(frame, formula)


def test_a_formula_stands_alone_and_needs_a_frame():
    with pytest.raises(ValueError, match="formula takes the place of expert_features"):
        Columns.fit(sales(), "price", gate_features=[])
    with pytest.raises(ValueError, match="formula must be a string, and X a DataFrame, got 'x1'"):
        Columns.fit(np.ones((3, 1)), "x1")


def test_a_formula_sees_no_variables_of_the_caller():
    factor = 2.0  # noqa: F841
    with pytest.raises(ValueError, match="formula cannot be computed from X.*'factor'"):
        Columns.fit(sales(), "np.multiply(price, factor)")


def test_only_a_formula_needs_formulaic(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "formulaic"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "formulaic", None)
    columns, Z = Columns.fit(sales())
    np.testing.assert_array_equal(columns.transform(sales()), Z)
    message = r"formula= needs formulaic: pip install 'moelib\[formula\]'"
    with pytest.raises(ImportError, match=message):
        Columns.fit(sales(), "price")


# --- new data, and what is refused ----------------------------------------------------------------

WAYS = {
    "frame": {},
    "features": dict(expert_features=["price", "season"], gate_features=["size", "promo"]),
    "formula": dict(formula="center(price) * season + promo | size + bs(price, df=5) + C(year)"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_some_rows_in_another_order_give_the_same_rows(way):
    frame = sales()
    columns, Z = Columns.fit(frame, **way)
    rows = np.random.default_rng(0).permutation(60)[:11]
    new = frame.iloc[rows].sample(frac=1, axis=1, random_state=0)  # and columns in another order
    np.testing.assert_array_equal(columns.transform(new), Z[rows])
    one = frame.iloc[[3]].astype({"size": str})
    np.testing.assert_array_equal(columns.transform(one), Z[[3]])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_columns_can_be_stored_and_copied(way):
    frame = sales()
    columns, Z = Columns.fit(frame, **way)
    for again in (pickle.loads(pickle.dumps(columns)), copy.deepcopy(columns)):
        np.testing.assert_array_equal(again.transform(frame), Z)
        assert again.names == columns.names


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_frame_is_left_as_it_was(way):
    frame = sales()
    columns, _ = Columns.fit(frame, **way)
    columns.transform(frame)
    pd.testing.assert_frame_equal(frame, sales())


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(season="monsoon"), "'season' has the new level 'monsoon'; fit saw only 'fall', 'sp"),
        (dict(size="XL"), "'size' has the new level 'XL'; fit saw only 'S', 'M', 'L'"),
        (dict(season=None, price=np.nan), r"values in 'price' \(60\), 'season' \(60\): drop these"),
        (dict(promo=np.inf), r"NaN or infinite values in 'promo' \(60\)"),
        (dict(price="cheap"), "'price' held numbers in fit, and now is of type string"),
        (dict(price=pd.Timestamp(0)), "'price' is of type datetime64: convert it to a number"),
    ],
)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_new_data_that_are_refused(way, change, message):
    frame = sales()
    columns, _ = Columns.fit(frame, **way)
    with pytest.raises(ValueError, match=message):
        columns.transform(frame.assign(**change))
    with pytest.raises(ValueError, match="X lacks the columns 'season', which fit used"):
        columns.transform(frame.drop(columns="season"))
    with pytest.raises(ValueError, match="X must have rows and columns, got shape"):
        columns.transform(frame.head(0))


def test_very_many_levels_are_not_all_listed():
    frame = pd.DataFrame({"name": [f"n{i:02}" for i in range(30)]})
    with pytest.warns(AssumptionWarning, match="30 levels"):
        columns, _ = Columns.fit(frame)
    with pytest.raises(ValueError, match="fit saw only 'n00', 'n01', .*'n19', ...$"):
        columns.transform(frame.assign(name="n30"))


def test_a_new_level_of_a_number_in_a_formula():
    columns, _ = Columns.fit(sales(), "C(year)")
    with pytest.raises(ValueError, match=r"2005.*C\(year\) has 2000, 2001, 2002"):
        columns.transform(sales().assign(year=2005))
    columns, _ = Columns.fit(sales(), "bs(year, df=3)")
    with pytest.raises(ValueError, match=r"bs\(year, df=3\).*extend beyond"):
        columns.transform(sales().assign(year=2005))


@pytest.mark.parametrize(
    "values, message",
    [
        (
            pd.date_range("2020-01-01", periods=60),
            r"'day' is of type datetime64: convert it .*days",
        ),
        (pd.Timestamp("2020-01-01", tz="UTC"), "'day' is of type datetime64"),
        (pd.Timestamp("2020-01-01").date(), "'day' is of type date"),
        (pd.Timedelta(days=1), "'day' is of type timedelta"),
        (pd.Period("2020", freq="M"), "'day' is of type period"),
        (1j, "'day' is of type complex"),
        (pd.NA, r"NaN or infinite values in 'day' \(60\): drop these rows or impute them"),
        (pd.array([None, 1] * 30, dtype="Int64"), r"'day' \(30\)"),
        (pd.Categorical(["a", "b", None] * 20), r"'day' \(20\)"),
        (["a", "b", None] * 20, r"'day' \(20\)"),
        (np.inf, r"'day' \(60\)"),
    ],
)
@pytest.mark.parametrize("formula", [None, "price + day", "price | center(day)"])
def test_columns_that_are_refused(values, message, formula):
    frame = sales().assign(day=values)
    with pytest.raises(ValueError, match=message):
        Columns.fit(frame, formula)


@pytest.mark.parametrize(
    "X, message",
    [
        ([[1.0, "mid"], [2.0, "low"]], "X holds text or dates: pass a pandas DataFrame"),
        (np.array([[1.0, "mid"]], dtype=object), "X holds text"),
        (np.array([["1", "2"]], dtype=object), "X holds text"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "X holds text or dates"),
        ([[1.0, np.nan], [np.inf, np.nan]], r"NaN or infinite values in 'x1' \(1\), 'x2' \(2\)"),
        ([[1j]], "Complex data not supported"),
        ([1.0, 2.0], "Reshape your data"),
        (np.ones((0, 2)), r"0 sample\(s\)"),
        (np.ones((2, 0)), r"0 feature\(s\)"),
        (pd.DataFrame({"a": []}), "X must have rows and columns"),
        (pd.DataFrame(index=[0, 1]), "X must have rows and columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "X has two columns named 'a'"),
    ],
)
def test_inputs_that_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        Columns.fit(X)


def test_nothing_to_learn_a_slope_for():
    with pytest.raises(ValueError, match="X has no column that a slope can be learned for"):
        Columns.fit(sales(), expert_features=[], gate_features=[])
    with (
        pytest.warns(AssumptionWarning, match="left out"),
        pytest.raises(ValueError, match="slope"),
    ):
        Columns.fit(pd.DataFrame({"shop": ["north"] * 3}))
