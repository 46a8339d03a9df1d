"""The stored experiment on many experts: what the book stands on, and a small run."""

import numpy as np

from moelib.experiments import many_experts, read_table


def test_many_experts_are_found_by_two_losses_and_not_by_em(stored_table):
    """k = 16, d = 32, four million samples in batches: the lines that the book stands on."""
    table = stored_table("many-experts")
    sixteen = table[table["k"] == 16]
    refined = sixteen[sixteen["method"] == "refined"]
    assert set(refined["n"]) == {4_000_000} and set(refined["d"]) == {32}
    assert len(refined) == many_experts.DATA_SETS * len(many_experts.KINDS)
    assert (refined["e_reg"] < 0.02).all()
    em = sixteen[sixteen["method"] == "em"]
    assert len(em) == many_experts.EM_STARTS
    assert np.mean(em["e_reg"] >= 0.02) >= 0.5
    assert read_table("many-experts-seconds")["peak_gb"].max() < 3


def test_a_small_stream_runs_through_all_stages():
    cell = dict(k=2, d=5, n=60_000, data=0)
    two = many_experts.run_cell(
        cell | dict(part="two-loss", kind="polynomial"), np.random.SeedSequence(0)
    )
    assert [row["method"] for row in two] == ["l4", "gates", "refined"]
    assert two[2]["e_reg"] < 1e-3 < 0.1 and two[2]["log_density"] > two[1]["log_density"]
    (em,) = many_experts.run_cell(
        cell | dict(part="em", start=0), np.random.SeedSequence(1), em_iterations=30
    )
    assert em["method"] == "em" and em["e_reg"] < 1e-3
