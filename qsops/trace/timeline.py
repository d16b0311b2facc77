"""The story of one message, or of one Instagram event: received, published, each attempt, processed."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from qsops import fold, frames
from qsops.client import Client
from qsops.errors import QsopsError, ServiceError
from qsops.models import LedgerEntry, LogFilter, State
from qsops.trace.pulling import pull

__all__ = ["LedgerReader", "Timeline", "timeline"]

#: Reads the service's ledger; named by one of event_id, mid, message_id.
LedgerReader = Callable[..., Awaitable[Sequence[LedgerEntry]]]

_BY_LEDGER: Final = {"event:": "event_id", "ig:": "mid"}
_COLUMNS: Final = ("at", "step", "status", "detail", "since_start_ms", "message_id", "event_id")
_STEP_ORDER: Final = (
    "received",
    "published",
    "created",
    "attempt",
    "",
    "canceled",
    "failed",
    "processed",
    "queued",
    "parked",
)


@dataclass(frozen=True)
class Timeline:
    """What happened, in order. ``frame`` has at, step, status, detail, since_start_ms, message_id, event_id.

    ``note`` says what could not be asked, and is missing from the story for that.
    """

    ref: str
    frame: pd.DataFrame = field(repr=False)
    note: str = ""

    def __repr__(self) -> str:
        return f"{self._title()}\n{self._shown().to_string(index=False)}"

    def _repr_html_(self) -> str:
        # It is read from left to right like a sentence; pandas sets every column to the right.
        table = self._shown().to_html(index=False, border=0)
        for cell in ("th", "td"):
            table = table.replace(f"<{cell}>", f'<{cell} style="text-align:left">')
        return f"<p>{html.escape(self._title())}</p>{table}"

    def _title(self) -> str:
        last = self.frame.iloc[-1]
        outcome = last["detail"].split(",")[0].split(" (")[0] if last["step"].startswith("attempt") else last["step"]
        note = f" ({self.note})" if self.note else ""
        return f"{self.ref}: {outcome} after {_span(int(last['since_start_ms']))}{note}"

    def _shown(self) -> pd.DataFrame:
        shown = self.frame[["at", "step", "status", "detail"]].copy()
        shown["at"] = shown["at"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
        shown["after"] = [_span(int(value)) for value in self.frame["since_start_ms"]]
        shown["status"] = [("" if pd.isna(value) else str(value)) for value in shown["status"]]
        return shown[["at", "after", "step", "status", "detail"]]


async def timeline(client: Client, ledger: LedgerReader, ref: str) -> Timeline:
    """The story of ``ref``: a message's id, ``event:ID`` of an event, or ``ig:MID`` of an Instagram message.

    Several events speak of one Instagram message (its edit, its unsend, reactions): their steps stand side by side.

    A message's id is known to the log, too: of it a story is told even if the service is away.

    :raises QsopsError: when neither the log nor the service's ledger knows it.
    """
    events, message_ids, note = await _resolve(ledger, ref)
    steps = [step for event in events for step in _ledger_steps(event)]
    if message_ids:
        entries = await pull(client, LogFilter(message_ids=tuple(message_ids)), bodies=False)
        logs = frames.logs(entries)
        owners = {event.message_id: event.event_id for event in events if event.message_id is not None}
        steps += _log_steps(logs, owners)
    if not steps:
        raise QsopsError(
            f"nothing is known of {ref!r}: no log entry, and no event in the ledger of the service"
            " (which is asked when PUBLIC_BASE_URL and INTERNAL_API_TOKEN are set)"
        )
    return Timeline(ref, _frame(steps), note)


async def _resolve(ledger: LedgerReader, ref: str) -> tuple[list[LedgerEntry], list[str], str]:
    for prefix, name in _BY_LEDGER.items():
        if ref.startswith(prefix):
            events = list(await ledger(**{name: ref.removeprefix(prefix)}))
            return events, [event.message_id for event in events if event.message_id is not None], ""
    try:
        return list(await ledger(message_id=ref)), [ref], ""
    except ServiceError as error:
        return [], [ref], f"without the service's ledger: {error}"


def _ledger_steps(event: LedgerEntry) -> list[dict[str, Any]]:
    facts = {"message_id": event.message_id, "event_id": event.event_id, "status": None}
    steps = [{**facts, "at_ms": event.received_at_ms, "step": "received", "detail": f"{event.kind} event"}]
    if event.published_at_ms is not None:
        steps.append({**facts, "at_ms": event.published_at_ms, "step": "published", "detail": "taken by QStash"})
    if event.processed_at_ms is not None:
        steps.append(
            {**facts, "at_ms": event.processed_at_ms, "step": "processed", "detail": "claimed and stored once"}
        )
    if event.state in ("queued", "parked"):
        steps.append({**facts, "at_ms": event.received_at_ms, "step": event.state, "detail": event.reason or ""})
    return steps


def _log_steps(logs: pd.DataFrame, owners: dict[str, str]) -> list[dict[str, Any]]:
    steps = [step for message in _rows(fold.messages(logs)) for step in _message_steps(message)]
    steps += [_attempt_step(attempt) for attempt in _rows(fold.attempts(logs))]
    steps += [_unknown_step(row) for row in _rows(logs[~logs["state"].isin(fold.KNOWN_STATES)])]
    return [{**step, "event_id": owners.get(step["message_id"])} for step in steps]


def _message_steps(message: dict[str, Any]) -> list[dict[str, Any]]:
    facts = {"message_id": message["message_id"], "status": None}
    steps = []
    if message["created_at"] is not None:
        steps.append({**facts, "at_ms": _ms(message["created_at"]), "step": "created", "detail": message["url"]})
    if message["finished_at"] is not None and message["state"] != State.DELIVERED:
        step = "failed" if message["state"] == State.FAILED else "canceled"
        steps.append({**facts, "at_ms": _ms(message["finished_at"]), "step": step, "detail": message["state"]})
    return steps


def _attempt_step(attempt: dict[str, Any]) -> dict[str, Any]:
    error = "" if attempt["error"] is None else f", {attempt['error']}"
    waited = "" if attempt["wait_ms"] is None else f" (waited {_span(attempt['wait_ms'])})"
    return {
        "message_id": attempt["message_id"],
        "at_ms": _ms(attempt["ended_at"] or attempt["started_at"]),
        "step": f"attempt {attempt['attempt'] or '?'}",
        "status": attempt["response_status"],
        "detail": f"{attempt['outcome'] or 'no end was written'}{error}{waited}",
    }


def _unknown_step(row: dict[str, Any]) -> dict[str, Any]:
    """A state of a later day: shown as it came, where it came."""
    return {
        "message_id": row["message_id"],
        "at_ms": _ms(row["time"]),
        "step": row["state"] or "no state",
        "status": row["response_status"],
        "detail": row["error"] or "a state that this version does not know",
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values, None where there is none."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


def _frame(steps: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(steps)
    frame["order"] = [_order(step) for step in frame["step"]]
    frame = frame.sort_values(["at_ms", "order"], kind="stable").reset_index(drop=True)
    frame["at"] = pd.to_datetime(frame["at_ms"], unit="ms", utc=True).astype("datetime64[us, UTC]")
    frame["since_start_ms"] = (frame["at_ms"] - frame["at_ms"].iloc[0]).astype("Int64")
    frame["status"] = frame["status"].astype("Int64")
    return frame[list(_COLUMNS)]


def _order(step: str) -> int:
    noun = step.split()[0]
    return _STEP_ORDER.index(noun if noun in _STEP_ORDER else "")


def _ms(at: Any) -> int:
    return int(at.value // 1_000_000)


def _span(ms: int) -> str:
    """A span as a person reads it: ``40 ms``, ``12.2 s``, ``2 m 28 s``, ``6 h 07 m``."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    if ms < 3_600_000:
        return f"{ms // 60_000} m {ms // 1000 % 60:02} s"
    return f"{ms // 3_600_000} h {ms // 60_000 % 60:02} m"
