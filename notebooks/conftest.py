"""Refuses notebooks that were not run: strict nbval passes a cell without outputs unchecked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop before the first kernel starts when a notebook was not executed top to bottom.

    At the start rather than after collection, which under xdist happens in the workers: what they raise reads like a
    crash.
    """
    for path in _named(session.config):
        counts = _counts(path)
        if counts != list(range(1, len(counts) + 1)):
            raise pytest.UsageError(
                f"{path.name} was not run top to bottom (counts {counts}): `make notebooks`, then commit"
            )


def _named(config: pytest.Config) -> Iterator[Path]:
    """The notebooks that this run is asked for."""
    for argument in config.args:
        path = config.invocation_params.dir / argument.split("::")[0]
        found = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        yield from (one for one in found if one.suffix == ".ipynb" and ".ipynb_checkpoints" not in one.parts)


def _counts(path: Path) -> list[int | None]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]
