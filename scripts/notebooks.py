"""Run the committed notebooks top to bottom and write them back: ``python scripts/notebooks.py [--check] [NAME ...]``.

This is the one writer of notebooks: it leaves out whatever varies between two runs and two machines (cell timing,
kernel and language versions), numbers the cells, and states the versions a notebook was run with in its last cell.
With ``--check`` nothing is written; the exit status is 1 when a byte would change.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from qsops.stack import child_environment

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ENVIRONMENT = "## Environment"
_VERSIONS = ("qsops", "pandas", "altair", "jupyterlab")
_CELL_TIMEOUT_S = 60


def run(path: Path) -> str:
    """The text of the notebook at ``path`` after a run in a kernel of its own, in the notebook's folder."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=_CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # else each kernel warns that it listens on loopback
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    normalise(notebook)
    nbformat.validate(notebook)
    return nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n"


def normalise(notebook: Any) -> None:
    """Leave out what varies; what stays is the same on every run."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "qsops": notebook.metadata.get("qsops", {}),
        }
    )
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if cell.cell_type == "code":
            cell.outputs = _merged(cell.outputs)
        elif cell.source.startswith(ENVIRONMENT):
            cell.source = f"{ENVIRONMENT}\n\n{_versions()}"


def _versions() -> str:
    return "Run with " + ", ".join(f"{name} {version(name)}" for name in _VERSIONS) + "."


def _merged(outputs: list[Any]) -> list[Any]:
    """Neighbouring pieces of one stream as one: where they were cut is an accident of timing."""
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last is not None and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def main() -> int:
    """Run each notebook, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks, by path below notebooks/ without .ipynb; default all")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a byte would change")
    arguments = parser.parse_args()
    # What is committed must not depend on the settings of whoever writes it, nor hold any of them.
    without_settings = child_environment(os.environ, {})
    os.environ.clear()
    os.environ.update(without_settings)
    paths = [NOTEBOOKS / f"{name}.ipynb" for name in arguments.names] or sorted(NOTEBOOKS.rglob("*.ipynb"))
    changed = []
    for path in paths:
        before, after = path.read_text(encoding="utf-8"), run(path)
        if before != after:
            changed.append(path)
            if not arguments.check:
                path.write_text(after, encoding="utf-8")
        print(f"{path.relative_to(NOTEBOOKS)}: {'changed' if before != after else 'the same'}", flush=True)
    return int(arguments.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
