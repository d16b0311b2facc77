"""Steps that send: one message, several in one batch, to a URL, a queue or a group; and what the books make of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from qsops.models import ItemError, Publish, Receipt
from qsops.wire.destinations import is_url
from qsops.wire.http import Response
from qsops.wire.publishing import batch_request, parse_batch_receipts, parse_receipts, publish_request
from tests.engine.simulation.model import Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Batch", "Send", "SendAgain", "receive", "with_body"]

#: As the vendor's documents have it: ten minutes.
_DEDUPLICATED_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Send:
    """``publish`` without a body gets one of its own."""

    publish: Publish
    account: int = 0

    async def take(self, world: World) -> None:
        publish = with_body(world, self.publish)
        receive(world, self.account, publish, await world.send(publish_request(publish), self.account))


@dataclass(frozen=True, slots=True)
class SendAgain:
    """``publish``, which has a name, and the same once more ``after_ms``."""

    publish: Publish
    after_ms: int

    async def take(self, world: World) -> None:
        await Send(self.publish).take(world)
        await world.advance(min(self.after_ms, world.left_ms))
        await world.audit.run()
        await Send(self.publish).take(world)


@dataclass(frozen=True, slots=True)
class Batch:
    """All in one request."""

    publishes: tuple[Publish, ...]
    account: int = 0

    async def take(self, world: World) -> None:
        asked = [with_body(world, publish) for publish in self.publishes]
        response = await world.send(batch_request(asked), self.account)
        assert response.status == 200, response
        answers = parse_batch_receipts(response, len(asked))
        for publish, receipts in zip(asked, answers, strict=True):
            if not _is_known(world, self.account, publish):
                assert isinstance(receipts, ItemError), receipts
                continue
            assert not isinstance(receipts, ItemError), receipts
            _book(world, self.account, publish, receipts, world.now_ms)


def with_body(world: World, publish: Publish) -> Publish:
    """``publish`` with a body that no other has, unless it has one already."""
    return publish if publish.body else msgspec.structs.replace(publish, body=world.books.next_body())


def receive(world: World, account: int, publish: Publish, response: Response, *, at_ms: int | None = None) -> None:
    """Take into the books what was answered to ``publish``, which was accepted ``at_ms``, or now."""
    if not _is_known(world, account, publish):
        assert response.status == 404, response
        return
    assert response.status in (200, 202), response
    receipts = parse_receipts(response)
    assert (response.status == 202) == all(receipt.deduplicated for receipt in receipts), response
    _book(world, account, publish, receipts, world.now_ms if at_ms is None else at_ms)


def _is_known(world: World, account: int, publish: Publish) -> bool:
    return is_url(publish.destination) or (account, publish.destination) in world.books.groups


def _book(world: World, account: int, publish: Publish, receipts: Sequence[Receipt], now_ms: int) -> None:
    for receipt, url in zip(receipts, _urls(world, account, publish), strict=True):
        assert receipt.url in (None, url), (receipt, url)
        endpoint = "" if is_url(publish.destination) else url
        first = _first_id(world, account, publish, endpoint, now_ms)
        assert receipt.deduplicated == (first is not None), f"{receipt}, first {first}"
        if first is not None:
            assert receipt.message_id == first, (receipt, first)
            continue
        if (name := _name(publish)) is not None:
            world.books.first_ids[account, name, endpoint] = (receipt.message_id, now_ms)
        sent = _sent(world, account, receipt.message_id, msgspec.structs.replace(publish, destination=url), now_ms)
        sent.group = None if is_url(publish.destination) else publish.destination
        world.books.add(sent)


def _first_id(world: World, account: int, publish: Publish, endpoint: str, now_ms: int) -> str | None:
    name = _name(publish)
    first = None if name is None else world.books.first_ids.get((account, name, endpoint))
    return first[0] if first is not None and now_ms < first[1] + _DEDUPLICATED_MS else None


def _name(publish: Publish) -> str | None:
    """Under which a message counts as one with others: its publisher's name for it, or else what it says to whom."""
    if publish.deduplication_id is not None:
        return publish.deduplication_id
    if publish.content_based_deduplication:
        return f"{publish.destination} {publish.body.decode()} {sorted(publish.headers)}"
    return None


def _sent(world: World, account: int, message_id: str, publish: Publish, now_ms: int) -> Sent:
    return Sent(
        *(message_id, account, publish, now_ms, now_ms + 1000 * (publish.delay_s or 0)),
        order=len(world.books.messages),
    )


def _urls(world: World, account: int, publish: Publish) -> Iterable[str]:
    if is_url(publish.destination):
        return [publish.destination]
    return [endpoint.url for endpoint in world.books.groups[account, publish.destination]]
