import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.committed import NAMES, PATHS

pytestmark = pytest.mark.parametrize("path", PATHS, ids=NAMES)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_the_title_is_a_verb_and_the_head_says_what_comes(path: Path):
    """A notebook begins with what you'll do, learn and need, under a title that is something to do (rule 26)."""
    head = source(cells(path, "markdown")[0])
    assert re.match(r"# [A-Z][a-z]+ ", head)
    for part in ("**What you'll do**", "**What you'll learn**", "**What you'll need**"):
        assert part in head


def test_the_end_says_what_to_do_in_practice(path: Path):
    """A notebook ends with what to do in practice, and the environment it was run in (rule 26)."""
    *_, practice, environment = cells(path, "markdown")
    assert source(practice).startswith("## In practice")
    assert source(environment).startswith("## Environment\n\nRun with qsops ")


def test_one_cell_of_parameters_with_literals_only(path: Path):
    """The parameters cell alone decides the target, its defaults mean the embedded engine (rule 27)."""
    code = cells(path, "code")
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == [code[0]] or tagged == [code[1]]
    (parameters,) = tagged
    values = {}
    for statement in ast.parse(source(parameters)).body:
        assert isinstance(statement, ast.Assign)
        values[statement.targets[0].id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
    assert values["TARGET"] == "embedded"


def test_the_first_output_is_the_banner(path: Path):
    """The first output names the target, and whether the session may write (rule 27)."""
    first = next(cell for cell in cells(path, "code") if cell["outputs"])
    text = json.dumps(first["outputs"][0])
    assert "embedded" in text
    assert re.search(r"read and write|read only", text)


def test_it_says_whether_it_can_run_live(path: Path):
    """The metadata says yes, read-only or no (rule 27)."""
    assert json.loads(path.read_text())["metadata"]["qsops"]["live"] in {"yes", "read-only", "no"}


def test_cells_are_few_and_short(path: Path):
    """At most 25 code cells of at most 8 lines (rule 29)."""
    code = cells(path, "code")
    assert len(code) <= 25
    assert [len(source(cell).splitlines()) for cell in code if len(source(cell).splitlines()) > 8] == []


def test_cells_are_thin(path: Path):
    """No try, no while; a def only where writing a function is the lesson (rules 28, 29)."""
    allowed = {"05_write_your_own_handler"}
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            assert not isinstance(node, ast.Try | ast.While)
            if path.stem not in allowed:
                assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_it_was_run_top_to_bottom(path: Path):
    """Committed with outputs, in order (rule 31)."""
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any(cell["outputs"] for cell in code)


def test_it_prints_no_secret_and_nothing_that_varies(path: Path):
    """No token, key, object address or path of a machine stands in an output (rules 6, 31)."""
    outputs = json.dumps([cell["outputs"] for cell in cells(path, "code")])
    assert (
        re.findall(r"sig_[A-Za-z0-9]{20,}|eyJ[A-Za-z0-9+/=]{20,}| at 0x[0-9a-f]+|/ho[m]e/|/ro[o]t/|/tmp/", outputs)
        == []
    )


def test_it_waits_by_settling(path: Path):
    """One that may run live settles; it moves a clock only where it makes a scene on the embedded engine (rule 32)."""
    live = json.loads(path.read_text())["metadata"]["qsops"]["live"]
    if live != "no":
        moving = [source(cell) for cell in cells(path, "code") if ".advance(" in source(cell)]
        assert [text for text in moving if not text.startswith('if TARGET == "embedded":\n')] == []
