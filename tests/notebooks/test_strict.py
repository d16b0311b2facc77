import re
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from tests.examples import IS_SOAK
from tests.notebooks.committed import NAMES, NOTEBOOKS, nbval, read

FIGURE = "application/vnd.vegalite.v5+json"
#: Text and figures, of which all outputs are; the soak takes every notebook.
TAMPERED = NAMES if IS_SOAK else ["00_start_here"]


def raised(number: str) -> str:
    """Another number of the same length."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def tampered_text(text: str) -> str:
    """``text`` with its last whole number changed."""
    return re.sub(r"\d+(?=\D*\Z)", lambda match: raised(match[0]), text, count=1)


def tampered_rows(rows: list[dict[str, Any]]) -> bool:
    """Change one number in the data of a chart; whether there was one."""
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[name] = value + 1
                return True
    return False


def tampered_figure(spec: dict[str, Any]) -> bool:
    return any(tampered_rows(part["data"]["values"]) for part in [spec, *spec.get("layer", [])] if "data" in part)


def tamper(output: Any) -> bool:
    """Change one number in ``output``; whether it holds one."""
    if output.output_type == "stream":
        before, output.text = output.text, tampered_text(output.text)
        return bool(before != output.text)
    if FIGURE in output.data:
        return tampered_figure(output.data[FIGURE])
    before = output.data["text/plain"]
    output.data["text/plain"] = tampered_text(before)
    return bool(before != output.data["text/plain"])


def tampered_cells(notebook: Any) -> set[str]:
    """Change one number in each output of ``notebook``: the cells, as nbval names them, that should fail for it."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {f"Cell {number}" for number, cell in enumerate(code) if [tamper(one) for one in cell.outputs].count(True)}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[set[str], set[str]]]:
    """Of each notebook the cells that were tampered with, and those that failed: one run of nbval over all copies."""
    folder = tmp_path_factory.mktemp("tampered")
    tampered: dict[str, set[str]] = {}
    failed: dict[str, set[str]] = {name: set() for name in TAMPERED}
    for name in TAMPERED:
        notebook = read(name)
        tampered[name] = tampered_cells(notebook)
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    done = nbval(folder, *(("-n", "2", "--dist", "loadfile") if IS_SOAK else ()), "--junitxml", "verdicts.xml")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    for case in ElementTree.parse(folder / "verdicts.xml").iter("testcase"):
        name = case.attrib["classname"].removesuffix(".ipynb").replace(".", "/")
        if case.find("failure") is not None or case.find("error") is not None:
            failed[name].add(case.attrib["name"])
    return {name: (tampered[name], failed[name]) for name in TAMPERED}


@pytest.mark.parametrize("name", TAMPERED)
def test_one_number_changed_in_any_output_is_seen(name: str, verdicts: dict[str, tuple[set[str], set[str]]]):
    """Strict nbval fails for every committed output in which a number is another one, and for no other cell."""
    tampered, failed = verdicts[name]
    assert tampered
    assert failed == tampered


def test_a_notebook_without_outputs_is_refused(tmp_path: Path):
    """Strict nbval would pass a cell that never ran: the guard names the notebook, and says what to do."""
    notebook = read(NAMES[0])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / "stripped.ipynb")
    done = nbval(tmp_path, "--collect-only")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "stripped.ipynb was not run top to bottom" in done.stdout + done.stderr
    assert "make notebooks" in done.stdout + done.stderr


def test_a_notebook_with_one_cell_left_out_is_refused(tmp_path: Path):
    """One cell that was not run, or run out of order, is enough."""
    notebook = read(NAMES[0])
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    last.outputs, last.execution_count = [], None
    nbformat.write(notebook, tmp_path / "halfway.ipynb")
    guards = runpy.run_path(str(NOTEBOOKS / "conftest.py"))
    asked = SimpleNamespace(args=["."], invocation_params=SimpleNamespace(dir=tmp_path))
    with pytest.raises(pytest.UsageError, match=r"halfway\.ipynb was not run top to bottom"):
        guards["pytest_sessionstart"](SimpleNamespace(config=asked))
