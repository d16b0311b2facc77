"""The dead letters of a log: one for each message that failed for good."""

from __future__ import annotations

import base64
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from tests.logserver.log import Log
from tests.logserver.selection import Asked
from tests.logserver.shapes import texts

__all__ = ["DEAD_PAGE", "DeadLetters"]

DEAD_PAGE: Final = 100
_STATUS: Final = 503


class DeadLetters:
    """Listed from when their message failed until they are forgotten, or taken away."""

    def __init__(self, log: Log, retention_ms: int | None) -> None:
        self._log = log
        self._retention_ms = retention_ms
        failed = np.flatnonzero(pc.equal(log.table["state"], "FAILED").to_numpy() & (log.junk < 0))
        _, firsts = np.unique(log.message[failed], return_index=True)
        self._rows = failed[np.sort(firsts)]
        self._created_ms = dict(zip(*_created(log), strict=True))
        self._letters = [self._letter(int(row)) for row in self._rows]
        self._gone: set[str] = set()

    def listed(self, now_ms: int) -> list[tuple[int, dict[str, Any]]]:
        """All that there are at ``now_ms``, each with its place, oldest first."""
        least_ms = 0 if self._retention_ms is None else now_ms - self._retention_ms
        return [
            (place, letter)
            for place, (row, letter) in enumerate(zip(self._rows, self._letters, strict=True))
            if least_ms <= self._log.visible_ms[row] <= now_ms and letter["dlqId"] not in self._gone
        ]

    def take_away(self, dlq_id: str) -> None:
        """Somebody deletes or retries one."""
        self._gone.add(dlq_id)

    def page(self, asked: Asked, now_ms: int) -> dict[str, Any]:
        """One page of a listing by time."""
        found = [pair for pair in self.listed(now_ms) if _is_within(asked, pair[1])]
        if not asked.earliest_first:
            found.reverse()
        if (after := asked.after) is not None:
            found = [pair for pair in found if (pair[0] > after if asked.earliest_first else pair[0] < after)]
        answer: dict[str, Any] = {"messages": [letter for _, letter in found[: asked.count]]}
        if len(found) > asked.count:
            answer["cursor"] = f"0-{found[asked.count - 1][0]}"
        return answer

    def _letter(self, row: int) -> dict[str, Any]:
        entry = self._log.table.slice(row, 1).to_pylist()[0]
        number = int(self._log.message[row])
        held = texts(number, "ERROR")
        fields = {
            "dlqId": f"{int(self._log.time_ms[row])}-{number}",
            "messageId": entry["message_id"],
            "url": entry["url"],
            "method": entry["method"],
            "label": entry["labels"],
            "queueName": entry["queue"],
            "topicName": entry["url_group"],
            "scheduleId": entry["schedule_id"],
            "maxRetries": entry["max_retries"],
            "createdAt": self._created_ms[number],
            "header": {"Content-Type": ["application/json"]},
            "body": held["body"],
            "responseStatus": _STATUS,
            "responseHeader": {},
            "responseBodyBase64": base64.b64encode(held["response_body"].encode()).decode(),
        }
        return {name: value for name, value in fields.items() if value is not None}


def _created(log: Log) -> tuple[list[int], list[int]]:
    numbers, firsts = np.unique(log.message, return_index=True)
    return numbers.tolist(), log.time_ms[firsts].tolist()


def _is_within(asked: Asked, letter: dict[str, Any]) -> bool:
    failed_ms = int(letter["dlqId"].partition("-")[0])
    return (asked.from_ms or 0) <= failed_ms and (asked.to_ms is None or failed_ms <= asked.to_ms)
