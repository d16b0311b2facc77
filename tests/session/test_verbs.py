import asyncio
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import qsops
from qsops.session import Session
from tests.session.verbs import CHECKS

ROOT = Path(__file__).parents[2]

every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@every_check
def test_in_plain_python(check: Callable[[Session], None]):
    """Each verb works where no loop runs."""
    with qsops.connect() as qs:
        check(qs)


@every_check
async def test_inside_a_running_loop(check: Callable[[Session], None]):
    """Each verb works where a loop runs already, as in a notebook, and leaves that loop as it was."""
    ticks: list[None] = []
    asyncio.get_running_loop().call_soon(ticks.append, None)
    with qsops.connect() as qs:
        check(qs)
    assert ticks == []
    await asyncio.sleep(0)
    assert ticks == [None]


def test_in_a_kernel():
    """Each verb works in a cell of a notebook, and a session shows itself there without an address in memory."""
    cells = [f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport qsops\nfrom tests.session import verbs"]
    cells += [f"with qsops.connect() as qs:\n    verbs.{check.__name__}(qs)" for check in CHECKS]
    cells.append("qsops.connect()")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = notebook.cells[-1].outputs[0].data
    assert shown["text/plain"].splitlines()[1].split() == ["target", "embedded"]
    assert "<td" in shown["text/html"]
    assert " at 0x" not in str(shown)
