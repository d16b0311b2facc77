"""``--follow``: log entries as they come, each printed once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from qsops.cli.output import Format, cells_of, json_of
from qsops.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from qsops.session import Session

__all__ = ["NewRows", "follow_logs"]

_POLL_EVERY_S = 2.0
# Hosted entries may be listed late: each look reaches back further than the one before it ended.
_OVERLAP = timedelta(minutes=2)
_KEY = ["message_id", "time", "state", "seq"]


class NewRows:
    """Which rows of overlapping frames were not seen before; it remembers no more than the latest frame's."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``frame`` that the frame before did not hold, oldest first."""
        keys = list(frame[_KEY].itertuples(index=False, name=None))
        fresh = frame[[key not in self._seen for key in keys]]
        self._seen = set(keys)
        return fresh.sort_values(["time", "message_id", "seq"], kind="stable")


def follow_logs(
    session: Session,
    since: str | None,
    form: Format,
    out: Path | None,
    columns: list[str],
    *,
    until: str | None,
    pause: Callable[[float], object] | None = None,
    **which: Any,
) -> None:
    """Print what is there since ``since`` (default: two minutes ago), then what comes, until Ctrl-C.

    :raises SettingsError: with ``until``, a file, or a format that needs its end.
    """
    if form not in (Format.table, Format.json) or out is not None or until is not None:
        raise SettingsError(
            "--follow prints lines without an end: it takes --format table or json, no --out, no --until"
        )
    rows, window, pause = NewRows(), since or _OVERLAP, pause or threading.Event().wait
    try:
        while True:
            fresh = rows.of(session.logs(window, progress=False, **which))
            if not fresh.empty:
                typer.echo(json_of(fresh, lines=True) if form is Format.json else _lines(fresh, columns), nl=False)
            pause(_POLL_EVERY_S)
            window = _OVERLAP
    except KeyboardInterrupt:
        return  # The way to end it, and no failure.


def _lines(frame: pd.DataFrame, columns: list[str]) -> str:
    shown = frame[[name for name in columns if name in frame]]
    return "".join("  ".join(cell for cell in cells if cell) + "\n" for cells in cells_of(shown))
