"""What became of the tests of a run, from the XML that pytest writes with ``--junitxml``."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scripts.fidelity.rows import Source

__all__ = ["faults", "outcomes"]

#: What pytest writes below a test that did not pass.
_NOT_PASSED: Final = {"failure", "error", "skipped"}


def outcomes(path: Path) -> dict[str, bool]:
    """Each test of a run by its id without parameters: whether it passed with all of them.

    :raises OSError: when there is no such file.
    """
    found: dict[str, bool] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
        passed = not any(child.tag in _NOT_PASSED for child in case)
        found[test] = found.get(test, True) and passed
    return found


def faults(source: Source, results: Mapping[str, bool]) -> list[str]:
    """What is wrong with the rows after that run, a line each; nothing, and each row may say what it says."""
    found = []
    for row in source.rows():
        if not row.tests:
            found.append(f"{row.name}: no test holds it")
        for test in row.tests:
            if test not in results:
                found.append(f"{row.name}: {test} was not in the run")
            elif not results[test]:
                found.append(f"{row.name}: {test} did not pass")
    return found
