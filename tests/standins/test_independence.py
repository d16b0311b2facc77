import ast
from pathlib import Path

import pytest

FILES = sorted(path for path in Path(__file__).parent.rglob("*.py") if not path.name.startswith("test_"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stand_in_shares_no_code_with_us(path: Path):
    """What stands in for the hosted service imports nothing of ours: a shared mistake would prove itself right."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {module for module in modules if module.split(".")[0] in ("qsops", "service")}
