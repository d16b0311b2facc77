"""Which rows of the log, or which dead letters, a listing asks for, and where its next page begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests.logserver.log import Log

__all__ = ["Asked", "Bad", "Selection"]

Array = npt.NDArray[Any]
Params = Mapping[str, Sequence[str]]

_COLUMNS: Final = {
    "url": "url",
    "topicName": "url_group",
    "queueName": "queue",
    "scheduleId": "schedule_id",
    "label": "labels",
    "flowControlKey": "flow_control_key",
    "callerIp": "caller_ip",
    "callerIP": "caller_ip",
}
_PARTS: Final[Mapping[str, Callable[[str], str]]] = {
    "host": lambda url: urlsplit(url).netloc,
    "path": lambda url: urlsplit(url).path,
}
_IN_PROGRESS: Final = ("ACTIVE", "RETRY", "ERROR")
_STRETCH: Final = 8_192


class Bad(Exception):
    """A value that does not parse: 400, with this text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request says: ``after`` is the row after which its page begins, in the order of the listing."""

    count: int
    from_ms: int | None
    to_ms: int | None
    after: int | None
    earliest_first: bool
    messages: tuple[int, ...] | None
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, params: Params, most: int, page: int | None = None) -> Asked:
        """Read of a query, which may ask for ``most`` a page; ``page`` are given, if that is less."""
        count = _number(params, "count")
        if count is not None and not 1 <= count <= most:
            raise Bad(f"count: {count} is not between 1 and {most}")
        ids = [*params.get("messageId", ()), *params.get("messageIds", ())]
        texts = {name: tuple(params[name]) for name in (*_COLUMNS, *_PARTS, "state") if name in params}
        return cls(
            min(count or most, page or most),
            _number(params, "fromDate"),
            _number(params, "toDate"),
            _row(params["cursor"][0]) if "cursor" in params else None,
            list(params.get("order", ())) == ["earliestFirst"],
            tuple(map(_message, ids)) if ids else None,
            texts,
        )


class Selection:
    """Looks rows up in ``log``, of which only those of the last ``retention_ms`` are remembered."""

    def __init__(self, log: Log, retention_ms: int | None) -> None:
        self._log = log
        self._retention_ms = retention_ms
        self._by_message = np.argsort(log.message, kind="stable")
        self._sorted = log.message[self._by_message]

    def visible(self, now_ms: int) -> Array:
        """A mask of the rows that a listing without filters has at ``now_ms``."""
        mask = self._log.visible_ms <= now_ms
        mask[: self._forgotten(now_ms)] = False
        return np.asarray(mask)

    def page(self, asked: Asked, now_ms: int) -> tuple[Array, bool]:
        """At most ``asked.count`` rows, in the order of the listing, and whether there are more."""
        first, last = self._bounds(asked, now_ms)
        if asked.messages is None:
            found = self._walk(asked, first, last, now_ms)
        else:
            rows = self._of_messages(asked.messages)
            rows = rows[(rows >= first) & (rows < last)]
            found = self._kept(rows if asked.earliest_first else rows[::-1], asked, now_ms)
        return found[: asked.count], len(found) > asked.count

    def _bounds(self, asked: Asked, now_ms: int) -> tuple[int, int]:
        time_ms = self._log.time_ms
        first = 0 if asked.from_ms is None else int(np.searchsorted(time_ms, asked.from_ms))
        last = len(time_ms) if asked.to_ms is None else int(np.searchsorted(time_ms, asked.to_ms, side="right"))
        first = max(first, self._forgotten(now_ms))
        if asked.after is not None:
            first, last = (
                (max(first, asked.after + 1), last) if asked.earliest_first else (first, min(last, asked.after))
            )
        return first, last

    def _forgotten(self, now_ms: int) -> int:
        if self._retention_ms is None:
            return 0
        return int(np.searchsorted(self._log.time_ms, now_ms - self._retention_ms))

    def _walk(self, asked: Asked, first: int, last: int, now_ms: int) -> Array:
        """Stretch by stretch until a page and one more row are found: a page of millions costs what a page does."""
        found: list[Array] = []
        while first < last and sum(map(len, found)) <= asked.count:
            if asked.earliest_first:
                rows, first = np.arange(first, min(last, first + _STRETCH)), min(last, first + _STRETCH)
            else:
                rows, last = np.arange(max(first, last - _STRETCH), last)[::-1], max(first, last - _STRETCH)
            found.append(self._kept(rows, asked, now_ms))
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _kept(self, rows: Array, asked: Asked, now_ms: int) -> Array:
        rows = rows[self._log.visible_ms[rows] <= now_ms]
        if not asked.texts:
            return rows
        keep = np.ones(len(rows), dtype=bool)
        for name, wanted in asked.texts.items():
            keep &= np.array([value in wanted for value in self._texts(name, rows)], dtype=bool)
        return rows[keep]

    def _texts(self, name: str, rows: Array) -> list[str | None]:
        column = {"state": "state", "host": "url", "path": "url"}.get(name) or _COLUMNS[name]
        values: list[str | None] = self._log.table[column].take(pa.array(rows)).to_pylist()
        part = _PARTS.get(name)
        return values if part is None else [value and part(value) for value in values]

    def _of_messages(self, messages: tuple[int, ...]) -> Array:
        spans = [
            np.arange(np.searchsorted(self._sorted, one), np.searchsorted(self._sorted, one, side="right"))
            for one in sorted(set(messages))
        ]
        return np.sort(self._by_message[np.concatenate(spans)])


def _number(params: Params, name: str) -> int | None:
    if name not in params:
        return None
    try:
        return int(params[name][0])
    except ValueError:
        raise Bad(f"{name}: {params[name][0]} is no number") from None


def _row(cursor: str) -> int:
    ms, dash, row = cursor.partition("-")
    if not (dash and ms.isdigit() and row.isdigit()):
        raise Bad(f"invalid cursor: {cursor}")
    return int(row)


def _message(message_id: str) -> int:
    number = message_id.removeprefix("msg_")
    return int(number) if number.isdigit() else -1
