"""Submissions that cheat or attack: nothing for that part, everything for the rest, no harm."""

import json
import os
import socket
import threading
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from submissions import (
    NAMES,
    assignment,
    cell,
    mark_of,
    needs_walls,
    paper,
    points,
    shares,
    write,
)

from moelib import random_model
from moelib.classroom import Limits, grade, released, sandbox, submission
from moelib.classroom.inside import unpack

pytestmark = needs_walls
ROOT = Path(__file__).resolve().parents[2]
NAME = "1-gated-model"
SECRET = b"a secret of the tests, long enough to be one"
QUICK = Limits(step=6.0, total=90.0)


@pytest.fixture
def hand_in(tmp_path):
    """A function that grades a notebook, or a file of any kind, as ada's."""

    def graded(thing, name=NAME, limits=QUICK):
        path = tmp_path / "ada.ipynb"
        if isinstance(thing, bytes):
            path.write_bytes(thing)
        else:
            write(thing, path)
        return grade(path, assignment(name), "ada", SECRET, limits=limits)

    return graded


def solved():
    return assignment(NAME).master


def with_code(where, code, *, instead=False):
    """The solved notebook with code in front of an answer, or in its place."""
    nb = solved()
    c = cell(nb, where)
    c.source = code if instead else f"{code}\n\n{c.source}"
    return nb


def lost(result):
    """The questions that did not earn everything."""
    return {question for question, share in shares(result).items() if share < 1}


HIT = "gate_penalty"  # in the middle; no other answer uses it


# --- the cheated part earns nothing ---------------------------------------------------------------

PATCHES = """
import numpy as np, numpy.testing, builtins
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
np.allclose = np.isclose = lambda *a, **k: True
builtins.AssertionError = Exception
"""
LIAR = """
class Right:
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    def __abs__(self): return 0.0
    def __float__(self): return 0.0
    def __array__(self, *a, **k): return np.zeros(3)
"""


CHEATED = {
    "patched": f"{PATCHES}\n{HIT} = lambda *given: None",
    "liar": f"{LIAR}\n{HIT} = lambda *given: Right()",
    "classroom": f"from moelib.classroom import load\n{HIT} = load('.').questions",
    "moelib": f"import moelib\n{HIT} = moelib.model",
    "path": f"import sys\nsys.path[:0] = ['..', '/repo']\nimport moelib\n{HIT} = moelib",
    "again": f"import sys\nsys.modules.pop('moelib')\nimport moelib\n{HIT} = moelib",
    "subprocess": (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import moelib'], check=True)\n"
        f"{HIT} = 0"
    ),
    "hidden tests": (
        "import glob\nhidden = glob.glob('/**/marking.py', recursive=True)\n"
        f"exec(open(hidden[0]).read())\n{HIT} = QUESTIONS"
    ),
}


@pytest.mark.parametrize("code", CHEATED.values(), ids=CHEATED)
def test_a_cheated_answer_earns_nothing(code, hand_in):
    """That question is lost, whatever the notebook patches, and no other."""
    result = hand_in(with_code(HIT, code, instead=True))
    assert points(result)[HIT] == 0
    assert lost(result) == {HIT}


def test_functions_of_the_library_are_not_there_to_be_called(hand_in):
    nb = with_code(HIT, f"def {HIT}(*given):\n    import moelib\n    return moelib", instead=True)
    result = {e.question: e for e in hand_in(nb).earned}
    assert result[HIT].points == 0
    assert "moelib" in result[HIT].reason


def test_a_submission_that_patches_and_is_right_keeps_its_points(hand_in):
    assert lost(hand_in(with_code(HIT, PATCHES))) == set()


ATTACKS = {
    "endless loop": "while True:\n    pass",
    "endless loop that catches": (
        "import time\nwhile True:\n    try:\n        time.sleep(1)\n"
        "    except BaseException:\n        pass"
    ),
    "exit": "import os\nos._exit(0)",
    "system exit": "raise SystemExit",
    "crash": "import ctypes\nctypes.string_at(0)",
    "flood": "import os\nwhile True:\n    os.write(3, bytes(2**20))",
    "50 GB": "kept = np.ones(50 * 2**27)",
    "50 GB in pieces": "kept = []\nwhile True:\n    kept.append(np.ones(2**26))",
    "fork bomb": "import os\nwhile True:\n    os.fork()",
    "threads": (
        "import threading, time\nwhile True:\n"
        "    threading.Thread(target=time.sleep, args=(99,)).start()"
    ),
    "full disk": "with open('full', 'wb') as f:\n    while True:\n        f.write(bytes(2**24))",
    "noise": "import os\nwhile True:\n    os.write(1, bytes(2**20))",
    "stack": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_costs_its_own_question_alone(attack, hand_in):
    """The attack stands in an answer's cell, so that the answer is never reached."""
    result = hand_in(with_code(HIT, ATTACKS[attack]))
    assert points(result)[HIT] == 0
    assert lost(result) == {HIT}


HARMLESS = {
    "kill": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "kill all": (
        "import os, signal\ntry:\n    os.kill(-1, signal.SIGKILL)\n"
        "except ProcessLookupError:\n    pass"  # there is nobody else
    ),
    "left behind": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(999)",
}


@pytest.mark.parametrize("attack", HARMLESS)
def test_what_hurts_nobody_else_costs_at_most_itself_and_leaves_nothing(attack, hand_in):
    """Who is process 1 of its world survives its own signals; who is not, ends with its cell."""
    assert lost(hand_in(with_code(HIT, HARMLESS[attack]))) <= {HIT}
    assert [p for p in psutil.Process().children(recursive=True) if "bwrap" in p.name()] == []


@pytest.mark.parametrize("answer", ["[np.zeros(2 * 10**5)] * 10", "[[0.0] * 50] * 90000"])
def test_an_answer_that_is_too_large_costs_its_own_question_alone(answer, hand_in):
    nb = with_code(HIT, f"def {HIT}(*given):\n    return {answer}", instead=True)
    result = {e.question: e for e in hand_in(nb).earned}
    assert result[HIT].points == 0
    assert "too large" in result[HIT].reason or "too many" in result[HIT].reason
    assert {q for q, e in result.items() if e.points is not None and e.points < e.most} == {HIT}


def test_an_attack_inside_a_call_costs_that_question_alone(hand_in):
    nb = with_code(HIT, f"def {HIT}(*given):\n    while True:\n        pass", instead=True)
    cell(nb, f"test-{HIT}").source = ""
    result = hand_in(nb, limits=Limits(step=8.0, total=120.0))
    assert points(result)[HIT] == 0
    reason = {e.question: e for e in result.earned}[HIT].reason
    assert "stopped after 8 seconds" in reason and "not called after" in reason
    assert lost(result) == {HIT}


def test_files_are_deleted_in_vain(hand_in, tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text("here")
    nb = with_code(
        HIT,
        f"import os, shutil\nshutil.rmtree('/', ignore_errors=True)\n"
        f"for path in ({str(kept)!r}, os.path.expanduser('~'), '/inside.py', np.__file__):\n"
        "    try:\n        os.remove(path)\n    except OSError:\n        pass",
    )
    result = hand_in(nb, limits=Limits(step=60.0))  # there is much to try
    assert kept.read_text() == "here"
    assert os.path.exists(np.__file__)
    assert shares(result)[HIT] == 1


def test_no_socket_leads_out(hand_in):
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def listen():
            try:
                seen.append(server.accept())
            except OSError:
                pass

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
        result = hand_in(with_code(HIT, code))
    thread.join(1)
    assert seen == []
    assert lost(result) == {HIT}


def test_the_secret_and_the_answers_are_nowhere_inside(hand_in):
    """Environment, command lines and files hold neither the secret nor the truth."""
    code = """
import os, pathlib, sys
seen = str(dict(os.environ))
for path in [*pathlib.Path('/proc').glob('*/cmdline'), *pathlib.Path('/proc').glob('*/environ')]:
    try: seen += path.read_bytes().decode(errors='replace')
    except OSError: pass
names = [str(p) for top in ('/files', '/homework', '/tmp') for p in pathlib.Path(top).rglob('*')]
names = [name for name in names if not name.startswith(sys.prefix)]  # an environment in /tmp
"""
    code += "told = np.frombuffer((seen + str(names)).encode(), dtype=np.uint8)\n"
    nb = with_code(HIT, code + f"{HIT} = lambda *given: told", instead=True)
    found = assignment(NAME)
    handed_in = submission.Submission({HIT: cell(nb, HIT).source})
    data = found.folder / "data.npz"
    outcome = sandbox.run(submission.job_for(handed_in, found.paper("ada", SECRET), data))
    everything = bytes(unpack(outcome.answers[f"{HIT}/0"]).astype(np.uint8)).decode()
    assert "/files/data.npz" in everything
    assert SECRET.decode() not in everything
    assert "marking.py" not in everything and "mistakes.py" not in everything


# --- notebooks that are not in order --------------------------------------------------------------


CORRUPT = {
    "empty": b"",
    "text": b"not json",
    "list": b"[]",
    "number": b'{"cells": 3}',
    "odd cells": b'{"cells": [1, null]}',
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "lists": b'{"cells": [' + b"[]," * 600_000 + b"[]]}",
    "large": b'{"cells": []}' + bytes(21 * 2**20),
}


@pytest.mark.parametrize("file", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_notebook_earns_nothing_and_says_so(file, hand_in):
    result = hand_in(file)
    assert sum(points(result).values()) == 0
    assert all(e.reason for e in result.earned if e.points is not None)


def test_no_file_and_a_link_to_another_file(tmp_path):
    (tmp_path / "secret.txt").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "secret.txt")
    for name in ("none.ipynb", "link.ipynb"):
        result = grade(tmp_path / name, assignment(NAME), "ada", SECRET)
        assert sum(points(result).values()) == 0
        assert f"there is no file {name}" in result.remarks[0]


def test_reordered_cells_are_put_back(hand_in):
    nb = solved()
    nb.cells = nb.cells[::-1]
    assert lost(hand_in(nb)) == set()


def test_renamed_and_deleted_cells_lose_their_questions_alone(hand_in):
    nb = solved()
    nb.cells.remove(cell(nb, HIT))
    result = hand_in(nb)
    assert lost(result) == {HIT}
    assert HIT in result.remarks[0]


def test_a_copied_cell_does_not_count_twice(hand_in):
    nb = solved()
    nb.cells.append(cell(nb, HIT))
    result = hand_in(nb)
    assert points(result)[HIT] == 0
    assert "two cells" in result.remarks[0]


def test_locked_cells_come_from_the_master(hand_in):
    nb = solved()
    for c in nb.cells:
        nbgrader = c.metadata["nbgrader"]
        if nbgrader["locked"] and c.cell_type == "code":
            c.source = "raise RuntimeError"
            nbgrader["points"] = 1000
    result = hand_in(nb)
    assert lost(result) == set()
    assert result.most < 1000


def test_follow_on_errors_name_what_to_repair_first(hand_in):
    nb = with_code("log_gate", "def log_gate(X, W):\n    raise ValueError('no')", instead=True)
    reasons = {e.question: e.reason for e in hand_in(nb).earned}
    assert "ValueError in log_gate: no" in reasons["log_gate"]
    assert "repair that first" not in reasons["log_gate"]
    assert "it uses log_gate: repair that first" in reasons["log_density"]
    assert reasons["relabel"] == "right"


def test_a_given_cell_that_fails_is_a_remark(hand_in):
    """What the student's own cells spoil for the master's is said, not only felt."""
    nb = solved()
    nb.cells.insert(0, nbformat.v4.new_code_cell("import numpy\nnumpy.load = None"))
    result = hand_in(nb)
    (remark,) = result.remarks
    assert remark.startswith("the given cell") and "TypeError" in remark


def test_texts_that_were_left_as_released_earn_nothing(hand_in):
    """A person reads what was written; what was not written is marked, and costs no time."""
    nb, blank = solved(), released(solved())
    for name in ("linear_system", "noise_figure"):
        cell(nb, name).source = cell(blank, name).source
    earned = {e.question: e for e in hand_in(nb).earned}
    for name in ("linear_system", "noise_figure"):
        assert earned[name].points == 0 and earned[name].reason == "nothing was written here"
    assert earned["flips"].points is None
    assert earned["flips"].part.startswith("3 ")


def test_metadata_of_strange_types_break_nothing(hand_in):
    nb = json.loads(json.dumps(released(solved())))
    for i, c in enumerate(nb["cells"]):
        c["metadata"] = [None, [], {"nbgrader": 3}, {"nbgrader": {"grade_id": [1]}}][i % 4]
        c["source"] = [None, 3, ["a", 4], {"x": 1}][i % 4]
    result = hand_in(json.dumps(nb).encode())
    assert sum(points(result).values()) == 0


# --- the six cheats that worked against the book's own notebooks ----------------------------------


def estimates():
    """Pairs (assignment, question) whose answer is a set of experts."""
    for name in NAMES:
        for variant in assignment(name).variants:
            if variant.keeps == 1:
                yield name, variant.question


@pytest.mark.parametrize(("name", "question"), sorted(set(estimates())))
@pytest.mark.parametrize("cheat", ["axes", "public seed", "minus seven", "minus one"])
def test_estimates_without_data_or_sense_earn_nothing(name, question, cheat, tmp_path):
    """``np.eye`` is no truth of ours, no public seed makes one, and -7 A is not A."""
    found = assignment(name)
    shapes = [np.shape(part) for part in _parts(paper(name).cases[question][0].expected)]
    code = CHEATS[cheat].format(shapes=shapes, question=question)
    nb = found.master
    c = cell(nb, question)
    c.source = f"{c.source}\n\n{code}" if cheat in SPOILS else code
    assert mark_of(write(nb, tmp_path / "s.ipynb"), found, question).share < 0.05


SPOIL = (
    "_right = {question}\n"
    "def {question}(*given):\n"
    "    answer = _right(*given)\n"
    "    many = isinstance(answer, (tuple, list))\n"
    "    first = FACTOR * np.asarray(answer[0] if many else answer)\n"
    "    return (first, *answer[1:]) if many else first"
)
CHEATS = {
    "axes": "def {question}(*given):\n"
    "    parts = [np.eye(*s) if len(s) == 2 else np.ones(s) for s in {shapes}]\n"
    "    return parts[0] if len(parts) == 1 else tuple(parts)",
    "public seed": "def {question}(*given):\n"
    "    rng = np.random.default_rng(0)\n"
    "    parts = [rng.normal(size=s) for s in {shapes}]\n"
    "    return parts[0] if len(parts) == 1 else tuple(parts)",
    "minus seven": SPOIL.replace("FACTOR", "-7"),
    "minus one": SPOIL.replace("FACTOR", "-1"),
}
SPOILS = ("minus seven", "minus one")


def _parts(expected):
    return list(expected) if isinstance(expected, tuple | list) else [expected]


def test_truths_are_no_draws_of_a_public_seed():
    """The truth of practice data, whose secret is public, is not that of a course."""
    found = assignment(NAME)
    truth = found.personal("ada", SECRET).truth
    public = [random_model(3, 2, np.random.default_rng(seed)).experts for seed in range(50)]
    arrays = [a for a in truth.values() if np.ndim(a) == 2]
    assert arrays
    for array in arrays:
        assert not any(array.shape == p.shape and np.allclose(array, p) for p in public)
        assert np.count_nonzero(array) == array.size  # off the axes


def public_code():
    """The functions of all chapters, solutions of exercises included, as one cell that runs."""
    cells = []
    for path in sorted((ROOT / "book").glob("part*/*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        cells += [c.source for c in nb.cells if c.cell_type == "code"]
    short = [source for source in cells if "def " in source and "explore" not in source]
    return (
        f"for source in {short!r}:\n    try:\n        exec(source, globals())\n"
        "    except BaseException:\n        pass"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_books_own_code_answers_nothing(name, hand_in):
    """Exercises and their solutions are public; what is graded is not among them."""
    nb = released(assignment(name).master)
    question = next(iter(assignment(name).questions))
    cell(nb, question).source = public_code()
    result = hand_in(nb, name, Limits())
    assert set(shares(result).values()) == {0.0}, shares(result)


def test_running_the_release_again_earns_nothing(hand_in):
    nb = released(solved())
    rerun = "rng = np.random.default_rng(7)"
    cell(nb, HIT).source = f"{rerun}\n{cell(nb, HIT).source}"
    assert sum(points(hand_in(nb)).values()) == 0


def test_numbers_of_a_neighbour_do_not_match(hand_in):
    """Values copied from another student's notebook are those of other data."""
    found = assignment(NAME)
    (case,) = found.paper("emmy", SECRET).cases["entropy_curve"]
    nb = found.master
    cell(nb, "entropy_curve").source = f"entropy_curve = np.array({case.expected.tolist()})"
    assert points(hand_in(nb))["entropy_curve"] == 0
