"""Where messages come from that no answer has named: callbacks, schedules, and requests whose answer a crash ate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from qsops.models import LogEntry, Publish
from qsops.wire.destinations import is_url
from tests.engine.simulation.model import Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Origins"]


class Origins:
    """Takes a message into the books, or refuses: nothing comes of nothing."""

    def __init__(self, world: World) -> None:
        self._world = world

    def adopt(self, account: int, row: LogEntry) -> None:
        """``row`` says CREATED of a message that is not in the books.

        :raises AssertionError: when nobody asked for it.
        """
        if row.body is not None and row.body.startswith(b"{"):
            self._adopt_report(account, row)
        elif row.schedule_id is not None:
            self._adopt_fired(account, row)
        else:
            self._adopt_doubtful(account, row)

    def _adopt_report(self, account: int, row: LogEntry) -> None:
        told = json.loads(row.body or b"")
        source = self._world.books.messages[told["sourceMessageId"]]
        heading = (row.url or "", told["retried"], told["status"])
        assert heading in source.awaited, f"{row.message_id} reports {heading} of {source.message_id}, unasked"
        source.awaited.remove(heading)
        asked = [source.publish.callback, source.publish.failure_callback]
        callback = next(one for one in asked if one is not None and one.url == row.url)
        publish = Publish(
            destination=callback.url,
            body=row.body or b"",
            method=callback.method,
            retries=source.max_retries if callback.retries is None else callback.retries,
            retry_delay=callback.retry_delay,
            timeout_s=callback.timeout_s,
        )
        sent = self._add(account, row, publish)
        sent.source = source
        source.reports.append(sent)
        self._world.books.pending.setdefault(source.message_id, source)

    def _adopt_fired(self, account: int, row: LogEntry) -> None:
        plan = self._world.books.plans[row.schedule_id or ""]
        assert plan.account == account
        sent = self._add(account, row, _to(plan.publish, row.url or ""))
        sent.schedule_id, sent.fired = row.schedule_id, True
        sent.group = None if is_url(plan.publish.destination) else plan.publish.destination

    def _adopt_doubtful(self, account: int, row: LogEntry) -> None:
        books = self._world.books
        found = [one for one in books.doubtful if one[0] == account and one[1].body == row.body]
        assert found, f"{row.message_id}, {row.body!r} to {row.url}, was never sent"
        publish = found[0][1]
        if is_url(publish.destination):
            books.doubtful.remove(found[0])
        sent = self._add(account, row, _to(publish, row.url or ""))
        sent.group = None if is_url(publish.destination) else publish.destination
        if publish.deduplication_id is not None:
            endpoint = "" if is_url(publish.destination) else row.url or ""
            books.first_ids[account, publish.deduplication_id, endpoint] = (row.message_id, row.time_ms)

    def _add(self, account: int, row: LogEntry, publish: Publish) -> Sent:
        books = self._world.books
        due_ms = row.time_ms + 1000 * (publish.delay_s or 0)
        sent = Sent(row.message_id, account, publish, row.time_ms, due_ms, len(books.messages))
        books.add(sent)
        return sent


def _to(publish: Publish, url: str) -> Publish:
    """``publish`` as it goes to one endpoint."""
    return msgspec.structs.replace(publish, destination=url)
