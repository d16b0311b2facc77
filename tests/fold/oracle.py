"""The fold once more, slowly and in plain Python, one row after the other: what the fast one is held against."""

from collections import defaultdict
from typing import Any

import pandas as pd

_ENDS = ("ERROR", "DELIVERED")
_CANCELS = ("CANCEL_REQUESTED", "CANCELED", "CANCELLED")
_RANKS = ("CREATED", "ACTIVE", "ERROR", "RETRY", "", "CANCEL_REQUESTED", "CANCELED", "FAILED", "DELIVERED")

Row = dict[str, Any]


def rows_of(logs: pd.DataFrame) -> dict[str, list[Row]]:
    """The rows of each message without doubles, in the order of their story."""
    plain: list[Row] = logs.astype(object).where(logs.notna(), None).to_dict("records")  # type: ignore[assignment]
    single = {(row["message_id"], row["time"], row["state"], row["seq"]): row for row in plain}
    moments: dict[str, dict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in single.values():
        moments[row["message_id"]][row["time"]].append(row)
    return {message_id: _story(found) for message_id, found in sorted(moments.items())}


def _story(moments: dict[Any, list[Row]]) -> list[Row]:
    story: list[Row] = []
    under_way = False
    for _, rows in sorted(moments.items()):
        rows.sort(key=lambda row: (_rank(row["state"]), row["state"], row["seq"]))
        starts = [row for row in rows if row["state"] == "ACTIVE"]
        ends = [row for row in rows if row["state"] in _ENDS]
        if len(starts) != len(ends):
            under_way = len(ends) > len(starts)
        story += _interleaved(rows, starts, under_way)
        if len(starts) != len(ends):
            under_way = len(starts) > len(ends)
    return story


def _interleaved(rows: list[Row], starts: list[Row], under_way: bool) -> list[Row]:
    errors, retries = ([row for row in rows if row["state"] == state] for state in ("ERROR", "RETRY"))
    story = [row for row in rows if row["state"] == "CREATED"]
    for n in range(len(rows)):
        start, end = starts[n : n + 1], errors[n : n + 1] + retries[n : n + 1]
        story += end + start if under_way else start + end
    return story + [row for row in rows if row["state"] not in {"CREATED", "ACTIVE", "ERROR", "RETRY"}]


def _rank(state: str) -> int:
    spelled = "CANCELED" if state == "CANCELLED" else state
    return _RANKS.index(spelled) if spelled in _RANKS else _RANKS.index("")


def attempts(logs: pd.DataFrame) -> list[Row]:
    """One plain row per attempt."""
    return [attempt for rows in rows_of(logs).values() for attempt in _attempts(rows)]


def _attempts(rows: list[Row]) -> list[Row]:
    found: list[dict[str, Row | None]] = []
    for row in rows:
        is_open = bool(found) and found[-1]["end"] is None
        if row["state"] == "ACTIVE":
            found.append({"start": row, "end": None})
        elif row["state"] in _ENDS and not is_open:
            found.append({"start": None, "end": row})
        elif row["state"] in (*_ENDS, "FAILED") and is_open:
            found[-1]["end"] = row
    states = {row["state"] for row in rows}
    return [_attempt(rows, n, found, states) for n in range(len(found))]


def _attempt(rows: list[Row], n: int, found: list[dict[str, Row | None]], states: set[str]) -> Row:
    start, end = found[n]["start"], found[n]["end"]
    previous = found[n - 1]["end"] if n else None
    return {
        "message_id": rows[0]["message_id"],
        "attempt": n + 1 if "CREATED" in states else None,
        "url": _first(rows, "url"),
        "label": _label(rows),
        "queue": _first(rows, "queue"),
        "started_at": start and start["time"],
        "ended_at": end and end["time"],
        "duration_ms": _between(start, end),
        "outcome": _outcome(end, n == len(found) - 1, states),
        "response_status": end and end["response_status"],
        "error": end and end["error"],
        "wait_ms": _between(previous, start),
    }


def _outcome(end: Row | None, last: bool, states: set[str]) -> str | None:
    if end is None:
        return None if not last else "canceled" if states & set(_CANCELS) else "in flight"
    if end["state"] == "ERROR":
        return "failed" if last and "FAILED" in states else "error"
    return str(end["state"]).lower()


def messages(logs: pd.DataFrame) -> list[Row]:
    """One plain row per message."""
    found = [_message(rows) for rows in rows_of(logs).values()]
    never = pd.Timestamp(0, tz="UTC")
    return sorted(found, key=lambda row: (row["created_at"] or never, row["message_id"]))


def _message(rows: list[Row]) -> Row:
    first = {state: row for row in reversed(rows) for state in [row["state"]]}
    created, delivered = first.get("CREATED"), first.get("DELIVERED")
    canceled = first.get("CANCEL_REQUESTED") or next((row for row in rows if row["state"] in _CANCELS), None)
    ends = {"DELIVERED": delivered, "FAILED": first.get("FAILED"), "CANCELED": canceled}
    state, finished = next(((name, row) for name, row in ends.items() if row), (rows[-1]["state"], None))
    last = next((row for row in reversed(rows) if _answers(row)), None)
    return {
        "message_id": rows[0]["message_id"],
        "url": _first(rows, "url"),
        "label": _label(rows),
        "queue": _first(rows, "queue"),
        "schedule_id": _first(rows, "schedule_id"),
        "created_at": created and created["time"],
        "finished_at": finished and finished["time"],
        "state": state,
        "attempts": len(_attempts(rows)) if created else None,
        "time_to_deliver_ms": _between(created, delivered),
        "last_status": last and last["response_status"],
        "last_error": last and last["error"],
    }


def _answers(row: Row) -> bool:
    says = row["response_status"] is not None or row["error"] is not None
    return row["state"] in _ENDS or (row["state"] == "FAILED" and says)


def _first(rows: list[Row], name: str) -> Any:
    return next((row[name] for row in rows if row[name] is not None), None)


def _label(rows: list[Row]) -> str | None:
    labels = _first(rows, "labels")
    return None if labels is None else labels.split(",")[0]


def _between(start: Row | None, end: Row | None) -> int | None:
    return None if start is None or end is None else int((end["time"] - start["time"]) / pd.Timedelta(milliseconds=1))
