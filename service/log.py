"""Canonical log lines: one JSON object each, of ids, causes and times; never what a person wrote.

A line a delivery is on the way of every delivery: to standard output the lines of one turn of the loop go in one write,
past the records of :mod:`logging`. A process that has told :mod:`logging` where lines go gets them as records.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import sys
from collections import deque
from typing import Any, Final, TextIO

import msgspec

__all__ = ["LOGGER", "Line", "fault", "line", "record", "to_stdout"]

LOGGER: Final = logging.getLogger("service")

_ENCODE: Final = msgspec.json.Encoder().encode
_ESCAPE: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Line(msgspec.Struct, omit_defaults=True, tag_field="log"):
    """A line that is written often enough to have a form of its own: ``tag`` is what it is called."""


def line(what: str, **fields: Any) -> None:
    """Write one line; fields that are None are left out."""
    _write({"log": what} | {name: value for name, value in fields.items() if value is not None})


def record(written: Line) -> None:
    """Write one line; fields that are as they are by default are left out."""
    _write(written)


def fault(what: str, **fields: Any) -> None:
    """Write one line that somebody should read."""
    LOGGER.warning(_json({"log": what} | {name: value for name, value in fields.items() if value is not None}))


def _write(fields: dict[str, Any] | Line) -> None:
    handlers = LOGGER.handlers
    if len(handlers) == 1 and type(handlers[0]) is _Stdout:
        handlers[0].write(_json(fields))
    elif LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(_json(fields))


def to_stdout() -> None:
    """Let the lines go to standard output, unless the process has told them to go elsewhere."""
    LOGGER.setLevel(logging.INFO)
    if not LOGGER.hasHandlers():
        handler = _Stdout(sys.stdout)
        LOGGER.addHandler(handler)
        atexit.register(handler.flush)


class _Stdout(logging.Handler):
    """Writes lines at the end of the turn of the loop that made them, and at once where there is no loop."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        self.write(record.getMessage())

    def write(self, text: str) -> None:
        self._lines.append(text)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # no loop runs on this thread: nobody would flush later
                self.flush()

    def flush(self) -> None:
        text = []
        while self._lines:
            text.append(self._lines.popleft())
        if not text:
            return
        try:
            self._stream.write("\n".join(text) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # Whoever read the log is gone: that must cost no delivery.


def _json(fields: dict[str, Any] | Line) -> str:
    try:
        return _ENCODE(fields).decode("ascii")
    except UnicodeError:  # the stream may be of any encoding, so nothing but ASCII goes into it
        return _ESCAPE(fields if isinstance(fields, dict) else msgspec.to_builtins(fields))
