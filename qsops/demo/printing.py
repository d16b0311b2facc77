"""The demo's tables, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is loaded by the session's first frame.
    import pandas as pd

    from qsops.demo.books import Balance

__all__ = ["tables"]

_INDENT = "  "


def tables(balance: Balance, ladder: pd.DataFrame, failures: pd.DataFrame) -> Iterator[str]:
    """Counts, retry ladder, and failures by destination and status."""
    yield ""
    yield "Events, counted by their sender (posted) and by the service's ledger; deliveries by the engine's log"
    names, counts = list(balance.counts), [str(count) for count in balance.counts.values()]
    widths = [max(len(name), len(count)) for name, count in zip(names, counts, strict=True)]
    yield _INDENT + "  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True))
    yield _INDENT + "  ".join(count.rjust(width) for count, width in zip(counts, widths, strict=True))
    yield ""
    yield "Retry ladder: what each attempt won"
    yield from _lines(ladder)
    yield ""
    yield "Failed attempts by destination and status"
    yield from _lines(failures[["url", "response_status", "error", "attempts", "messages", "recovered"]])


def _lines(frame: pd.DataFrame) -> Iterator[str]:
    if frame.empty:
        yield f"{_INDENT}none"
        return
    # As objects, since a column of numbers has no empty text.
    shown = frame.astype(object).where(frame.notna(), "-")
    for line in shown.to_string(index=False).splitlines():
        yield f"{_INDENT}{line}".rstrip()
