"""The committed notebooks, and strict nbval over a folder of copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import nbformat

from qsops.stack import child_environment

__all__ = ["BOUND_S", "NAMES", "NOTEBOOKS", "PATHS", "PROJECT", "environment", "execute", "nbval", "read"]

PROJECT: Final = Path(__file__).parents[2]
NOTEBOOKS: Final = PROJECT / "notebooks"
PATHS: Final = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
NAMES: Final = [path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in PATHS]
#: For a run over all notebooks on a busy machine.
BOUND_S: Final = 600

# In a process of its own: a kernel's sockets and threads are none of the test's.
_EXECUTE: Final = """
import sys
from pathlib import Path
from scripts.notebooks import run
Path(sys.argv[2]).write_text(run(Path(sys.argv[1])), encoding="utf-8")
"""


def read(name: str) -> Any:
    """The committed notebook ``name``."""
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def environment(**settings: str) -> dict[str, str]:
    """What a kernel of its own sees: no setting but ``settings``, and nothing of the pytest around it."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return child_environment(outside, {"PYTHONPATH": str(PROJECT), **settings})


def execute(path: Path, executed: Path, **settings: str) -> None:
    """Run the notebook at ``path`` in its folder, by our one writer, and write the result to ``executed``."""
    done = subprocess.run(
        [sys.executable, "-c", _EXECUTE, str(path), str(executed)],
        cwd=PROJECT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    assert done.returncode == 0, done.stderr


def nbval(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Strict nbval over the notebooks in ``folder``, with the guards and the settings of the committed ones."""
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(NOTEBOOKS / name, folder / name)
    command = ["pytest", "-p", "nbval", "-c", "pytest.ini", "--rootdir", ".", "--nbval", ".", *options]
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
