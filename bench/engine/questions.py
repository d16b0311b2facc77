"""What is asked of the long log: every filter for a common, a rare, an old and an unknown value, in both orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from bench.engine.values import COMMON, NONE, OLD, RARE

__all__ = ["EARLIEST_FIRST", "PAGE", "Question", "filters", "of_dates", "pages"]

EARLIEST_FIRST = "earliestFirst"
PAGE = 1_000
_ORDERS = ("latestFirst", EARLIEST_FIRST)
_STATES = {"common": "DELIVERED", "rare": "FAILED", "old": "CANCELED"}
_MINUTE_MS = 60_000
#: How many lines answer a question, at the least and the most.
_FULL, _SOME, _NONE = (PAGE, PAGE), (1, PAGE), (0, 0)
_EXPECTED = {"common": _FULL, "rare": _SOME, "old": _SOME, "unknown": _NONE}


@dataclass(frozen=True, slots=True)
class Question:
    """``name`` is how a reader is told of it; between ``least`` and ``most`` lines answer it."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    least: int = 1
    most: int = PAGE

    @property
    def path(self) -> str:
        return f"/v2/events?{urlencode((('count', str(PAGE)), *self.parameters))}"


def filters() -> Iterator[Question]:
    """Each filter but those by date and by message id."""
    values = {"common": COMMON, "rare": RARE, "old": OLD, "unknown": NONE}
    for kind, known in values.items():
        # A state that there is none of is refused.
        states = [("state", _STATES[kind])] if kind in _STATES else []
        for name, value in (*known.items(), *states):
            for order in _ORDERS:
                asked = ((name, value), ("order", order))
                yield Question(f"{name}={value} ({kind}), {order}", asked, *_EXPECTED[kind])


def of_dates(first_ms: int, last_ms: int) -> Iterator[Question]:
    """Filters by date, for a log from ``first_ms`` to ``last_ms``."""
    middle_ms = (first_ms + last_ms) // 2
    cases = {
        "fromDate of the first": ({"fromDate": first_ms}, _FULL),
        "fromDate of the middle": ({"fromDate": middle_ms}, _FULL),
        "fromDate of the last minute": ({"fromDate": last_ms - _MINUTE_MS}, _SOME),
        "fromDate of the future": ({"fromDate": last_ms + _MINUTE_MS}, _NONE),
        "toDate of the last": ({"toDate": last_ms}, _FULL),
        "toDate of the middle": ({"toDate": middle_ms}, _FULL),
        "toDate of the first minute": ({"toDate": first_ms + _MINUTE_MS}, _FULL),
        "toDate of the past": ({"toDate": first_ms - _MINUTE_MS}, _NONE),
        "a minute of the middle": ({"fromDate": middle_ms, "toDate": middle_ms + _MINUTE_MS}, _SOME),
    }
    for name, (dates, expected) in cases.items():
        for order in _ORDERS:
            asked = (*((key, str(value)) for key, value in dates.items()), ("order", order))
            yield Question(f"{name}, {order}", asked, *expected)


def pages(cursors: dict[str, str], message_ids: dict[str, str]) -> Iterator[Question]:
    """A page of the whole log at each of ``cursors`` by name, and the lines of each of ``message_ids``."""
    for order in _ORDERS:
        yield Question(f"first page, {order}", (("order", order),), *_FULL)
        for name, cursor in cursors.items():
            # Towards the near end of the log, nothing may be left.
            least = 0 if (name, order) in {("newest", EARLIEST_FIRST), ("oldest", "latestFirst")} else PAGE
            yield Question(f"{name} cursor, {order}", (("cursor", cursor), ("order", order)), least)
        for name, message_id in message_ids.items():
            asked = (("messageId", message_id), ("order", order))
            yield Question(f"messageId of the {name}, {order}", asked, *(_NONE if name == "unknown" else _SOME))
