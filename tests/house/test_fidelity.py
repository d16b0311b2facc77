import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from qsops.engine.face.routes import ROUTES
from scripts.fidelity.page import page
from scripts.fidelity.results import faults, outcomes
from scripts.fidelity.rows import Reading, Section, Source, source

ROOT = Path(__file__).parents[2]
ROWS = source()


@cache
def functions(path: str) -> set[str]:
    found = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_is_what_the_rows_give():
    """docs/fidelity.md is made by `make fidelity` from docs/fidelity/*.toml, and by nobody else."""
    assert (ROOT / "docs" / "fidelity.md").read_text() == page(ROWS)


@pytest.mark.parametrize("test", ROWS.tests())
def test_each_test_that_holds_a_row_exists(test: str):
    """A row is held by a test, and not by the memory of one."""
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file()
    assert name in functions(path)


def test_each_row_names_what_holds_it():
    """No row stands on the page without a test; and none stands there twice."""
    rows = ROWS.rows()
    assert len(rows) > 200
    assert [row.name for row in rows if not row.tests] == []
    endpoints = [row.name for row in ROWS.endpoints]
    assert len(endpoints) == len(set(endpoints))


def test_each_route_has_a_row():
    """What the engine serves is what the page says that it serves."""
    told = {
        (method, re.sub(r"\{\w+\}", "{}", row.path)): row.state
        for row in ROWS.endpoints
        for method in row.method.split(", ")
    }
    served = {(route.method, re.sub(r"\([^)]*\)", "{}", route.pattern.pattern)) for route in ROUTES}
    assert served - told.keys() == set()
    answered = {endpoint for endpoint, state in told.items() if state != "absent"}
    assert answered - served == {("GET", "/openapi.json")}


def test_a_row_is_held_only_by_what_passed():
    """Without a test, with one that was not run, and with one that failed, a row is a fault of the build."""
    rows = {"none": (), "unknown": ("t.py::gone",), "failed": ("t.py::bad",), "held": ("t.py::good",)}
    readings = tuple(Reading(what, "", tests) for what, tests in rows.items())
    found = faults(Source((), (), (), (Section("", readings),)), {"t.py::bad": False, "t.py::good": True})
    assert found == [
        "none: no test holds it",
        "unknown: t.py::gone was not in the run",
        "failed: t.py::bad did not pass",
    ]


def test_a_run_is_read_by_its_tests(tmp_path: Path):
    """A test passed if it did with each of its parameters, as pytest itself writes it down."""
    (tmp_path / "tests" / "room").mkdir(parents=True)
    (tmp_path / "tests" / "room" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_good(n): assert n\n"
        "@pytest.mark.parametrize('n', [0, 1])\ndef test_bad(n): assert n\n"
        "@pytest.fixture\ndef broken(): raise ValueError\ndef test_error(broken): pass\n"
    )
    xml = tmp_path / "run.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={xml}", "tests", "--rootdir", "."]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # which takes longer to load than the run
    subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, check=False)
    file = "tests/room/test_it.py"
    assert outcomes(xml) == {f"{file}::test_good": True, f"{file}::test_bad": False, f"{file}::test_error": False}
