"""The faces of the library: every public name is there, and none of them makes an import heavy."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import moelib
from moelib._face import face

# what others may rely on: no name of this list goes away
NAMES = """
    GatedModel standard_model random_model Link LINKS AssumptionWarning ConvergenceWarning
    label_transforms LabelTransforms label_transform conditional_hermite noise_from_labels Moments
    l4_loss log_loss least_squares_loss gate_loss learn_experts learn_experts_from_batches
    learn_experts_sgd learn_experts_spectral first_moment_signs third_moment_signs likelihood_signs
    learn_gates gate_curvature find_degeneracies choose_n_experts expectation_maximization
    random_start make_start least_squares joint_likelihood gradient_em maximum_likelihood
    standard_errors scoring_step fisher_information cramer_rao_bound FreeParameters
    required_samples MixtureOfExperts match_experts regressor_error gate_error explore CriticalPoint
    find_critical_points stable_occupancies joint_likelihood_sgd least_squares_sgd pruned_em
    split_merge_em align_experts ExpertsDisplay ResponsibilitiesDisplay GateDependenceDisplay
    ResidualsDisplay CalibrationDisplay SelectionDisplay
""".split()
PACKAGES = ["moelib"] + sorted(
    f"moelib.{path.parent.name}" for path in Path(moelib.__file__).parent.glob("*/__init__.py")
)
HEAVY = ["torch", "sklearn", "scipy", "pandas", "matplotlib", "ipywidgets"]


def test_the_list_has_all_of_them():
    assert len(set(NAMES)) == len(NAMES) == 60


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_loads(name):
    assert name in moelib.__all__ and name in dir(moelib)
    assert getattr(moelib, name).__doc__ or name == "LINKS"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_of_a_face_resolves(package):
    module = import_module(package)
    assert module.__all__ and len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None and name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_name_is_the_same_thing_in_its_wing(package):
    module = import_module(package)
    for name in set(NAMES) & set(module.__all__):
        assert getattr(module, name) is getattr(moelib, name)


def loaded(statement):
    """Which heavy packages a fresh Python has loaded after a statement."""
    code = f"{statement}; import sys; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("package", PACKAGES)
def test_import_is_light(package):
    assert loaded(f"import {package}") == []


def test_heavy_imports_are_seen():
    assert loaded("import moelib; moelib.GatedModel") == ["scipy"]


def test_a_face_that_lists_what_is_not_there_is_found():
    load, listed, names = face("moelib", {"model": "GatedModel Nothing"})
    assert names == ["GatedModel", "Nothing"] and set(names) <= set(listed())
    assert load("GatedModel") is moelib.GatedModel
    with pytest.raises(AttributeError, match="Nothing"):
        load("Nothing")
