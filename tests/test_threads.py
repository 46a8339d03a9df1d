"""Small products run with one thread, whatever the environment says, and leave it as it was."""

import inspect
import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import moelib
from moelib import threads
from moelib.threads import OneThread, one_blas_thread

SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")

# What each door sees from inside, through a link that counts the threads whenever it is called.
DOORS = """
import json
import warnings
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_info
from moelib import *
from moelib.data import shuffled_batches

def most(api):
    found = [one["num_threads"] for one in threadpool_info() if one["user_api"] == api]
    return max(found, default=1)  # OpenMP may not be there yet

seen = {}

def spied(function):
    def value(t):
        seen.setdefault(door, set()).add(max(most("blas"), most("openmp")))
        return function(t)
    return value

warnings.simplefilter("ignore")
identity = LINKS["identity"]
link = Link("spied", spied(identity.value), identity.derivative, spied(identity.torch_value))
model = GatedModel(np.eye(2, 3), [[0.0, 0.0, 1.0]], 0.3, link)
X, y = standard_model(d=3, n_experts=2, noise=0.3).sample(400, np.random.default_rng(0))
plain = label_transforms("identity", noise=0.3)
transforms = replace(plain, q2=spied(plain.q2), q4=spied(plain.q4))
rng, few = np.random.default_rng(1), dict(max_iter=2)
calls = {
    "Moments.update": lambda: Moments(transforms).update(X, y),
    "learn_experts": lambda: learn_experts(X, y, 2, rng, link=link, n_init=1),
    "learn_experts_from_batches": lambda: learn_experts_from_batches(
        shuffled_batches(X, y, rng), 2, rng, link=link, n_init=1
    ),
    "learn_gates": lambda: learn_gates(X, y, model.experts, link=link, **few),
    "expectation_maximization": lambda: expectation_maximization(X, y, model, **few),
    "gradient_em": lambda: gradient_em(X, y, model, **few),
    "maximum_likelihood": lambda: maximum_likelihood(X, y, model, **few),
    "pruned_em": lambda: pruned_em(X, y, model, 2, **few),
    "split_merge_em": lambda: split_merge_em(X, y, model, max_repairs=1, **few),
    "joint_likelihood": lambda: joint_likelihood(X, y, model, **few),
    "least_squares": lambda: least_squares(X, y, model, **few),
    "joint_likelihood_sgd": lambda: joint_likelihood_sgd(X, y, model, rng, n_steps=20),
    "least_squares_sgd": lambda: least_squares_sgd(X, y, model, rng, n_steps=20),
    "MixtureOfExperts.fit": lambda: MixtureOfExperts(2, link=link, n_init=1, **few).fit(X, y),
    "choose_n_experts": lambda: choose_n_experts(
        MixtureOfExperts(link=link, n_init=1, **few), X, y, n_experts=[1, 2]
    ),
}
before, after = most("blas"), {}
for door, call in calls.items():
    call()
    after[door] = most("blas")
seen = {door: sorted(numbers) for door, numbers in seen.items()}
print(json.dumps({"before": before, "after": after, "seen": seen}))
"""

# CPU time of the same sums, with what the library does by itself and with a limit from outside;
# threads that wait for each other burn CPU time.
RATIO = """
import time
import numpy as np
from threadpoolctl import threadpool_limits
from moelib import Moments, label_transforms

X = np.random.default_rng(0).normal(size=(60_000, 10))
transforms = label_transforms("identity", noise=0.3)

def seconds(limits):
    with threadpool_limits(limits):
        start = time.process_time()
        Moments(transforms).update(X, X[:, 0])
        return time.process_time() - start

seconds(1)
times = [(seconds(None), seconds(1)) for _ in range(7)]
own, limited = (min(column) for column in zip(*times))
print(own / limited)
"""


def run_free(code):
    """What a program prints that says nothing of threads."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def inside():
    """The threads that the doors see, without any setting."""
    found = run_free(DOORS)
    if found["before"] == 1:
        pytest.skip("linear algebra has one thread here in any case")
    return found


def test_every_door_sees_one_thread(inside):
    assert inside["seen"] == {door: [1] for door in inside["after"]}


def test_afterwards_there_are_as_many_as_before(inside):
    assert set(inside["after"].values()) == {inside["before"]}


def test_threads_burn_no_time_in_waiting():
    assert run_free(RATIO) < 1.5


# --- the limit itself, on libraries that only count ----------------------------------------------


class Library:
    """What the limit asks of a library; OpenMP has a number of its own for each Python thread."""

    def __init__(self, user_api, number):
        self.user_api, self.first = user_api, number
        self.filepath, self.numbers = id(self), {}

    @property
    def _place(self):
        return threading.get_ident() if self.user_api == "openmp" else None

    @property
    def num_threads(self):
        return self.numbers.get(self._place, self.first)

    def set_num_threads(self, number):
        assert number is not None
        self.numbers[self._place] = number


@pytest.fixture
def libraries(monkeypatch):
    present = [Library("blas", 4), Library("blas", 1), Library("openmp", 8), Library("blas", None)]
    monkeypatch.setattr(threads, "_libraries", lambda n_modules: present)
    return present


def numbers(libraries):
    return [one.num_threads for one in libraries]


def test_calls_may_be_nested(libraries):
    limit = OneThread()
    with limit:
        with limit:
            assert numbers(libraries) == [1, 1, 1, None]
        assert numbers(libraries) == [1, 1, 1, None]
    assert numbers(libraries) == [4, 1, 8, None]


def test_an_error_lifts_the_limit(libraries):
    @OneThread()
    def fail():
        raise ZeroDivisionError(numbers(libraries))

    with pytest.raises(ZeroDivisionError, match=r"\[1, 1, 1, None\]"):
        fail()
    assert numbers(libraries) == [4, 1, 8, None]


def test_what_is_loaded_meanwhile_is_limited_too(libraries):
    limit = OneThread()
    late = [Library("openmp", 6), Library("blas", 6)]
    with limit:
        libraries.append(late[0])
        limit.hold_new()
        libraries.append(late[1])
        with limit:
            assert numbers(late) == [1, 1]
        assert numbers(late) == [1, 1]
    assert numbers(late) == [6, 6]


def test_outside_nothing_is_held(libraries):
    OneThread().hold_new()
    assert numbers(libraries) == [4, 1, 8, None]


def test_calls_of_two_python_threads_may_overlap(libraries):
    limit, entered, leave, of_other = OneThread(), threading.Event(), threading.Event(), []

    def other():
        with limit:
            entered.set()
            leave.wait(10)
            of_other.append(numbers(libraries))
        of_other.append(numbers(libraries))

    thread = threading.Thread(target=other)
    with limit:
        thread.start()
        assert entered.wait(10)
    # BLAS waits for the other call, OpenMP is a thread's own
    assert numbers(libraries) == [1, 1, 8, None]
    leave.set()
    thread.join()
    assert of_other == [[1, 1, 1, None], [4, 1, 8, None]]
    assert numbers(libraries) == [4, 1, 8, None]


def test_libraries_are_listed_anew_when_modules_were_imported():
    threads._libraries.cache_clear()
    for _ in range(3):
        with one_blas_thread:
            n_looks = threads._libraries.cache_info().misses
    assert n_looks <= 2  # threadpoolctl itself may be new at the first
    sys.modules["moelib_of_this_test"] = moelib
    try:
        with one_blas_thread:
            assert threads._libraries.cache_info().misses == n_looks + 1
    finally:
        del sys.modules["moelib_of_this_test"]


def test_a_decorated_function_keeps_its_face():
    function = moelib.learn_gates
    assert list(inspect.signature(function).parameters)[:3] == ["X", "y", "experts"]
    assert function.__doc__.startswith("Recover the gates")
    assert pickle.loads(pickle.dumps(function)) is function


def test_real_libraries_are_found():
    np.ones((2, 2)) @ np.ones((2, 2))
    assert any(library.user_api == "blas" for library in threads._libraries(len(sys.modules)))
