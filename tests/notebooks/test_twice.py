from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks.committed import NAMES, NOTEBOOKS, execute


def comparable(text: str) -> Any:
    """A notebook without what depends on the machine: how its fonts draw a chart, and which versions are installed."""
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if cell.source.startswith("## Environment"):
            cell.source = "## Environment"
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    return nbformat.writes(notebook)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_run_gives_the_same_bytes(name: str, tmp_path: Path):
    """What is committed is one execution, this is another: nothing in the file may vary with the run.

    The pictures that stand beside a chart's data are compared where they are drawn, in the tests of the figures.
    """
    committed, again = NOTEBOOKS / f"{name}.ipynb", tmp_path / "again.ipynb"
    execute(committed, again)
    assert comparable(again.read_text(encoding="utf-8")) == comparable(committed.read_text(encoding="utf-8"))
