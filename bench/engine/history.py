"""Messages that live their life in a database by the engine's own core: accepted, tried, retried, ended.

No socket and no driver: the outcome of an attempt is told by its message, so the same history is made each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from qsops.clock import ManualClock, SeededIds
from qsops.engine.core.agenda import next_gate_ms
from qsops.engine.core.attempts import Attempt, Outcome, ReportIds, Settled
from qsops.engine.core.due import due, next_due_ms
from qsops.engine.core.gates import arrive_due
from qsops.engine.core.intake import accept
from qsops.engine.core.journal import write_active
from qsops.engine.core.pending import FIRST, cancel
from qsops.engine.core.settlement import close_canceled, settle
from qsops.engine.plans import plan_named
from qsops.models import CancelFilter, Message

__all__ = ["FAILS", "RECOVERS", "History"]

#: Headers by which a message tells what becomes of its attempts.
RECOVERS = (("Bench-Outcome", "recovers"),)
FAILS = (("Bench-Outcome", "fails"),)
_ANSWER = (("Content-Type", "text/plain"), ("Server", "bench"))
_ATTEMPTS_AT_ONCE = 1_000
_LATENCY_MS = 5
#: No history of ours has more turns than this.
_TURNS = 1_000_000


class History:
    """A history of ``account`` under ``clock``."""

    def __init__(self, connection: Connection, account: int, clock: ManualClock) -> None:
        self.connection = connection
        self.account = account
        self.clock = clock
        self._ids = SeededIds(clock, seed=1)
        self._plan = plan_named("payg")

    def live(self, messages: Sequence[Message]) -> None:
        """Accept ``messages`` now, and go through all that comes of them."""
        self.take(messages)
        self.run()

    def take(self, messages: Sequence[Message]) -> None:
        """Accept ``messages`` now."""
        for message in messages:
            accept(self.connection, self.account, message, self.clock.now_ms())

    def new_id(self) -> str:
        """The next message's id."""
        return self._ids.make("msg_")

    def cancel(self, ids: Sequence[str]) -> None:
        """Take messages back."""
        wanted = CancelFilter(message_ids=tuple(ids))
        cancel(self.connection, self.account, wanted, len(ids), self.clock.now_ms(), FIRST)

    def run(self) -> None:
        """Until nothing is due any more; the clock moves to each due time."""
        for _ in range(_TURNS):
            arrive_due(self.connection, self.clock.now_ms())
            attempts = due(self.connection, self.clock.now_ms(), limit=_ATTEMPTS_AT_ONCE, in_flight={}).attempts
            if attempts:
                self._carry(attempts)
            elif (at_ms := self._next_ms()) is None:
                return
            else:
                self.clock.move_to(max(at_ms, self.clock.now_ms()))
        raise RuntimeError(f"the history is not through after {_TURNS:,} turns")

    def _carry(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            if attempt.canceled:
                close_canceled(self.connection, attempt, self.clock.now_ms(), self._plan)
        sent = [attempt for attempt in attempts if not attempt.canceled]
        write_active(self.connection, sent, self.clock.now_ms())
        self.clock.advance(_LATENCY_MS)
        ended = [Settled(attempt, _outcome(attempt), self.clock.now_ms(), ReportIds()) for attempt in sent]
        settle(self.connection, ended, self._plan)

    def _next_ms(self) -> int | None:
        times = (next_due_ms(self.connection, {}), next_gate_ms(self.connection))
        return min((at_ms for at_ms in times if at_ms is not None), default=None)


def _outcome(attempt: Attempt) -> Outcome:
    headers = attempt.message.headers
    if FAILS[0] in headers or (RECOVERS[0] in headers and attempt.retried == 0):
        return Outcome(503, _ANSWER, b"try again later")
    return Outcome(200, _ANSWER, b"ok")
