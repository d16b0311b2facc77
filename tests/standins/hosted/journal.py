"""The log: entries newest first in small pages, some of which turn up late, in two spellings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tests.standins.hosted.refusals import Refusal

__all__ = ["Journal", "Shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the two listings: the key of its entries, its page, and the names it gives to the same fields."""

    key: str
    page: int
    renamed: dict[str, str]
    cancelled: str


SHAPES: Final = {
    # What both SDKs call, and read.
    "/v2/events": Shape(
        "events", 1000, {"retryDelay": "retryDelayExpr", "answerHeaders": "responseHeader"}, "CANCELED"
    ),
    # What the OpenAPI document prints.
    "/v2/logs": Shape(
        "logs", 100, {"retryDelay": "retryDelayExpression", "answerHeaders": "responseHeaders"}, "CANCELLED"
    ),
}
_IN_PROGRESS = {"ACTIVE", "RETRY", "ERROR"}
_FIELDS = {
    "messageId": "messageId",
    "messageIds": "messageId",
    "url": "url",
    "topicName": "topicName",
    "queueName": "queueName",
    "scheduleId": "scheduleId",
    "flowControlKey": "flowControlKey",
    "callerIp": "callerIP",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    time_ms: int
    seq: int
    fields: dict[str, Any]
    appears_at_ms: int
    appears_at_page: int

    @property
    def place(self) -> tuple[int, int]:
        return self.time_ms, self.seq


class Journal:
    """Log entries, and how they are listed; ``page_size`` makes every page smaller than the service's own."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._entries: list[_Entry] = []
        self.pages_served = 0
        self.page_size: int | None = None

    def add(
        self,
        fields: dict[str, Any],
        *,
        time_ms: int | None = None,
        appears_in_ms: int = 0,
        appears_after_pages: int = 0,
        without: Collection[str] = (),
    ) -> dict[str, Any]:
        """Write an entry of ``time_ms`` (now), which is first listed so many milliseconds, or pages, from now.

        ``without`` names fields to leave out, ``messageId`` and ``state`` included.
        """
        time_ms = self._now_ms() if time_ms is None else time_ms
        kept = {name: value for name, value in {"time": time_ms, **fields}.items() if name not in without}
        self._entries.append(
            _Entry(
                time_ms,
                len(self._entries),
                kept,
                self._now_ms() + appears_in_ms,
                self.pages_served + appears_after_pages,
            )
        )
        return kept

    def everything(self) -> list[dict[str, Any]]:
        """All entries as they were written, in the order of writing, late ones included."""
        return [dict(entry.fields) for entry in self._entries]

    def page(self, path: str, params: dict[str, list[str]]) -> dict[str, Any]:
        """One answer of ``/v2/events`` or ``/v2/logs``. The cursor is absent at the end."""
        shape = SHAPES[path]
        found = self._found(params)
        size = min(_number(params, "count", shape.page), shape.page, self.page_size or shape.page)
        if size < 1:
            raise Refusal(400, f"count: {size} is less than 1")
        self.pages_served += 1
        answer: dict[str, Any] = {shape.key: [_spelled(entry, shape) for entry in found[:size]]}
        if len(found) > size:
            answer["cursor"] = f"{found[size - 1].time_ms}-{found[size - 1].seq}"
        return answer

    def _found(self, params: dict[str, list[str]]) -> list[_Entry]:
        earliest_first = params.get("order") == ["earliestFirst"]
        found = [entry for entry in self._entries if self._is_out(entry) and _matches(entry, params)]
        found.sort(key=lambda entry: entry.place, reverse=not earliest_first)
        if "cursor" not in params:
            return found
        last = _place(params["cursor"][0])
        return [entry for entry in found if (entry.place > last if earliest_first else entry.place < last)]

    def _is_out(self, entry: _Entry) -> bool:
        return entry.appears_at_ms <= self._now_ms() and entry.appears_at_page <= self.pages_served


def _place(cursor: str) -> tuple[int, int]:
    ms, dash, seq = cursor.partition("-")
    if not dash or not ms.isdigit() or not seq.isdigit():
        raise Refusal(400, f"invalid cursor: {cursor}")
    return int(ms), int(seq)


def _number(params: dict[str, list[str]], name: str, default: int) -> int:
    text = params.get(name, [str(default)])[0]
    if not text.lstrip("-").isdigit():
        raise Refusal(400, f"{name}: {text} is no number")
    return int(text)


def _matches(entry: _Entry, params: dict[str, list[str]]) -> bool:
    fields = entry.fields
    url = urlsplit(str(fields.get("url", "")))
    tests = [fields.get(field) in params[name] for name, field in _FIELDS.items() if name in params]
    tests += [
        getattr(url, part) in params[name] for name, part in (("host", "netloc"), ("path", "path")) if name in params
    ]
    if "label" in params:
        tests.append(bool({*fields.get("labels", []), fields.get("label")} & set(params["label"])))
    if "state" in params:
        tests.append(fields.get("state") in _states(params["state"]))
    tests.append(_number(params, "fromDate", 0) <= entry.time_ms <= _number(params, "toDate", entry.time_ms))
    return all(tests)


def _states(wanted: list[str]) -> set[str]:
    states = {"CANCELED" if state == "CANCELLED" else state for state in wanted}
    return states | _IN_PROGRESS if "IN_PROGRESS" in states else states


def _spelled(entry: _Entry, shape: Shape) -> dict[str, Any]:
    spelled = {shape.renamed.get(name, name): value for name, value in entry.fields.items()}
    if spelled.get("state") == "CANCELED":
        spelled["state"] = shape.cancelled
    return spelled
