"""Handlers as somebody may write them, for QSOPS_HANDLER."""

import asyncio
import os

from service.processing import BlockingTransaction, Event, Permanent, RetryAfter, Transaction

NOTE = "insert into other_events (event_id, kind, account, occurred_at_ms, payload) values (:id, 'note', 'a', 0, :text)"


def note(event: Event, text: str) -> dict[str, str]:
    return {"id": event.id, "text": text}


async def waiting(event: Event, tx: Transaction) -> None:
    found = await tx.fetch("select count(*) as n from claims where event_id = :id", {"id": event.id})
    tx.execute(NOTE, note(event, f"{found[0]['n']} claims, attempt {tx.delivery.retried}"))


def blocking(event: Event, tx: BlockingTransaction) -> None:
    found = tx.fetch("select count(*) as n from claims")
    tx.execute(NOTE, note(event, f"{found[0]['n']} claims"))


class AsObject:
    async def __call__(self, event: Event, tx: Transaction) -> None:
        tx.execute(NOTE, note(event, "object"))


as_object = AsObject()


async def following_up(event: Event, tx: Transaction) -> None:
    tx.publish("https://elsewhere.example/a", json={"grüße": "👋"}, label="follow-up", delay_s=60, retries=1)
    tx.publish("https://elsewhere.example/b", body=b"\xff", headers={"Content-Type": "application/octet-stream"})


async def half_broken(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "before the fault"))
    tx.execute("insert into nowhere values (1)")


async def raising(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "never"))
    raise ValueError("a secret text of a person")


async def permanent(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "never"))
    raise Permanent("account 7 is closed")


async def retry_soon(event: Event, tx: Transaction) -> None:
    raise RetryAfter(1, status=429)


async def retry_late(event: Event, tx: Transaction) -> None:
    raise RetryAfter(7_200.5)


async def retry_in_a_week(event: Event, tx: Transaction) -> None:
    raise RetryAfter(7 * 86_400)


async def held(event: Event, tx: Transaction) -> None:
    """Tells the port in HELD_AT that it has begun, and goes on when it hears back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["HELD_AT"]))
    writer.write(b"+")
    try:
        await reader.readexactly(1)
        tx.execute(NOTE, note(event, "held"))
    finally:
        writer.close()


NO_FUNCTION = 7
