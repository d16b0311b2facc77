"""How much of each body a listing shows: ``trimBody``, a number of bytes.

The Workflow API's document knows it, and the vendor's own MCP server sends it to the logs and the DLQ with 0, for none.
That document explains -1 as "exclude bodies entirely" and has it as the default, under which bodies are shown: so -1 is
read as the default.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qsops.models import DeadLetter, LogEntry
from qsops.wire.http import Request
from qsops.wire.query import Parameters

__all__ = ["TRIM_BODY", "parse_trim", "trimmed_letter", "trimmed_log"]

TRIM_BODY: Final = "trimBody"

_WHOLE: Final = "-1"


def parse_trim(request: Request) -> int | None:
    """The bytes of each body that a listing is to show, None for all.

    :raises Rejected: 400 for a value that does not parse.
    """
    parameters = Parameters(request.query)
    return None if parameters.text(TRIM_BODY) == _WHOLE else parameters.number(TRIM_BODY)


def trimmed_log(entry: LogEntry, size: int | None) -> LogEntry:
    """``entry`` with at most ``size`` bytes of each body."""
    if size is None:
        return entry
    return replace(entry, body=_cut(entry.body, size), response_body=_cut(entry.response_body, size))


def trimmed_letter(letter: DeadLetter, size: int | None) -> DeadLetter:
    """``letter`` with at most ``size`` bytes of each body."""
    if size is None:
        return letter
    message = replace(letter.message, body=letter.message.body[:size])
    return replace(letter, message=message, response_body=letter.response_body[:size])


def _cut(body: bytes | None, size: int) -> bytes | None:
    return body[:size] if body is not None and size else None
