"""What each request is answered, and the books of it: how many came, which rows were shown, what went wrong."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import numpy as np
import numpy.typing as npt

from tests.logserver.dead import DEAD_PAGE, DeadLetters
from tests.logserver.faults import Burst, Fault, Faults
from tests.logserver.log import Log
from tests.logserver.selection import Asked, Bad, Selection
from tests.logserver.shapes import SHAPES, page

__all__ = ["TOKEN", "Answer", "Face", "Settings"]

TOKEN: Final = "log-token"
_DLQ: Final = "/v2/dlq"

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service behaves. ``paths`` are the listings that it has, ``page`` cuts what they ask for short.

    ``bodies`` adds texts to the entries.
    """

    paths: tuple[str, ...] = tuple(SHAPES)
    page: int | None = None
    requests_per_s: int | None = None
    retention_ms: int | None = None
    bodies: bool = False
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a body, and the rows that it shows."""

    status: int
    body: bytes
    headers: dict[str, str]
    fault: Fault
    rows: Array | None = None


class Face:
    """Answers for ``log``. ``now_ms`` is the time of the log, ``real_ms`` that of the limit on requests."""

    def __init__(self, log: Log, settings: Settings, now_ms: Callable[[], int], real_ms: Callable[[], int]) -> None:
        self.settings = settings
        self.log = log
        self.dead = DeadLetters(log, settings.retention_ms)
        self.burst = Burst(settings.requests_per_s, real_ms)
        #: Requests by what became of them, and a mask of the rows that were ever shown.
        self.counts: Counter[str] = Counter()
        #: Requests after so many are never answered, and not counted.
        self.answers: float = inf
        self.most_at_once = 0
        self.shown = np.zeros(len(log.time_ms), dtype=bool)
        self._selection = Selection(log, settings.retention_ms)
        self.now_ms = now_ms
        self._at_once = 0
        self._asked = threading.Condition()

    def visible(self) -> Array:
        """A mask of the rows that are listed now."""
        return self._selection.visible(self.now_ms())

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """While a request has come whose answer has not left."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            self._at_once -= 1

    def answer(self, target: str, authorization: str | None) -> Answer:
        """What a request for ``target`` is answered."""
        fault = self.settings.faults.of(self.counts.total())
        allowed, headers = self.burst.take()
        if not allowed:
            fault = Fault.none
        status, body, rows = self._status(target, authorization, allowed, fault)
        self.counts[f"{status}" if fault in (Fault.none, Fault.slow) else fault] += 1
        with self._asked:
            self._asked.notify_all()
        return Answer(status, body, headers, fault, rows)

    def wait_for(self, requests: int, bound_s: float) -> bool:
        """Wait until so many requests have come, at most ``bound_s``: whether they have."""
        with self._asked:
            return self._asked.wait_for(lambda: self.counts.total() >= requests, bound_s)

    def sent(self, answer: Answer) -> None:
        """An answer leaves, whole."""
        if answer.rows is not None:
            self.shown[answer.rows] = True

    def _status(
        self, target: str, authorization: str | None, allowed: bool, fault: Fault
    ) -> tuple[int, bytes, Array | None]:
        if authorization != f"Bearer {TOKEN}":
            return _refusal(401, "unable to authenticate: invalid token")
        if not allowed:
            return _refusal(429, "rate limit exceeded")
        if fault is Fault.refused:
            return _refusal(503, "the log is busy")
        try:
            return self._listing(target)
        except Bad as error:
            return _refusal(400, str(error))

    def _listing(self, target: str) -> tuple[int, bytes, Array | None]:
        url = urlsplit(target)
        params = parse_qs(url.query, keep_blank_values=True)
        if url.path == _DLQ:
            return 200, json.dumps(self.dead.page(Asked.of(params, DEAD_PAGE), self.now_ms())).encode(), None
        if url.path not in self.settings.paths:
            return _refusal(404, f"no such route: {url.path}")
        shape = SHAPES[url.path]
        asked = Asked.of(params, shape.most, self.settings.page)
        rows, is_more = self._selection.page(asked, self.now_ms())
        cursor = f"{self.log.time_ms[rows[-1]]}-{rows[-1]}" if is_more else None
        return 200, page(self.log, rows, shape, cursor, bodies=self.settings.bodies), rows


def _refusal(status: int, text: str) -> tuple[int, bytes, None]:
    return status, json.dumps({"error": text}).encode(), None
