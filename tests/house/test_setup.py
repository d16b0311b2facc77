import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def set_up(python: Path | str, venv: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "scripts" / "setup.sh"), str(python), str(venv), "dev"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def interpreter(folder: Path, body: str) -> Path:
    """An interpreter that is not quite one."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            f'case "$*" in *ensurepip*) exit 1;; *) exec "{sys.executable}" "$@";; esac',
            "has no working 'venv' module: install it",
        ),
        ('case "$*" in *sys.exit*) exit 1;; *) echo 3.9;; esac', "is Python 3.9; 3.11 up to 3.14 is needed"),
    ],
    ids=["without venv", "too old"],
)
def test_what_is_missing_is_named_with_what_to_do(body: str, said: str, tmp_path: Path):
    """Set-up on a machine that lacks something ends with exit status 2 and one line, and makes nothing."""
    done = set_up(interpreter(tmp_path, body), tmp_path / "venv")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "venv").exists()


def test_a_missing_interpreter_is_named(tmp_path: Path):
    """No Python at all is said as such, with how to name another."""
    done = set_up("python9.99", tmp_path / "venv")
    assert (done.returncode, "make PYTHON=" in done.stderr) == (2, True)
