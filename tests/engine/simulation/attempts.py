"""Attempts: the log and the destinations tell the same story, each try comes when it is due, and the end is the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from qsops import retry, signing
from qsops.models import KeyPair, LogEntry, State
from tests.engine.simulation.destinations import Arrival
from tests.engine.simulation.model import FINAL, Sent

if TYPE_CHECKING:
    from tests.engine.simulation.life import Life
    from tests.engine.simulation.world import World

__all__ = ["Attempts"]

_OPEN: Final = frozenset({State.ACTIVE, State.CANCEL_REQUESTED})
_ENDS: Final = frozenset({State.ERROR, State.DELIVERED})


class Attempts:
    """Also the one that brings the books up to date; whoever looks at things as they were stands before it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unknown: dict[str, list[Arrival]] = defaultdict(list)

    def collect(self, arrivals: Iterable[Arrival]) -> None:
        """What the destinations saw since the last time."""
        for arrival in arrivals:
            message_id = arrival.facts.message_id
            assert message_id, f"{arrival.url} was called without a message id"
            self._unknown[message_id].append(arrival)

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        assert row.state in sent.expected, f"{_tale(sent)} → {row.state}"
        assert row.url == sent.publish.destination, (row.url, sent)
        sent.states.append(row.state)
        getattr(self, f"_on_{row.state.lower()}")(row, sent)
        if row.state in FINAL:
            sent.ended_ms, sent.life, sent.expected = row.time_ms, None, frozenset()

    def on_new_life(self) -> None:
        for sent in self._world.books.pending.values():
            if sent.life is not None:
                # What became of it nobody knows: it is tried anew, or closed if it was taken back.
                sent.life = sent.arrival = None
                sent.expected = frozenset({State.CANCELED} if sent.cancel_ms is not None else _OPEN)

    async def at_rest(self) -> None:
        for message_id, arrivals in self._unknown.items():
            for arrival in arrivals:
                self._check_unwritten(self._world.books.messages[message_id], arrival)
        self._unknown.clear()
        for sent in self._world.books.pending.values():
            self._check_nothing_left(sent)

    def _on_created(self, row: LogEntry, sent: Sent) -> None:
        assert row.time_ms == sent.accepted_ms, (row.time_ms, sent)
        assert row.next_delivery_ms == (sent.due_ms if sent.due_ms > sent.accepted_ms else None), (row, sent)
        assert (row.body, row.method, row.labels) == (sent.publish.body, sent.publish.method, sent.publish.labels), row
        assert (row.queue, row.max_retries, row.url_group) == (sent.queue, sent.max_retries, sent.group), (row, sent)
        sent.expected = _OPEN

    def _on_active(self, row: LogEntry, sent: Sent) -> None:
        assert sent.life is None, f"{sent.message_id} is under way twice"
        life = self._world.life_at(row.time_ms)
        self._check_time(row.time_ms, sent)
        under_way = self._world.books.under_way(sent.account, row.time_ms)
        most = self._world.plan.global_parallelism
        assert most is None or under_way < most, f"{under_way} under way before {sent.message_id}"
        if most is not None and under_way + 1 >= most:
            self._world.books.full_until_ms[sent.account] = 2**60
        sent.life, sent.tried = life.number, True
        sent.arrival = self._arrival_of(row.time_ms, sent, life)
        if sent.arrival is not None:
            self._check_arrival(sent, sent.arrival)
        sent.expected = _ENDS | {State.CANCEL_REQUESTED}

    def _on_delivered(self, row: LogEntry, sent: Sent) -> None:
        self._check_outcome(row, sent)
        self._make_room(row.time_ms, sent)

    def _on_error(self, row: LogEntry, sent: Sent) -> None:
        arrival = self._check_outcome(row, sent)
        outcome = arrival.outcome
        assert (row.response_headers, row.response_body or b"") == (outcome.headers, outcome.body), (row, outcome)
        told = {name.lower(): value for name, value in outcome.headers}
        final = outcome.status == 489 and told.get("upstash-nonretryable-error") == "true"
        if sent.failures >= sent.max_retries or final:
            sent.base_ms = row.time_ms
            assert row.next_delivery_ms is None, row
            sent.expected = frozenset({State.FAILED if sent.cancel_ms is None else State.CANCELED})
        else:
            text = sent.publish.retry_delay
            expression = retry.compile_expression(text) if text else None
            delay_ms = retry.next_delay_ms(expression, sent.failures, outcome.headers, row.time_ms)
            sent.base_ms = row.time_ms + delay_ms
            assert row.next_delivery_ms == sent.base_ms, (row, sent.base_ms)
            sent.expected = frozenset({State.RETRY if sent.cancel_ms is None else State.CANCELED})
        sent.failures += 1
        self._make_room(row.time_ms, sent)

    def _on_retry(self, row: LogEntry, sent: Sent) -> None:
        assert row.next_delivery_ms == sent.base_ms, (row, sent.base_ms)
        sent.expected = _OPEN

    def _on_failed(self, row: LogEntry, sent: Sent) -> None:
        assert row.time_ms == sent.base_ms, (row, sent.base_ms)

    def _on_cancel_requested(self, row: LogEntry, sent: Sent) -> None:
        assert sent.cancel_ms == row.time_ms, f"{sent.message_id} was taken back at {row.time_ms}, unasked"
        sent.expected = _ENDS if sent.life is not None else frozenset({State.CANCELED})

    def _on_canceled(self, row: LogEntry, sent: Sent) -> None:
        self._check_time(row.time_ms, sent)

    def _check_time(self, at_ms: int, sent: Sent) -> None:
        """It comes when it is due; what fell due while the engine was down, as it is up again; a gate makes it wait."""
        base_ms = max(sent.base_ms, sent.cancel_ms or 0)
        assert at_ms >= base_ms, f"{_tale(sent)} came at {at_ms}, due at {base_ms}"
        if (sent.gated and sent.cancel_ms is None) or self._world.books.full_until_ms[sent.account] >= base_ms:
            return
        wanted_ms = max(base_ms, self._world.life_at(at_ms).opened_ms)
        assert at_ms == wanted_ms, f"{_tale(sent)} came at {at_ms} instead of {wanted_ms}"

    def _arrival_of(self, at_ms: int, sent: Sent, life: Life) -> Arrival | None:
        arrivals = self._unknown[sent.message_id]
        for number, arrival in enumerate(arrivals):
            if (arrival.at_ms, arrival.life) == (at_ms, life.number):
                for earlier in arrivals[:number]:
                    self._check_unwritten(sent, earlier)
                del arrivals[: number + 1]
                return arrival
        assert life.crashed, f"{sent.message_id} is ACTIVE at {at_ms}, and nothing arrived"
        assert life.closed_ms == at_ms, f"{sent.message_id} is ACTIVE at {at_ms}, and nothing arrived"
        return None

    def _check_arrival(self, sent: Sent, arrival: Arrival) -> None:
        publish = sent.publish
        assert arrival.facts.retried == sent.failures, (arrival, sent)
        assert (arrival.url, arrival.method, arrival.body) == (publish.destination, publish.method, publish.body), sent
        assert set(publish.headers) <= set(arrival.headers), (publish.headers, arrival.headers)
        assert (arrival.facts.schedule_id, arrival.facts.url_group) == (sent.schedule_id, sent.group), (arrival, sent)
        signing.verify(
            arrival.facts.signature,
            keys=KeyPair(arrival.keys[sent.account]),
            body=arrival.body,
            url=arrival.url,
            now_s=arrival.at_ms // 1000,
        )

    def _check_outcome(self, row: LogEntry, sent: Sent) -> Arrival:
        arrival = sent.arrival
        assert arrival is not None, f"{row.state} of {sent.message_id}, which nobody received"
        assert row.time_ms == arrival.end_ms, (row.time_ms, arrival)
        assert (row.response_status or 0) == arrival.outcome.status, (row, arrival.outcome)
        assert (row.state == State.DELIVERED) == arrival.outcome.delivered, (row.state, arrival.outcome)
        return arrival

    def _check_unwritten(self, sent: Sent, arrival: Arrival) -> None:
        """Only a crash in the very instant keeps an attempt out of the log."""
        life = self._world.lives[arrival.life]
        self._check_arrival(sent, arrival)
        assert self._world.kind == "served", f"{arrival} is not in the log"
        assert life.crashed, f"{arrival} is not in the log"
        assert life.closed_ms == arrival.at_ms, f"{arrival} is not in the log"

    def _check_nothing_left(self, sent: Sent) -> None:
        world = self._world
        if sent.arrival is not None and sent.life is not None:
            assert sent.arrival.end_ms > world.now_ms, f"{sent.message_id} was answered, and the log does not say so"
        if sent.ended_ms is not None or sent.life is not None or not world.rested or sent.base_ms > world.now_ms:
            return
        if not world.has_room(sent.account):
            return
        assert sent.gated, f"{_tale(sent)} is due since {sent.base_ms}, and nobody calls"
        assert sent.cancel_ms is None, f"{_tale(sent)} is due since {sent.base_ms}, and nobody closes it"

    def _make_room(self, at_ms: int, sent: Sent) -> None:
        sent.life = None
        most = self._world.plan.global_parallelism
        if most is not None and self._world.books.full_until_ms[sent.account] > at_ms:
            room = self._world.books.under_way(sent.account, at_ms) < most
            self._world.books.full_until_ms[sent.account] = at_ms if room else 2**60


def _tale(sent: Sent) -> str:
    return f"{sent.message_id} {' '.join(sent.states)}"
