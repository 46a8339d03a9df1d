"""What runs inside the walls: a submission's cells, one after another, and what it is asked.

The file is mounted alone into the sandbox and imports nothing of the library. It knows what a
submission is asked and never what a right answer is. Answers leave as lines of JSON, in which an
array is its type, its shape and its numbers: reading them runs no code.
"""

import base64
import json
import os
import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any

import numpy as np

MOST_NUMBERS = 500_000  # of one array
MOST_LETTERS = 200  # of one text in it
DTYPES = {"b": "|b1", "i": "<i8", "u": "<i8", "f": "<f8", "c": "<c16"}


@dataclass(frozen=True)
class Rng:
    """A generator to be made on the other side: ``np.random.default_rng(seed)``."""

    seed: int


def pack(value: Any, depth: int = 4) -> Any:
    """A value as JSON can hold it: numbers, arrays, strings, and tuples, lists, dicts of these.

    Parameters
    ----------
    value : object
        What has an ``__array__`` (a tensor, a series) counts as an array.
    depth : int
        How deep tuples, lists and dicts may be nested; ``ValueError`` beyond.

    Returns
    -------
    object
        :func:`unpack` gives it back. ``ValueError`` for anything else, and for arrays of more
        than 500,000 numbers.
    """
    if value is None or isinstance(value, bool | str):
        return _short(value)
    if isinstance(value, Rng):
        return {"rng": value.seed}
    if isinstance(value, tuple | list) and len(value) > 100:  # a long list is meant as an array
        value = np.asarray(value)
    if isinstance(value, dict | tuple | list):
        if not depth or len(value) > 100:
            raise ValueError("tuples, lists and dicts are nested too deep or too long")
        if isinstance(value, dict):
            return {"dict": {str(key): pack(part, depth - 1) for key, part in value.items()}}
        return {
            "tuple" if isinstance(value, tuple) else "list": [pack(v, depth - 1) for v in value]
        }
    return _packed_array(value)


def _packed_array(value):
    if hasattr(value, "detach"):
        value = value.detach()
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(float), np.nan)  # what is masked is not answered
    array = np.asarray(value)
    if array.dtype.kind == "O":
        array = np.asarray(array.tolist())  # numbers that a table holds one by one
    if array.dtype.kind not in DTYPES:
        raise ValueError(f"{type(value).__name__} is neither a number nor an array of numbers")
    if array.size > MOST_NUMBERS:
        raise ValueError(f"{array.size} numbers are too many: at most {MOST_NUMBERS}")
    array = np.asarray(array, dtype=DTYPES[array.dtype.kind])
    numbers = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"array": numbers, "dtype": array.dtype.str, "shape": list(array.shape)}


def _short(value):
    if isinstance(value, str) and len(value) > MOST_LETTERS:
        raise ValueError(f"a text of {len(value)} letters is too long: at most {MOST_LETTERS}")
    return value


def unpack(packed: Any) -> Any:
    """The value behind what :func:`pack` made; ``ValueError`` or ``KeyError`` for other things."""
    if packed is None or isinstance(packed, bool | str):
        return _short(packed)
    if "rng" in packed:
        return np.random.default_rng(int(packed["rng"]))
    if "dict" in packed:
        return {str(key): unpack(part) for key, part in packed["dict"].items()}
    if "tuple" in packed:
        return tuple(unpack(part) for part in packed["tuple"])
    if "list" in packed:
        return [unpack(part) for part in packed["list"]]
    if packed["dtype"] not in DTYPES.values():
        raise ValueError(f"arrays of type {packed['dtype']} are not read")
    if len(packed["array"]) > 22 * MOST_NUMBERS:  # 16 bytes a number, 4 letters for 3 bytes
        raise ValueError("too many numbers")
    array = np.frombuffer(base64.b64decode(packed["array"]), dtype=packed["dtype"])
    if array.size > MOST_NUMBERS:
        raise ValueError("too many numbers")
    array = array.reshape([int(length) for length in packed["shape"]]).copy()
    return array if array.ndim else array.item()


def answer(namespace: dict, name: str, args: Any) -> Any:
    """What a name of a notebook answers: its value, or what it returns when it is called.

    Parameters
    ----------
    namespace : dict
        The names of the notebook.
    name : str
        The one that is asked; ``NameError`` if it is not there.
    args : list or None
        Arguments by position, packed; None asks for the value itself.

    Returns
    -------
    object
        The answer, packed.
    """
    if name not in namespace:
        raise NameError(f"{name} is not defined")
    thing = namespace[name]
    return pack(thing if args is None else thing(*[unpack(value) for value in args]))


def complaint(error: BaseException) -> str:
    """One line on an exception, for the student who caused it."""
    try:
        codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
        own = [code.co_name for code in codes if "<ipython" in code.co_filename]
        inside = own[-1] if own else "<module>"
        where = "" if inside.startswith("<") else f" in {inside}"
        return f"{type(error).__name__}{where}: {error}"[:500]
    except BaseException:  # a message that cannot be made is no reason to stop
        return "an error whose message cannot be shown"


# --- only in the sandbox --------------------------------------------------------------------------


def confine(limits: dict) -> None:
    """Set limits that nothing started from here can lift, and leave the superuser's rights."""
    for name in ("AS", "NPROC", "FSIZE", "NOFILE", "CPU"):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limits[name], limits[name]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits["uid"] is not None:
        os.setgroups([])
        os.setgid(limits["uid"])
        os.setuid(limits["uid"])


def run(job: dict, send) -> None:
    """Run the cells of a job and ask its questions; ``send`` sends a message to the other side."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    skip = set(job["skip"])
    for cell in job["cells"]:
        if cell["id"] not in skip:
            send(start=cell["id"])
            result = shell.run_cell(cell["source"], store_history=False)
            error = result.error_before_exec or result.error_in_exec
            send(end=cell["id"], error=complaint(error) if error else None)
        for name, number, args in cell["asks"]:
            if (step := f"{name}/{number}") in skip:
                continue
            send(start=step)
            try:
                value = answer(shell.user_ns, name, args)
                if (size := len(json.dumps(value))) > job["limits"]["answer"]:
                    raise ValueError(f"an answer of {size // 2**20} MiB is too large")
                send(end=step, value=value)
            except BaseException as error:  # SystemExit too: the next question is still asked
                send(end=step, error=complaint(error))
    send(end="all")


def main() -> None:
    """Read a job from standard input, run it, write answers to what was standard output."""
    job = json.load(sys.stdin)
    channel = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # what a submission prints goes nowhere
        os.dup2(quiet, number)
    home = Path(job["home"])
    for file in Path(job["files"]).iterdir():
        shutil.copyfile(file, home / file.name)
    if job["library"] is None:
        sys.modules["moelib"] = None  # type: ignore[assignment]  # importing it fails
    confine(job["limits"])
    os.chdir(home)
    sys.path[:0] = filter(None, [str(home), job["library"]])

    def send(**message):
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    run(job, send)


if __name__ == "__main__":
    main()
