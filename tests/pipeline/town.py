"""The whole path in one process: Meta's side, the service, an engine, and one clock that everything lives on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from qsops.engine.virtual import VirtualLoop
from qsops.errors import Unreachable
from qsops.models import DlqFilter, LedgerEntry
from qsops.wire.http import Request, Response
from qsops.wire.ledger import LEDGER_PATH, parse_ledger
from service.app import create_app
from service.errors import StoreUnavailable
from service.rehearsal import APP_SECRET, INTERNAL_TOKEN, rehearsal_settings
from service.samples import signed_headers
from service.store import SqliteStore, Statement
from service.webhook import WEBHOOK_PATH

BASE = "https://service.example"
HOUR_MS = 3_600_000


class Road:
    """The way to QStash; it can be cut."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self.is_cut = False

    async def send(self, request: Request) -> Response:
        if self.is_cut:
            raise Unreachable("the road is cut")
        return await self._engine.send(request)

    async def aclose(self) -> None:
        return None


_VERBS = (
    "known",
    "record",
    "commit",
    "take",
    "settle",
    "backlog",
    "lag",
    "report",
    "untold",
    "told",
    "prune",
    "release",
)


class Switchable(SqliteStore):
    """A database that can be switched off: then every verb says that it is away."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.is_away = False

    def __getattribute__(self, name: str) -> Any:
        if name in _VERBS and self.is_away:
            raise StoreUnavailable("switched off")
        return super().__getattribute__(name)


@dataclass
class Town:
    clock: ManualClock
    engine: Embedded
    road: Road
    store: Switchable
    app: FastAPI
    http: httpx.AsyncClient
    answers: list[httpx.Response] = field(default_factory=list)

    async def post(self, *bodies: bytes) -> None:
        for body in bodies:
            answer = await self.http.post(WEBHOOK_PATH, content=body, headers=signed_headers(APP_SECRET, body))
            self.answers.append(answer)
            assert answer.status_code == 200, answer.text

    async def ledger(self) -> list[LedgerEntry]:
        entries: list[LedgerEntry] = []
        cursor: str | None = "0"
        while cursor is not None:
            headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
            answer = await self.http.get(LEDGER_PATH, params={"cursor": cursor, "limit": "1000"}, headers=headers)
            page = parse_ledger(answer.json())
            entries += page.items
            cursor = page.cursor
        return entries

    async def dead_letters(self) -> list[Any]:
        return list((await self.app.state.service.client.dead_letters(DlqFilter())).items)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        return await self.store.fetch(Statement(sql))


def in_town(main: Callable[[Town], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """Run ``main`` in a fresh town on virtual time; ``poster`` and ``tracing`` are parts of the app, not settings."""
    clock = ManualClock()
    loop = VirtualLoop(clock)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_live(main, clock, settings))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


async def _live(main: Callable[[Town], Coroutine[Any, Any, Any]], clock: ManualClock, settings: dict[str, Any]) -> Any:
    engine = Embedded(clock=clock)
    road, store = Road(engine), Switchable()
    parts = {name: settings.pop(name) for name in ("poster", "tracing") if name in settings}
    app = create_app(rehearsal_settings(BASE, **settings), clock=clock, transport=road, store=store, **parts)
    engine.mount(BASE, app)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
    try:
        return await main(Town(clock, engine, road, store, app, http))
    finally:
        await http.aclose()
        await engine.aclose()
        await app.state.service.aclose()
