"""What the theory assumes of a model: each condition by a model that breaks it alone."""

from dataclasses import replace

import numpy as np
import pytest

from moelib import GatedModel, label_transforms, standard_model
from moelib.experts import error_constants, mixed_moment, moment_errors, signs_found
from moelib.experts.assumed import CONDITIONS, as_theory_model

SOUND = standard_model(d=5, n_experts=2, noise=0.3)
BROKEN = {
    "two experts or more": GatedModel([[1.0, 0]], np.zeros((0, 2)), 0.3),
    "one noise for all experts": replace(SOUND, noise=[0.3, 0.4]),
    "experts without intercepts": replace(SOUND, expert_intercepts=[0.0, 1e-9]),
    "no intercepts": replace(SOUND, gate_intercepts=[0.5]),
    "unit experts": replace(SOUND, experts=1.001 * SOUND.experts),
    "linearly independent experts": replace(SOUND, experts=SOUND.experts[[0, 0]]),
    "gates orthogonal to all experts": replace(SOUND, gates=SOUND.gates + 0.01 * SOUND.experts[0]),
}
SEEN = {
    "two experts or more": "n_experts 1",
    "one noise for all experts": "noise [0.3 0.4]",
    "experts without intercepts": "expert_intercepts [0.e+00 1.e-09]",
    "no intercepts": "intercepts [0.  0.  0.5]",
    "unit experts": "lengths [1.001 1.001]",
}


def test_a_model_of_the_theory_passes():
    assert as_theory_model(SOUND, *CONDITIONS) is SOUND
    assert set(BROKEN) == set(CONDITIONS)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_broken_condition_is_named_with_what_was_seen(condition):
    model = BROKEN[condition]
    others = set(CONDITIONS) - {condition}
    if condition == "experts without intercepts":
        others -= {"no intercepts"}  # which says more
    as_theory_model(model, *others)
    with pytest.raises(
        ValueError, match=f"model must have {condition}: the page covers no"
    ) as said:
        as_theory_model(model, *CONDITIONS, by="the page")
    assert SEEN.get(condition, "got") in str(said.value) and "simulate" in str(said.value)


@pytest.mark.parametrize("condition", ["one noise for all experts", "experts without intercepts"])
def test_numbers_of_the_theory_are_for_its_models_alone(condition):
    pair, model = label_transforms("identity", 0.3), BROKEN[condition]
    for call in (
        lambda: error_constants(model, pair),
        lambda: mixed_moment([0, 0, 2.0], model, model.experts[0]),
        lambda: moment_errors(model, pair, 9, 1),
        lambda: signs_found(model, 9, 1),
    ):
        with pytest.raises(ValueError, match=f"model must have {condition}: the theory covers"):
            call()


def test_transforms_are_for_one_noise():
    with pytest.raises(ValueError, match="noise must be a positive finite number, got array"):
        label_transforms("identity", noise=np.array([0.3, 0.4]))
