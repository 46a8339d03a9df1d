"""Formulas for a frame, as in R: read and computed by formulaic, which is asked for by need."""

import warnings

import numpy as np

from moelib._extras import load
from moelib.estimator.remarks import listed


def parsed(formula, known):
    """The parts of a formula: one for experts and gates, or one for each."""
    formulaic = load("formulaic", "formula=")
    context = {"__formulaic_variables_available__": known}  # what a dot stands for
    try:
        parsed = formulaic.Formula.from_spec(formula, context=context)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"formula {formula!r} cannot be read: {reason}") from error
    parts = (parsed,) if isinstance(parsed, formulaic.SimpleFormula) else tuple(parsed)
    if hasattr(parsed, "lhs") or len(parts) > 2:
        raise ValueError(f"formula must be 'experts | gates' without a left side, got {formula!r}")
    if any("1" not in map(str, part) for part in parts):
        raise ValueError(f"formula {formula!r} drops the intercept: fit_intercept=False does that")
    return parts


def matrix(part, frame, known):
    """The columns of a formula's part, with its intercept."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # formulaic would take a level that fit did not see for the reference
            warnings.simplefilter("error", load("formulaic.errors", "formula=").DataMismatchWarning)
            return part.get_model_matrix(frame, na_action="raise", output="numpy")
    except Exception as error:
        facts = [str(error).partition(" They are being")[0]]
        facts += [f"{name} has {listed(found)}" for name, found in categories(part).items()]
        facts += [f"the columns of X are {listed(known)}"]
        raise ValueError(f"formula cannot be computed from X: {'; '.join(facts)}") from error


def categories(part):
    """Levels of what a formula takes as categories, once it is fitted."""
    states = {name: state for name, (_, state) in getattr(part, "encoder_state", {}).items()}
    return {name: state["categories"] for name, state in states.items() if "categories" in state}
