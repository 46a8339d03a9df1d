"""The library installs alone: what it runs without, and what a wheel holds."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import moelib
from moelib._extras import load

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]

# A plain install: what an extra brings is not there.
PLAIN = """
import json
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        package = name.partition(".")[0]
        if package in ("torch", "matplotlib", "ipywidgets", "IPython", "PIL", "formulaic"):
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)

sys.meta_path.insert(0, Missing())

from importlib import import_module

import numpy as np
import pandas as pd
from moelib import (
    MixtureOfExperts,
    choose_n_experts,
    gate_error,
    joint_likelihood,
    joint_likelihood_sgd,
    learn_experts,
    learn_experts_sgd,
    learn_gates,
    least_squares,
    regressor_error,
    standard_model,
)
from moelib.data import shuffled_batches
"""

NAMES = """
missing = {}
for wing in "data experts gates likelihood bounds estimator displays".split() + [""]:
    package = import_module(f"moelib.{wing}".rstrip("."))
    for name in package.__all__:
        try:
            getattr(package, name)
        except ImportError as error:
            missing[name] = str(error)
print(json.dumps(missing))
"""

FITS = """
rng = np.random.default_rng(0)
model = standard_model(d=3, n_experts=2)
X, y = model.sample(4000, rng)
frame = pd.DataFrame(X, columns=["one", "two", "three"])
settings = dict(fit_intercept=False, noise="shared", random_state=0)
errors, tables = {}, {}
for method in ("em", "two-loss", "spectral", "em-split-merge"):
    fit = MixtureOfExperts(2, method, n_init=3, **settings).fit(frame, y)
    errors[method] = regressor_error(fit.experts_, model.experts)
    tables[method] = str(fit.summary())
experts = learn_experts(X, y, 2, rng).experts
errors["learn_experts"] = regressor_error(experts, model.experts)
gates = learn_gates(X, y, model.experts).model.gates
errors["learn_gates"] = gate_error(gates, model.gates)
straight = X @ [1.0, 2.0, 0.0] + rng.normal(size=len(X))
choice = choose_n_experts(MixtureOfExperts(random_state=0, n_init=2), X, straight, n_experts=[1, 2])
print(json.dumps(dict(errors=errors, tables=tables, chosen=choice.best_k)))
"""

REFUSALS = """
model = standard_model(d=3, n_experts=2)
rng = np.random.default_rng(0)
X, y = model.sample(500, rng)
calls = {
    "joint_likelihood": lambda: joint_likelihood(X, y, model),
    "least_squares": lambda: least_squares(X, y, model),
    "joint_likelihood_sgd": lambda: joint_likelihood_sgd(X, y, model, rng),
    "learn_experts_sgd": lambda: learn_experts_sgd(shuffled_batches(X, y, rng), 2, rng),
    "l4_loss": lambda: import_module("moelib").l4_loss,
    "method": lambda: MixtureOfExperts(2, "likelihood").fit(X, y),
}
said = {}
for name, call in calls.items():
    try:
        call()
    except ImportError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def plain(code):
    """What a program prints in a plain install."""
    command = [sys.executable, "-c", PLAIN + code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_only_what_torch_differentiates_needs_torch():
    missing = plain(NAMES)
    losses = {"l4_loss", "log_loss", "least_squares_loss", "gate_loss"}
    free_rows = {"gradient_path", "minimize_free_rows", "minimize_on_ellipsoid", "null_vectors"}
    assert set(missing) == losses | free_rows | {"steepness"}
    for said in missing.values():
        assert re.fullmatch(r"moelib\.\S+ needs torch: pip install 'moelib\[torch\]'", said)


@pytest.fixture(scope="module")
def fits():
    return plain(FITS)


def test_a_plain_install_recovers_experts_and_gates(fits):
    assert len(fits["errors"]) == 6
    assert max(fits["errors"].values()) < 0.05


def test_a_plain_install_prints_summaries_and_selects(fits):
    assert all("one" in table and "three" in table for table in fits["tables"].values())
    assert fits["chosen"] == 1


def test_what_needs_torch_says_how_to_get_it():
    said = plain(REFUSALS)
    how = "needs torch: pip install 'moelib[torch]'"
    assert said == {
        "joint_likelihood": f"joint_likelihood {how}",
        "least_squares": f"least_squares {how}",
        "joint_likelihood_sgd": f"a climb by stochastic gradients {how}",
        "learn_experts_sgd": f"learn_experts_sgd {how}",
        "l4_loss": f"moelib.losses {how}",
        "method": f"joint_likelihood {how}",
    }


def test_a_package_that_is_there_loads():
    assert load("json.decoder", "this test") is sys.modules["json.decoder"]


def test_a_package_that_lacks_something_itself_says_what(tmp_path, monkeypatch):
    (tmp_path / "needy_package.py").write_text("import package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'package_that_nobody_has'"):
        load("needy_package", "this test")
    with pytest.raises(ImportError, match=r"this test needs lost: pip install 'moelib\[book\]'"):
        load("lost.module", "this test")


# --- the wheel -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("moelib", "tests", "tools", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return path.name, archive.namelist(), archive.read(metadata).decode()


def test_a_wheel_holds_the_library_and_nothing_else(wheel):
    _, names, _ = wheel
    held = {name for name in names if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "moelib").rglob("*.py")}
    assert held == modules | {"moelib/py.typed"}
    assert any(name.endswith("/LICENSE") for name in names)


def test_a_wheel_has_the_version_and_the_needs_of_the_library(wheel):
    file_name, _, metadata = wheel
    assert file_name == f"moelib-{moelib.__version__}-py3-none-any.whl"
    needs = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    plain_needs = {Requirement(need).name for need in needs if "extra ==" not in need}
    assert plain_needs.isdisjoint({"torch", "matplotlib", "ipywidgets", "ipython", "pillow"})
    assert {"numpy", "scipy", "scikit-learn", "pandas"} <= plain_needs
    assert set(re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE)) == set(EXTRAS)


# --- what stands in several files ----------------------------------------------------------------


def pins():
    """The exact versions of requirements.txt, by package."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    exact = [Requirement(line) for line in lines if re.match(r"\w", line)]
    return {one.name.lower(): next(iter(one.specifier)).version for one in exact}


def test_every_need_is_a_lower_bound_that_the_pins_keep():
    listed = [
        *PROJECT["project"]["dependencies"],
        *(need for all in EXTRAS.values() for need in all),
    ]
    needs = [Requirement(need) for need in listed if not need.startswith("moelib[")]
    exact = pins()
    for need in needs:
        assert [one.operator for one in need.specifier] == [">="], need
        assert exact[need.name.lower()] in need.specifier, need


def test_every_extra_that_a_message_names_is_there():
    text = "".join(path.read_text() for path in (ROOT / "moelib").rglob("*.py"))
    named = set(re.findall(r"moelib\[(\w+)\]", text)) | {"book"}
    assert named <= set(EXTRAS)
    assert set(load.__globals__["EXTRAS"].values()) <= set(EXTRAS)


def test_one_version():
    citation = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    changes = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [name for name in changes if name != "Unreleased"]
    assert citation[1] == released[0] == moelib.__version__
