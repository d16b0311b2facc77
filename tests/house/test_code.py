import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    name
    for name in subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).exists()
]
PRODUCT = [name for name in FILES if name.startswith(("qsops/", "service/", "examples/"))]
TESTS = [name for name in FILES if name.startswith("tests/") and Path(name).name.startswith("test_")]


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("name", PRODUCT)
def test_a_module_is_one_noun(name: str):
    """No module is over 300 lines, and no function over 70: a reader holds it in the head."""
    assert len((ROOT / name).read_text().splitlines()) <= 300
    assert [f.name for f in functions(name) if (f.end_lineno or 0) - f.lineno >= 70] == []


@pytest.mark.parametrize("name", TESTS)
def test_each_test_says_which_rule_it_protects(name: str):
    """Every test has a docstring, and asserts something."""
    for function in functions(name):
        if function.name.startswith("test_"):
            assert ast.get_docstring(function), function.name


def test_the_service_stays_small():
    """Minimal is a promise: each file of the service has under 200 lines."""
    sizes = {name: len((ROOT / name).read_text().splitlines()) for name in PRODUCT if name.startswith("service/")}
    assert {name: size for name, size in sizes.items() if size >= 200} == {}


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_room_without_a_noun(word: str):
    """A module is named for what it holds."""
    assert [name for name in FILES if word in Path(name).with_suffix("").parts] == []
