"""The numbers on the landing page are those of the stored tables."""

import claims
import pytest

from moelib.experiments import read_table
from moelib.experiments.certificate import rejections, samples_needed
from moelib.experiments.frontier_plan import ADAM, BOTH, COLD, FALLING, LEAKY, RAW
from moelib.experiments.frontier_reading import rates, winners

TEXT = " ".join((claims.ROOT / "book" / "index.md").read_text().split())
SUCCESS, SIX_DEGREES = 0.05, 0.005


@pytest.fixture(scope="module")
def cooling():
    """By arm, with ten experts and 4,000 samples: data sets where all are found, of 40."""
    table = read_table("cooling").query("part == 'arms' and n == 4000")
    assert set(table.groupby("method").size()) == {40}
    return (table["e_reg"] < SUCCESS).groupby(table["method"]).sum()


def frontier(bound=SUCCESS):
    return rates(read_table("frontier"), read_table("frontier-seconds"), bound)


@pytest.fixture(scope="module")
def behind_relu():
    return frontier().loc["relu", 0.05, "equal", 16, 98_000]


def hits(rows, method):
    row = rows.loc[method]
    return f"{row['success'] * row['data_sets']:.0f} of {row['data_sets']:.0f}"


def test_where_em_is_stuck(cooling):
    assert f"EM finds all experts on {cooling['em']} of 40 data sets" in TEXT
    assert f"EM that cools slowly on {cooling['em, cooling 0.01']}," in TEXT
    assert f"minibatch Adam on {cooling['batch 64']}, and EM and Adam on none once" in TEXT
    assert not cooling[["em, told", "batch 64, told", "all, told"]].any()


def test_with_half_of_the_samples_cooling_does_not_help():
    assert "With half as many samples that no longer holds." in TEXT
    few = read_table("cooling").query("part == 'arms' and n == 2000")
    right = (few["e_reg"] < SUCCESS).groupby(few["method"]).mean()
    assert right[["em, cooling 0.01", "em, cooling 0.003"]].max() <= 0.05 < right["batch 64"]


def test_where_adam_is_stuck(behind_relu):
    adam, leaky = hits(behind_relu, ADAM), hits(behind_relu, LEAKY)
    assert f"Adam finds them on {adam}, and on {leaky} if a leaky ReLU comes first" in TEXT


def test_where_two_losses_gain(behind_relu):
    wait = behind_relu["wait"]
    factor = wait[[ADAM, LEAKY, FALLING, COLD]].min() / wait[BOTH]
    assert f"find all sixteen on {hits(behind_relu, BOTH)} data sets, {factor:.1f} times" in TEXT
    assert f"and alone on {hits(behind_relu, RAW)};" in TEXT


def test_where_two_losses_gain_nothing():
    assert "with 8 to 48 linear experts they are clearly ahead in no cell" in TEXT
    rows = frontier(SIX_DEGREES).loc["identity"]
    k = rows.index.get_level_values("k")
    assert (k.min(), k.max()) == (8, 48)
    cells = winners(frontier(SIX_DEGREES)).loc["identity"]
    assert not (cells["clear"] & cells["winner"].str.startswith("two")).any()


def test_what_a_certificate_refuses():
    share = rejections(read_table("certificate"))
    cells = share.xs("together", level="method").reset_index()
    cells = cells.query("k == 3 and noise == 0.05 and design == 'standard'")
    missing = cells[cells["fit"] == "missing"].sort_values("n")
    _, needed, _ = samples_needed(missing["n"].to_numpy(), missing["share"], missing["certified"])
    assert f"on at least 80 % of data sets from {needed:.0f} samples on" in TEXT
    right = cells[(cells["fit"] == "right") & (cells["n"] >= needed) & (cells["certified"] >= 500)]
    assert "a right fit on about as many as they should, 5 %" in TEXT
    assert len(right) and right["share"].between(0.03, 0.07).all()
