"""A slow, plain reading of a message's log, as the oracle for the fold; and stories to fold."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from qsops.clock import EPOCH_MS
from qsops.models import LogEntry

URL = "https://consumer.example/hook"


@dataclass(frozen=True)
class Story:
    """What truly happened to one message: its attempts as (wait, duration, status), and how it ended."""

    message_id: str
    created_ms: int
    attempts: tuple[tuple[int, int, int], ...]
    ending: str  # delivered, failed, canceled, waiting, flying

    def entries(self) -> list[LogEntry]:
        """The log that QStash writes of it."""
        found = [self._entry(self.created_ms, "CREATED")]
        at = self.created_ms
        last = len(self.attempts) - 1
        for number, (wait_ms, duration_ms, status) in enumerate(self.attempts):
            at += wait_ms
            found.append(self._entry(at, "ACTIVE"))
            if number == last and self.ending == "flying":
                return found
            at += duration_ms
            if number == last and self.ending == "delivered":
                found.append(self._entry(at, "DELIVERED", response_status=200))
                return found
            found.append(self._entry(at, "ERROR", response_status=status, error=f"answered {status}"))
            if number < last or self.ending != "failed":
                found.append(self._entry(at, "RETRY", next_delivery_ms=at + 1))
        if self.ending == "failed":
            found.append(self._entry(at, "FAILED"))
        if self.ending == "canceled":
            found += [self._entry(at + 5, "CANCEL_REQUESTED"), self._entry(at + 50, "CANCELED")]
        return found

    def _entry(self, at_ms: int, state: str, **facts: Any) -> LogEntry:
        return LogEntry(at_ms, self.message_id, state, url=URL, labels=("order", "vip"), **facts)

    def expected_outcomes(self) -> list[str]:
        """The outcome of each attempt."""
        outcomes = ["error"] * len(self.attempts)
        final = {"delivered": "delivered", "failed": "failed", "flying": "in flight"}.get(self.ending)
        if outcomes and final is not None:
            outcomes[-1] = final
        return outcomes


def stories() -> st.SearchStrategy[list[Story]]:
    """Several messages with attempts that may fall on one millisecond."""
    attempt = st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0, 429, 500, 503]))
    one = st.builds(
        Story,
        message_id=st.just(""),
        created_ms=st.integers(EPOCH_MS, EPOCH_MS + 5),
        attempts=st.lists(attempt, min_size=1, max_size=5).map(tuple),
        ending=st.sampled_from(["delivered", "failed", "canceled", "waiting", "flying"]),
    )
    return st.lists(one, min_size=1, max_size=5).map(
        lambda found: [
            Story(f"msg_{number}", story.created_ms, story.attempts, story.ending) for number, story in enumerate(found)
        ]
    )
