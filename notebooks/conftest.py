"""Refuses notebooks that were not run: strict nbval passes a cell without outputs unchecked."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop the run when a committed notebook was not executed top to bottom."""
    executed: dict[str, list[Any]] = {}
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and cell.cell_type == "code" and cell.source.strip():
            executed.setdefault(str(item.path.name), []).append(cell.execution_count)
    for name, counts in executed.items():
        if counts != list(range(1, len(counts) + 1)):
            raise pytest.UsageError(f"{name} was not run top to bottom (counts {counts}): `make notebooks`, then commit")
