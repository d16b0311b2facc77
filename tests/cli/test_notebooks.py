import json
from pathlib import Path
from typing import Any

import pytest

from qsops.errors import Corrupt, SettingsError
from qsops.notebooks import copy, live_notebooks
from tests.cli.conftest import Run

CANARY = "canary-of-an-account"
PARAMETERS = 'TARGET = "embedded"  # or "env": a hosted account\nSINCE = "1h"'


def notebook(live: str, parameters: str = PARAMETERS, tags: tuple[str, ...] = ("parameters",)) -> dict[str, Any]:
    return {
        "cells": [
            {"cell_type": "markdown", "id": "cell-01", "metadata": {}, "source": ["# Trace deliveries 👋"]},
            {
                "cell_type": "code",
                "id": "cell-02",
                "metadata": {"tags": list(tags)},
                "execution_count": 1,
                "outputs": [],
                "source": parameters.splitlines(keepends=True),
            },
            {
                "cell_type": "code",
                "id": "cell-03",
                "metadata": {},
                "execution_count": 2,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": [CANARY]}],
                "source": "qs",
            },
        ],
        "metadata": {"qsops": {"live": live}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def checkout(project: Path) -> Path:
    """A project with four notebooks, of which three can run on a real account."""
    for name, live in [("01_read", "read-only"), ("02_write", "yes"), ("03_clock", "no"), ("runbooks/fix", "yes")]:
        path = project / f"notebooks/{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook(live)))
    return project


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["cells"]


def test_a_copy_is_cleared_and_names_its_target_at_the_top(checkout: Path):
    """No output goes along; the first cell says target and access, and the parameters hold the target."""
    (path,) = copy(checkout, "prod", "01_read")
    assert path == checkout / "runs/prod/01_read.ipynb"
    banner, _, parameters, code = cells(path)
    assert "**Target: `prod`**" in banner["source"]
    assert "it only reads" in banner["source"]
    assert parameters["source"] == 'TARGET = "prod"  # or "env": a hosted account\nSINCE = "1h"'
    assert (code["outputs"], code["execution_count"]) == ([], None)
    assert CANARY not in path.read_text()
    assert "👋" in path.read_text()


def test_without_a_name_all_that_may_run_live_are_copied(checkout: Path):
    """What moves the clock, or scripts its receiver, stays where it is."""
    copied = [path.relative_to(checkout / "runs/env").as_posix() for path in copy(checkout, "env")]
    assert copied == ["01_read.ipynb", "02_write.ipynb", "runbooks/fix.ipynb"]


@pytest.mark.parametrize("name", ["runbooks/fix", "runbooks/fix.ipynb"])
def test_a_notebook_is_named_by_its_path(checkout: Path, name: str):
    """With or without its suffix, below notebooks/."""
    assert copy(checkout, "env", name) == [checkout / "runs/env/runbooks/fix.ipynb"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("03_clock", "runs on the embedded engine alone"),
        ("04_nothing", "there are: 01_read, 02_write, runbooks/fix"),
        ("../qsops.toml", "is no notebook below notebooks/"),
    ],
)
def test_what_cannot_be_copied_is_said(checkout: Path, name: str, says: str):
    """A notebook that cannot run live, and a name that means none, are named with what there is."""
    with pytest.raises(SettingsError, match=says):
        copy(checkout, "env", name)


def test_a_copy_with_work_in_it_is_left_alone(checkout: Path):
    """The second copy is refused, and none of the others is made either."""
    copy(checkout, "env", "02_write")
    with pytest.raises(SettingsError, match="may hold your work"):
        copy(checkout, "env")
    assert sorted(path.name for path in (checkout / "runs").rglob("*.ipynb")) == ["02_write.ipynb"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("{", "is no notebook"),
        ("[]", "has no list of cells"),
        (json.dumps(notebook("yes", tags=())), "has no cell tagged 'parameters'"),
        (json.dumps(notebook("yes", "SEED = 0")), "sets no TARGET"),
    ],
)
def test_a_broken_notebook_is_named(checkout: Path, broken: str, says: str):
    """What is no notebook, or has no place for the target, is said to be so."""
    (checkout / "notebooks/02_write.ipynb").write_text(broken)
    with pytest.raises(Corrupt, match=says):
        copy(checkout, "env", "02_write")


@pytest.mark.parametrize(
    "arguments", [("--target", "env", "notebooks", "copy"), ("notebooks", "copy", "--target", "env")]
)
def test_the_target_stands_before_the_verb_or_behind_it(run: Run, checkout: Path, arguments: tuple[str, ...]):
    """Both spellings name the account; the paths of the copies are printed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(path) for path in sorted((checkout / "runs/env").rglob("*.ipynb"))]


def test_a_target_that_means_nothing_is_found_at_once(run: Run, checkout: Path):
    """A profile that is not there is said before anything is copied."""
    assert run("notebooks", "copy", "--target", "nowhere").exit_code == 2
    assert not (checkout / "runs").exists()


def test_the_projects_own_notebooks_can_be_copied(tmp_path: Path):
    """Every live-capable notebook of this project has a parameters cell that takes a target."""
    root = Path(__file__).parents[2]
    linked = tmp_path / "project"
    linked.mkdir()
    (linked / "notebooks").symlink_to(root / "notebooks", target_is_directory=True)
    assert len(copy(linked, "env")) == len(live_notebooks(root)) > 0
