import ast
import re
from pathlib import Path

import pytest

from qsops.engine.face.routes import ROUTES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "fidelity.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: Path(part).stem)
def test_each_test_that_holds_a_reading_exists(path: str, name: str):
    """A row of docs/fidelity.md is held by a test, and not by the memory of one."""
    found = ast.walk(ast.parse((ROOT / path).read_text()))
    assert name in {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_row_names_what_holds_it():
    """No reading stands in a table without a test."""
    rows = re.findall(r"^\|(?! what| endpoint|---)(.*)\|$", TEXT, re.M)
    assert len(rows) > 50
    assert [row for row in rows if "`tests/" not in row] == []


def test_each_endpoint_is_in_the_table():
    """What the engine serves is what the document says that it serves."""
    served = {
        (route.method, re.sub(r"\([^)]*\)", "{}", route.pattern.pattern)) for route in ROUTES if route.pattern.pattern
    }
    told = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for method, path in re.findall(r"`(GET|POST|DELETE) (/v2/[\w/{}]+)`[^|]*\| served", TEXT)
    }
    assert served == told
