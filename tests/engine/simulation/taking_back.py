"""Steps about what was sent: cancel messages, and retry or delete dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from qsops.models import CancelFilter, DlqFilter
from qsops.wire.dlq import (
    dlq_bulk_delete_request,
    dlq_bulk_retry_request,
    dlq_delete_request,
    dlq_retry_request,
    parse_bulk_retried,
    parse_deleted,
    parse_retried,
)
from qsops.wire.messages import bulk_cancel_request, cancel_request, parse_cancelled
from tests.engine.simulation.letters import list_letters
from tests.engine.simulation.model import Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Cancel", "CancelWhere", "DeleteLetter", "DeleteLetters", "RetryLetter", "RetryLetters"]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The message of this number, counted over all of an account; one that is over or taken back already is unknown."""

    number: int
    account: int = 0

    async def take(self, world: World) -> None:
        own = [sent for sent in world.books.messages.values() if sent.account == self.account]
        if not own:
            return
        sent = own[self.number % len(own)]
        response = await world.send(cancel_request(sent.message_id), self.account)
        wanted = sent.ended_ms is None and sent.cancel_ms is None
        assert response.status == (200 if wanted else 404), (response, sent)
        if wanted:
            sent.cancel_ms = world.now_ms


@dataclass(frozen=True, slots=True)
class CancelWhere:
    """All that match."""

    wanted: CancelFilter
    account: int = 0

    async def take(self, world: World) -> None:
        response = await world.send(bulk_cancel_request(self.wanted), self.account)
        assert response.status == 200, response
        found = [sent for sent in world.books.pending.values() if self._matches(sent)]
        assert parse_cancelled(response) == len(found), (response, found)
        for sent in found:
            sent.cancel_ms = world.now_ms

    def _matches(self, sent: Sent) -> bool:
        wanted, publish = self.wanted, sent.publish
        return (
            sent.account == self.account
            and sent.ended_ms is None
            and sent.cancel_ms is None
            and (not wanted.urls or publish.destination in wanted.urls)
            and (not wanted.queues or publish.queue in wanted.queues)
            and (not wanted.labels or not set(wanted.labels).isdisjoint(publish.labels))
            and (not wanted.flow_control_keys or (sent.flow is not None and sent.flow.key in wanted.flow_control_keys))
        )


@dataclass(frozen=True, slots=True)
class RetryLetter:
    """The dead letter of this number, the newest is 0."""

    number: int
    account: int = 0

    async def take(self, world: World) -> None:
        letters = await list_letters(world, self.account)
        if letters:
            letter = letters[self.number % len(letters)]
            response = await world.send(dlq_retry_request(letter.dlq_id), self.account)
            assert response.status == 201, response
            _replace(world, letter.message.message_id, parse_retried(response).message_id)


@dataclass(frozen=True, slots=True)
class RetryLetters:
    """The ``count`` newest."""

    count: int
    account: int = 0

    async def take(self, world: World) -> None:
        letters = (await list_letters(world, self.account))[: self.count]
        request = dlq_bulk_retry_request(DlqFilter(from_ms=0), count=self.count)
        receipts, _ = parse_bulk_retried(await world.send(request, self.account))
        for letter, receipt in zip(letters, receipts, strict=True):
            _replace(world, letter.message.message_id, receipt.message_id)


@dataclass(frozen=True, slots=True)
class DeleteLetter:
    """The dead letter of this number, the newest is 0."""

    number: int
    account: int = 0

    async def take(self, world: World) -> None:
        letters = await list_letters(world, self.account)
        if letters:
            letter = letters[self.number % len(letters)]
            for status in (200, 404):
                response = await world.send(dlq_delete_request(letter.dlq_id), self.account)
                assert response.status == status, response
            del world.books.letters[letter.message.message_id]


@dataclass(frozen=True, slots=True)
class DeleteLetters:
    """The ``count`` newest."""

    count: int
    account: int = 0

    async def take(self, world: World) -> None:
        letters = (await list_letters(world, self.account))[: self.count]
        request = dlq_bulk_delete_request(DlqFilter(from_ms=0), count=self.count)
        deleted, _ = parse_deleted(await world.send(request, self.account))
        assert deleted == len(letters), (deleted, letters)
        for letter in letters:
            del world.books.letters[letter.message.message_id]


def _replace(world: World, message_id: str, new_id: str) -> None:
    """A retry is a new message in the place of the letter, due at once."""
    before = world.books.messages[message_id]
    publish = msgspec.structs.replace(
        before.publish, delay_s=None, deduplication_id=None, content_based_deduplication=False
    )
    new = Sent(new_id, before.account, publish, world.now_ms, world.now_ms, len(world.books.messages))
    new.group, new.schedule_id = before.group, before.schedule_id
    world.books.add(new)
    del world.books.letters[message_id]
