"""What a handler may do to the world: collect statements and messages, which are committed together with the claim."""

from __future__ import annotations

import asyncio
import hashlib
import json as json_codec
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from qsops.errors import Rejected
from qsops.models import Publish
from qsops.wire.publishing import parse_publish, publish_request
from service.envelope import EVENT_ID_HEADER, Event
from service.store import Outgoing, Parameters, Row, Statement, Store

__all__ = ["BlockingTransaction", "Delivery", "Transaction", "deduplication_id"]

#: Forwarded with each message of :meth:`Transaction.publish`, for receivers that take one.
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"


def deduplication_id(identity: str) -> str:
    """The deduplication id for what is identified by ``identity``: a hash, since QStash refuses a ``:`` in it."""
    return hashlib.sha256(identity.encode()).hexdigest()


class Delivery(msgspec.Struct, frozen=True):
    """The attempt that runs a handler. ``retried`` is 0 at the first; after ``timeout_s`` QStash gives up on it.

    ``retries`` is how often what the handler publishes is tried again, unless it says otherwise.
    """

    message_id: str | None = None
    retried: int = 0
    timeout_s: int = 30
    retries: int = 5


class _Collecting:
    """What both kinds of transaction collect; nothing of it happens until the handler has returned."""

    def __init__(self, event: Event, delivery: Delivery) -> None:
        self.delivery = delivery
        self.statements: list[Statement] = []
        self.outgoing: list[Outgoing] = []
        self._event = event

    def execute(self, sql: str, parameters: Parameters | None = None) -> None:
        """Collect a statement with named parameters (``:name``); if it fails, the whole delivery fails."""
        self.statements.append(Statement(sql, dict(parameters or {})))

    def publish(
        self,
        destination: str,
        *,
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        delay_s: int | None = None,
        retries: int | None = None,
        label: str | None = None,
    ) -> None:
        """Collect a message, sent through QStash once the event is claimed.

        Its deduplication id, also forwarded as ``Idempotency-Key``, is a function of the event and of how many were
        collected before it: a handler that runs twice sends once.

        :raises ValueError: no such message could ever be sent; the text names the argument.
        """
        key = deduplication_id(f"{self._event.id}/{len(self.outgoing)}")
        forwarded = {EVENT_ID_HEADER: self._event.id, IDEMPOTENCY_HEADER: key, **(headers or {})}
        if json is not None:
            body = json_codec.dumps(json, separators=(",", ":")).encode()
            forwarded.setdefault("Content-Type", "application/json")
        message = Publish(
            destination,
            body,
            method=method,
            headers=tuple(forwarded.items()),
            delay_s=delay_s,
            retries=self.delivery.retries if retries is None else retries,
            deduplication_id=key,
            labels=(label,) if label else (),
        )
        _check(message)
        self.outgoing.append(Outgoing(message))


def _check(message: Publish) -> None:
    """Find out now, where the handler can be mended, and not in the outbox, what could not be sent."""
    if not message.destination:
        raise ValueError("destination is empty: name a URL or a URL group")
    try:
        parse_publish(publish_request(message))
    except Rejected as error:
        raise ValueError(error.text) from error


class Transaction(_Collecting):
    """What an ``async def`` handler is given."""

    def __init__(self, event: Event, delivery: Delivery, store: Store) -> None:
        super().__init__(event, delivery)
        self._store = store

    async def fetch(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """The rows of a query as they are committed now; what this transaction has collected is not among them."""
        return await self._store.fetch(Statement(sql, dict(parameters or {})))


class BlockingTransaction(_Collecting):
    """What a plain ``def`` handler is given, on a thread of its own."""

    def __init__(self, event: Event, delivery: Delivery, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(event, delivery)
        self._store = store
        self._loop = loop

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """As :meth:`Transaction.fetch`; blocks this thread, not the service."""
        query = self._store.fetch(Statement(sql, dict(parameters or {})))
        return asyncio.run_coroutine_threadsafe(query, self._loop).result()
