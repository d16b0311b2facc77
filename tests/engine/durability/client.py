"""A client that notes when it asked and when it was answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from qsops.clock import SystemClock
from tests.engine.durability.engine import HEADERS

__all__ = ["Answer", "Client", "asking"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are monotonic seconds."""

    status: int
    json: Any
    asked_s: float
    answered_s: float


class Client:
    """Of the engine at ``url``."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._clock = SystemClock()

    async def ask(self, method: str, path: str, body: str = "", **options: str) -> Answer:
        """``retry_delay="1"`` goes as ``Upstash-Retry-Delay``."""
        headers = {f"Upstash-{name.replace('_', '-')}": value for name, value in options.items()}
        asked_s = self._clock.monotonic_s()
        async with self._http.request(method, self._url + path, data=body, headers=headers) as answer:
            return Answer(answer.status, await answer.json(), asked_s, self._clock.monotonic_s())

    async def publish(self, url: str, key: str, **options: str) -> Answer:
        """``key`` is body and label."""
        return await self.ask("POST", f"/v2/publish/{url}", key, label=key, **options)

    async def labels(self) -> list[str]:
        """Those of all messages in the log, oldest first."""
        events = (await self.ask("GET", "/v2/events?order=earliestFirst")).json["events"]
        return [event["label"] for event in events if event["state"] == "CREATED"]

    async def until_accepted(self, url: str, key: str, **options: str) -> Answer:
        """Ask again and again, as a client does, until it is accepted."""
        while (answer := await self.publish(url, key, **options)).status != 200:
            assert answer.status in (503, 507), answer
        return answer


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Client]:
    """A client of the engine at ``url``."""
    async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(30)) as http:
        yield Client(http, url)
