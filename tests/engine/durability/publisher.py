"""A publisher in its own right: it goes on through every kill, and keeps what it was answered in a ledger."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import aiohttp

from tests.engine.durability.engine import HEADERS
from tests.engine.durability.ledger import Ledger, kind_of, new_key
from tests.engine.durability.receiver import Receiver

__all__ = ["LANES", "QUEUES", "Publisher"]

BATCH: Final = 10
#: So many accepted messages may be on their way; more would only make the settling long.
_WINDOW: Final = 200
_QUEUE_WINDOW: Final = 8
_OPTIONS: Final = {"Upstash-Retries": "50", "Upstash-Retry-Delay": "20"}
#: What each kind asks for beside that.
_ASKED: Final = {
    "doomed": {"Upstash-Retries": "1"},
    "later": {"Upstash-Delay": "1h"},
    "recalled": {"Upstash-Delay": "1h"},
}
LANES: Final = ("plain", "plain", "plain", "batch", "once", "mixed")
QUEUES: Final = ("queue", "queue", "queue")


class Publisher:
    """Publishes to ``receiver`` in ``lanes``, one request at a time in each, from :meth:`run` to :meth:`rest`.

    ``up`` is set while there is an engine at ``url``; ``draw`` gives numbers from [0, 1).
    """

    def __init__(self, receiver: Receiver, lanes: Sequence[str], draw: Callable[[], float]) -> None:
        self.ledger = Ledger()
        self.up = asyncio.Event()
        self.url = ""
        self._receiver = receiver
        self._draw = draw
        self._lanes = lanes
        self._resting = False
        self._http: aiohttp.ClientSession

    async def run(self) -> None:
        """Keep every lane busy until told to rest; what a request was answered is in the ledger then."""
        ways = {"plain": self._singly, "batch": self._in_batches, "once": self._once, "mixed": self._mixed}
        async with aiohttp.ClientSession(headers=HEADERS) as self._http, asyncio.TaskGroup() as lanes:
            for number, lane in enumerate(self._lanes):
                lanes.create_task(ways.get(lane, self._in_order)(f"{lane}{number}"))

    async def rest(self) -> None:
        """No new request; :meth:`run` returns once the last one is answered."""
        async with self._receiver.progress:
            self._resting = True
            self._receiver.progress.notify_all()

    async def _singly(self, lane: str) -> None:
        async for number in self._numbers():
            await self._publish(new_key("plain", lane, number))

    async def _mixed(self, lane: str) -> None:
        kinds = itertools.cycle(("reported", "doomed", "later", "recalled"))
        async for number in self._numbers():
            key = new_key(next(kinds), lane, number)
            if await self._publish(key) and kind_of(key) == "recalled":
                await self._recall(key)

    async def _in_batches(self, lane: str) -> None:
        async for number in self._numbers():
            keys = [new_key("batch", lane, BATCH * number + place) for place in range(BATCH)]
            url = f"{self._receiver.url}/batch"
            items = [{"destination": url, "body": key, "headers": _OPTIONS} for key in keys]
            answer = await self._ask("POST", "/v2/batch", json.dumps(items), {})
            if answer is None:
                self.ledger.lost.append(tuple(keys))
                continue
            for key, item in zip(keys, answer, strict=True):
                self.ledger.accept(key, item["messageId"])

    async def _once(self, lane: str) -> None:
        """Ask until answered, and now and then once more for an old one: it is one message all the same."""
        known: list[str] = []
        async for number in self._numbers():
            key = new_key("once", lane, number)
            while not await self._publish(key, {"Upstash-Deduplication-Id": key}):
                continue
            known.append(key)
            old = known[int(self._draw() * len(known))]
            answered = self.ledger.repeated
            if await self._publish(old, {"Upstash-Deduplication-Id": old}):
                assert self.ledger.repeated == answered + 1, f"{old} was not taken for a duplicate"

    async def _in_order(self, lane: str) -> None:
        waiting: set[str] = set()

        def on_the_way() -> int:
            waiting.difference_update(self._receiver.done)
            return len(waiting)

        async for number in self._numbers():
            await self._room(_QUEUE_WINDOW, on_the_way)
            key = new_key("queued", lane, number)
            if await self._publish(key, path=f"/v2/enqueue/{lane}"):
                waiting.add(key)

    async def _publish(self, key: str, headers: dict[str, str] | None = None, path: str = "/v2/publish") -> bool:
        """Whether it was answered."""
        report = {"Upstash-Callback": f"{self._receiver.url}/report"} if kind_of(key) == "reported" else {}
        asked = {**_OPTIONS, **_ASKED.get(kind_of(key), {}), **report, **(headers or {})}
        answer = await self._ask("POST", f"{path}/{self._receiver.url}/{kind_of(key)}", key, asked)
        if answer is None:
            self.ledger.lost.append((key,))
            return False
        self.ledger.accept(key, answer["messageId"])
        self.ledger.repeated += answer.get("deduplicated", False)
        return True

    async def _recall(self, key: str) -> None:
        # Whether a cancelling without an answer was done, nobody knows; with one it was.
        if await self._ask("DELETE", f"/v2/messages/{self.ledger.accepted[key]}", "", {}) is not None:
            self.ledger.recalled.add(key)

    async def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> Any:
        """The answer; None if the connection ended without one."""
        while True:
            await self.up.wait()
            try:
                async with self._http.request(method, self.url + path, data=body, headers=headers) as answer:
                    if method == "DELETE" and answer.status == 404:
                        return None  # the client asked twice, and the first time was heard
                    assert answer.status in (200, 202), f"{method} {path}: {answer.status} {await answer.text()}"
                    return await answer.json()
            except aiohttp.ClientConnectorError:
                continue  # nobody was there to hear it
            except (aiohttp.ClientError, ConnectionError):
                return None

    async def _numbers(self) -> AsyncIterator[int]:
        for number in itertools.count():
            await self._room(_WINDOW, lambda: len(self.ledger.due) - len(self._receiver.done))
            if self._resting:
                return
            yield number

    async def _room(self, window: int, on_the_way: Callable[[], int]) -> None:
        async with self._receiver.progress:
            await self._receiver.progress.wait_for(lambda: self._resting or on_the_way() < window)
