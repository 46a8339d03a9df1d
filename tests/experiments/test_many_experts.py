"""The stored experiment on many experts: what the book stands on, and a small run."""

import numpy as np

from moelib.experiments import many_experts, read_table


def test_two_losses_find_sixteen_experts_and_so_does_adam_on_far_fewer_samples(stored_table):
    """k = 16, d = 32: four million samples in batches against 20,000 of them."""
    table = stored_table("many-experts")
    sixteen = table[table["k"] == 16]
    refined = sixteen[sixteen["method"] == "refined"]
    assert set(refined["n"]) == {4_000_000} and set(refined["d"]) == {32}
    assert len(refined) == many_experts.DATA_SETS and (refined["e_reg"] < 0.02).all()
    adam, em = (sixteen[sixteen["method"] == name] for name in ("likelihood-sgd", "em"))
    assert len(adam) == sum(many_experts.STARTS["likelihood-sgd"])
    assert np.mean(adam["e_reg"] < 0.02) > 0.8 and len(em) == 5
    assert np.mean(em["e_reg"] >= 0.02) >= 0.5
    assert read_table("many-experts-seconds")["peak_gb"].max() < 3


def test_a_small_stream_runs_through_all_stages():
    cell = dict(k=2, d=5, n=60_000, data=0, start=0)
    two = many_experts.run_cell(cell | dict(part="two-loss"), np.random.SeedSequence(0))
    assert [row["method"] for row in two] == ["l4", "gates", "refined"]
    assert two[2]["e_reg"] < 1e-3 < 0.1 and two[2]["log_density"] > two[1]["log_density"]
    for part in many_experts.STARTS:
        (row,) = many_experts.run_cell(cell | dict(part=part), np.random.SeedSequence(1))
        assert row["method"] == part and row["e_reg"] < 1e-2
