import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings
from tests.standins.recorder import Recorder

PROJECT = Path(__file__).parents[2]
#: What the service is told, its alerts' address among it: a test that read it would post to people.
SERVICE = [name.upper() for name in Settings.model_fields]
#: What a stand-in for the environment's Python does: it writes down what it was called with, and what it was told.
PYTHON = """#!/bin/sh
echo "$@" >> "$RECORD/calls"
env > "$RECORD/environment"
"""


def recipe(target: str) -> list[str]:
    """What `make TARGET` would run in a checkout that is set up."""
    make = shutil.which("make")
    assert make is not None, "make is one of the three things that the project asks for"
    command = [make, "--dry-run", "--no-print-directory", "--assume-old=.venv/.ready", target]
    # Where `make test` itself was told another environment, that is not what is asked here.
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "VENV"))}
    told = subprocess.run(command, cwd=PROJECT, env=plain, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


@pytest.mark.parametrize(
    ("target", "command"), [("demo", "qsops demo"), ("lab", "qsops up --lab"), ("up", "qsops up")], ids=str
)
def test_a_recipe_is_the_command_that_is_tested(target: str, command: str):
    """`make demo` and `make lab` add nothing to commands that are tested beside a production account."""
    assert recipe(target) == [f".venv/bin/{command}"]


def test_make_test_takes_every_setting_out_of_the_environment(tmp_path: Path):
    """What runs the tests sees neither an exported account nor a .env file, and the account hears nothing of it."""
    script = tmp_path / "python"
    script.write_text(PYTHON)
    script.chmod(0o755)
    assert recipe("test") == ["sh scripts/test.sh .venv/bin"]
    with Recorder() as hosted:
        production = dict(line.split("=", 1) for line in hosted.dotenv().splitlines())
        told = {**os.environ, **production, "RECORD": str(tmp_path), "QSOPS_TESTS_WITHOUT_NODE": "1"}
        told |= dict.fromkeys(SERVICE, "canary")
        told.pop("QSOPS_DOTENV", None)
        done = subprocess.run(["sh", "scripts/test.sh", str(tmp_path)], cwd=PROJECT, env=told, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert hosted.seen == []
    seen = dict(re.findall(r"^(\w+)=(.*)$", (tmp_path / "environment").read_text(), re.MULTILINE))
    assert {*production, *SERVICE} & seen.keys() == set()
    assert seen["QSOPS_DOTENV"] == "off"
    assert [call.split(" -n ")[0] for call in (tmp_path / "calls").read_text().splitlines()] == [
        "-m pytest tests",
        "-m scripts.fidelity --results build/tests.xml",
        "-m pytest -p nbval -c notebooks/pytest.ini --rootdir notebooks --nbval notebooks",
    ]


def test_pytest_by_itself_takes_them_out_as_well(tmp_path: Path):
    """Whoever calls pytest directly is as safe: the tests' own conftest clears the environment before anything else."""
    (tmp_path / "test_it.py").write_text("import os\ndef test_it(): print(*os.environ)\n")
    shutil.copy(PROJECT / "tests/conftest.py", tmp_path / "conftest.py")
    with Recorder() as hosted:
        production = dict(line.split("=", 1) for line in hosted.dotenv().splitlines())
        command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-p", "no:nbval", str(tmp_path)]
        told = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        told |= {**production, **dict.fromkeys(SERVICE, "canary")}
        done = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert {*production, *SERVICE} & set(done.stdout.split()) == set()
