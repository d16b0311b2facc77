"""A service in memory between a QStash that does as it is told and a sender who signs, under a manual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

from qsops import signing
from qsops.clock import ManualClock
from qsops.config import DEV_USERS
from qsops.models import LedgerEntry, Publish, Receipt
from qsops.wire.http import Request, Response
from qsops.wire.ledger import LEDGER_PATH, parse_ledger
from qsops.wire.publishing import BATCH_PATH, batch_json, parse_batch, parse_publish, receipt_json
from service.app import Service, create_app
from service.envelope import Event, encode
from service.publishing import CONSUMER_PATH
from service.rehearsal import APP_SECRET, INTERNAL_TOKEN, rehearsal_settings
from service.samples import encode as encode_post
from service.samples import sample, signed_headers
from service.store import Statement, Store
from service.webhook import WEBHOOK_PATH

BASE = "https://service.example"
KEYS = DEV_USERS[0].keys
Answer = Callable[[list[Publish]], Response]


def refused(status: int, text: str = "no", **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _: Response.of_json(status, {"error": text}, pairs)


def raising(error: Exception) -> Answer:
    def answer(_: list[Publish]) -> Response:
        raise error

    return answer


@dataclass
class QStash:
    """A transport that takes publishes; ``answer`` decides otherwise. ``published`` is what it was asked to take."""

    answer: Answer | None = None
    #: Until it answers; what it was asked to take by then it has taken. A year is never.
    takes_s: float = 0
    published: list[Publish] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        is_batch = request.path == BATCH_PATH
        messages = parse_batch(request) if is_batch else [parse_publish(request)]
        assert all(isinstance(message, Publish) for message in messages)
        self.published += messages
        await self._take_time()
        if self.answer is not None:
            return self.answer(messages)
        receipts = [Receipt(f"msg_{message.deduplication_id[:12]}") for message in messages]
        return Response.of_json(200, batch_json(receipts) if is_batch else receipt_json(receipts, group=False))

    async def _take_time(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.takes_s:
                await asyncio.sleep(self.takes_s)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        return None


@dataclass
class Rig:
    """The service and everyone around it."""

    clock: ManualClock
    qstash: QStash
    app: FastAPI
    http: httpx.AsyncClient

    @property
    def service(self) -> Service:
        return self.app.state.service

    async def webhook(self, body: bytes, **headers: str) -> httpx.Response:
        signed = signed_headers(APP_SECRET, body)
        return await self.http.post(WEBHOOK_PATH, content=body, headers={**signed, **headers})

    async def post_sample(self, name: str, mid: str = "mid-1") -> httpx.Response:
        return await self.webhook(encode_post(sample(name, mid=mid, at_ms=self.clock.now_ms())))

    async def deliver(
        self,
        body: bytes | Event,
        *,
        retried: int = 0,
        path: str = CONSUMER_PATH,
        url: str | None = None,
        key: str = KEYS.current,
        message_id: str = "msg_1",
        **headers: str,
    ) -> httpx.Response:
        content = encode(body) if isinstance(body, Event) else body
        token = signing.sign(key, url=url or BASE + path, body=content, now_s=self.clock.now_ms() // 1000, jti="jwt_1")
        sent = {"Upstash-Signature": token, "Upstash-Message-Id": message_id, "Upstash-Retried": str(retried)}
        return await self.http.post(path, content=content, headers={**sent, **headers})

    async def internal(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
        return await self.http.request(method, path, headers=headers, **options)

    async def ledger(self, **query: str) -> list[LedgerEntry]:
        answer = await self.internal("GET", LEDGER_PATH, params=query)
        assert answer.status_code == 200, answer.text
        return list(parse_ledger(answer.json()).items)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        return await self.service.store.fetch(Statement(sql))

    async def count(self, table: str) -> int:
        return (await self.rows(f"select count(*) as n from {table}"))[0]["n"]

    def event(self, name: str = "message", mid: str = "mid-1", **changes: Any) -> Event:
        return event_of(name, mid, self.clock.now_ms(), **changes)


def event_of(name: str, mid: str, at_ms: int, **changes: Any) -> Event:
    """A sample as the event that ingest makes of it."""
    from service.webhook import events_of

    (event,) = events_of(json.dumps(sample(name, mid=mid, at_ms=at_ms)).encode(), at_ms)
    return msgspec.structs.replace(event, **changes)


def make_rig(clock: ManualClock | None = None, store: Store | None = None, **settings: Any) -> Rig:
    clock = clock or ManualClock()
    qstash = QStash()
    told = rehearsal_settings(BASE, **{"allowed_hosts": "service.example, proxy.internal", **settings})
    app = create_app(told, clock=clock, transport=qstash, store=store)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy.internal:8000")
    return Rig(clock, qstash, app, http)


async def close(rig: Rig) -> None:
    await rig.http.aclose()
    await rig.service.aclose()
