"""The engine's log as a client reads it: every entry, oldest first, and what each message went through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.engine.durability.engine import HEADERS
from tests.engine.durability.ledger import NOT_DUE

__all__ = ["FINAL", "Get", "Story", "over_http", "pages_of", "read_story"]

#: Gives the answer to a path and its query.
Get = Callable[[str, Mapping[str, str]], Awaitable[dict[str, Any]]]

FINAL: Final = frozenset({"DELIVERED", "FAILED", "CANCELED"})


@dataclass
class Story:
    """``states`` by message, ``ended_ms`` the time of a final state, ``times_ms`` that of each entry.

    ``waiting`` are the messages that are not due while a test runs.
    """

    states: dict[str, list[str]] = field(default_factory=dict)
    ended_ms: dict[str, int] = field(default_factory=dict)
    times_ms: dict[str, list[int]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)

    def add(self, entry: dict[str, Any]) -> None:
        self.states.setdefault(entry["messageId"], []).append(entry["state"])
        self.times_ms.setdefault(entry["messageId"], []).append(entry["time"])
        if entry["url"].endswith(NOT_DUE):
            self.waiting.add(entry["messageId"])
        if entry["state"] in FINAL:
            self.ended_ms[entry["messageId"]] = entry["time"]

    def unfinished(self) -> set[str]:
        """The messages without a final state, though they are due."""
        return self.states.keys() - self.ended_ms.keys() - self.waiting


async def read_story(get: Get) -> Story:
    """The whole log."""
    story = Story()
    async for entry in pages_of(get, "/v2/events", "events"):
        story.add(entry)
    return story


async def pages_of(get: Get, path: str, key: str) -> AsyncIterator[dict[str, Any]]:
    """Every item of a listing, earliest first, page after page."""
    query = {"order": "earliestFirst"}
    while True:
        page = await get(path, query)
        for item in page[key]:
            yield item
        if "cursor" not in page:
            return
        query["cursor"] = page["cursor"]


@asynccontextmanager
async def over_http(url: str) -> AsyncIterator[Get]:
    """Asks the engine at ``url``."""
    async with aiohttp.ClientSession(headers=HEADERS) as http:

        async def get(path: str, query: Mapping[str, str]) -> dict[str, Any]:
            async with http.get(url + path, params=query) as answer:
                return await answer.json()

        yield get
