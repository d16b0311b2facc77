"""Dead letters: exactly the messages that failed for good, and were neither retried nor deleted since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsops.models import DeadLetter, DlqFilter, LogEntry, State
from qsops.wire.dlq import dlq_request, parse_dlq
from tests.engine.simulation.model import Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Letters", "list_letters"]


class Letters:
    def __init__(self, world: World) -> None:
        self._world = world

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        if row.state == State.FAILED:
            status = sent.arrival.outcome.status if sent.arrival is not None else -1
            self._world.books.letters[sent.message_id] = (row.time_ms, status)

    def on_new_life(self) -> None:
        return

    async def at_rest(self) -> None:
        world = self._world
        kept_ms = world.plan.dlq_retention_ms or 2**60
        for account in range(2):
            found = {one.message.message_id: one for one in await list_letters(world, account)}
            expected = {
                message_id: letter
                for message_id, letter in world.books.letters.items()
                if world.books.messages[message_id].account == account
            }
            old = {one for one, (at_ms, _) in expected.items() if at_ms + kept_ms <= world.now_ms}
            assert expected.keys() - old <= found.keys() <= expected.keys(), (found, expected)
            for message_id, letter in found.items():
                self._compare(letter, world.books.messages[message_id], *expected[message_id])

    def _compare(self, letter: DeadLetter, sent: Sent, at_ms: int, status: int) -> None:
        assert letter.dlq_id.startswith(f"{at_ms}-"), (letter, at_ms)
        assert letter.response_status == status, (letter, status)
        assert (letter.message.url, letter.message.body) == (sent.publish.destination, sent.publish.body), letter


async def list_letters(
    world: World, account: int, *, count: int | None = None, earliest_first: bool = False
) -> list[DeadLetter]:
    """All of them, ``count`` at a time."""
    found: list[DeadLetter] = []
    cursor = None
    while True:
        request = dlq_request(DlqFilter(earliest_first=earliest_first), cursor, count)
        page = parse_dlq(await world.send(request, account))
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
