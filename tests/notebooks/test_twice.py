from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.examples import IS_SOAK
from tests.notebooks.committed import NAMES, NOTEBOOKS, execute
from tests.standins.recorder import Recorder

#: Frames and charts, draws of chance, and a clock that is moved; nbval runs all of them, and the soak takes all here, too.
TWICE = NAMES if IS_SOAK else ["08_compare_retry_policies", "runbooks/rotate_signing_keys"]


def comparable(text: str) -> Any:
    """A notebook without what depends on the machine: how its fonts draw a chart, and which versions are installed."""
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if cell.source.startswith("## Environment"):
            cell.source = "## Environment"
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    return nbformat.writes(notebook)


@pytest.mark.parametrize("name", TWICE)
def test_a_second_run_gives_the_same_bytes(name: str, tmp_path: Path):
    """What is committed is one execution, this is another: nothing in the file may vary with the run, nor with the
    settings of a hosted account that are exported around it, which hears nothing, and of which nothing is shown.

    The pictures that stand beside a chart's data are compared where they are drawn, in the tests of the figures.
    """
    committed, again = NOTEBOOKS / f"{name}.ipynb", tmp_path / "again.ipynb"
    with Recorder() as hosted:
        production = dict(line.split("=", 1) for line in hosted.dotenv().splitlines())
        execute(committed, again, QSOPS_DOTENV="on", **production)
        assert hosted.seen == []
    shown = again.read_text(encoding="utf-8")
    assert [name for name, value in production.items() if value in shown] == []
    assert comparable(again.read_text(encoding="utf-8")) == comparable(committed.read_text(encoding="utf-8"))
