"""Canonical log lines: one JSON object each, of ids, causes and times; never what a person wrote."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final

__all__ = ["LOGGER", "fault", "line", "to_stdout"]

LOGGER: Final = logging.getLogger("service")


def line(what: str, **fields: Any) -> None:
    """Write one line; fields that are None are left out."""
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(_json(what, fields))


def fault(what: str, **fields: Any) -> None:
    """Write one line that somebody should read."""
    LOGGER.warning(_json(what, fields))


def to_stdout() -> None:
    """Let the lines go to standard output, unless the process has told them to go elsewhere."""
    LOGGER.setLevel(logging.INFO)
    if not LOGGER.hasHandlers():
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOGGER.addHandler(handler)


def _json(what: str, fields: dict[str, Any]) -> str:
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"log": what, **present}, separators=(",", ":"))
