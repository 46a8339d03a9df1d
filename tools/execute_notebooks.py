"""Run the book's notebooks in place and store their outputs: changed ones only, unless --all.

A notebook counts as changed when its code, a module of the library that it imports, directly or
not, or a data file that it names differ from those of its last run, which is remembered as one hash
in the notebook's metadata.
"""

import argparse
import hashlib
import re
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from tqdm import tqdm

from moelib.experiments.provenance import code_hash

ROOT = Path(__file__).resolve().parent.parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3", "file_extension": ".py"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def fingerprint(nb, root=ROOT) -> str:
    """One hash of everything the outputs depend on: code, what it imports, data that it names."""
    cells = [cell.source for cell in nb.cells if cell.cell_type == "code"]
    digest = hashlib.sha256("\0".join(cells).encode())
    digest.update(code_hash("\n".join(cells), root).encode())
    for path in data_files(cells, root):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def data_files(cells, root) -> list[Path]:
    """Files of book/data whose name is a word of the code; with a table goes what it cost."""
    words = set(re.findall(r"[\w-]+", "\n".join(cells)))
    paths = sorted(path for path in (root / "book" / "data").rglob("*") if path.is_file())
    return [path for path in paths if words & {path.stem, path.stem.removesuffix("-seconds")}]


def is_current(nb) -> bool:
    """Whether the stored outputs come from these sources, and all of them are there."""
    counts = [cell.get("execution_count") for cell in nb.cells if cell.cell_type == "code"]
    return None not in counts and nb.metadata.get("moelib", {}).get("run") == fingerprint(nb)


def tidy(nb) -> None:
    """Leave in the file only what the page needs, so that a re-run changes what changed."""
    nb.metadata = {**nb.metadata, "kernelspec": KERNEL, "language_info": LANGUAGE}
    nb.metadata["moelib"] = {"run": fingerprint(nb)}
    nb.metadata.pop("widgets", None)
    nb.nbformat, nb.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
        key = hashlib.sha256(f"{cell.cell_type}{cell.source}".encode()).hexdigest()[:8]
        seen[key] = seen.get(key, 0) + 1
        cell.id = key if seen[key] == 1 else f"{key}-{seen[key]}"
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output["data"].pop(WIDGET, None)  # its state is gone; the frames speak for it


def run(path: Path, timeout: int) -> str:
    """Execute one notebook; return what went wrong, or an empty string."""
    nb = nbformat.read(path, as_version=4)
    client = NotebookClient(
        nb,
        kernel_name="python3",
        timeout=timeout,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        return re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    tidy(nb)
    nbformat.write(nb, path)
    outputs = (out for cell in nb.cells for out in cell.get("outputs", []))
    stderr = [out.text for out in outputs if out.get("name") == "stderr"]
    return "stored, but it wrote to stderr:\n" + "".join(stderr) if stderr else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all under book/")
    parser.add_argument("--all", action="store_true", help="also those that did not change")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=120, help="seconds a cell may take")
    args = parser.parse_args()

    paths = args.notebooks or sorted((ROOT / "book").rglob("*.ipynb"))
    paths = [p.resolve() for p in paths if ".ipynb_checkpoints" not in p.parts]
    due = [p for p in paths if args.all or not is_current(nbformat.read(p, as_version=4))]
    print(f"{len(due)} of {len(paths)} notebooks to run")

    failures = 0
    with ProcessPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(run, path, args.timeout): path for path in due}
        for job in tqdm(as_completed(jobs), total=len(jobs), disable=not jobs):
            if problem := job.result():
                failures += 1
                tqdm.write(f"{jobs[job].name}: {problem}")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
