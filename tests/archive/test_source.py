"""How the archive reads the service's log."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from qsops.archive.source import LogSource, TooMany
from qsops.client import Client
from qsops.clock import EPOCH_MS, ManualClock, SeededIds
from qsops.errors import Corrupt
from qsops.models import Headers
from qsops.wire.http import Request, Response
from qsops.wire.query import Parameters


@dataclass
class Pages:
    """A service that lists ``entries`` in their order, ``page`` at a time, whatever order is asked for."""

    entries: list[Any]
    page: int = 1_000
    asked: list[str] = field(default_factory=list)
    headers: Headers = ()
    #: What the last page has beside its entries.
    more: dict[str, str] = field(default_factory=dict)

    async def send(self, request: Request) -> Response:
        self.asked.append(request.query)
        await asyncio.sleep(0)
        asked = Parameters(request.query)
        since, until = int(asked.text("fromDate") or 0), int(asked.text("toDate") or 10**18)
        listed = [entry for entry in self.entries if since <= _time_ms(entry, since) <= until]
        cursor = asked.text("cursor") or "0"
        start = int(cursor) if cursor.isdigit() else 0
        more = {"cursor": str(start + self.page)} if start + self.page < len(listed) else self.more
        # Not every JSON is UTF-8: half of a surrogate pair is written as an escape.
        return Response(200, self.headers, json.dumps({"events": listed[start : start + self.page], **more}).encode())

    async def aclose(self) -> None:
        return None


def _time_ms(entry: Any, otherwise: int) -> int:
    is_placed = isinstance(entry, dict) and "new" not in entry and "messageId" in entry and "state" in entry
    return int(entry["time"]) if is_placed and "time" in entry else otherwise


def _source(pages: Pages, *, bodies: bool = False) -> LogSource:
    clock = ManualClock()
    client = Client(pages, "token", clock=clock, ids=SeededIds(clock))
    return LogSource(client, lambda work: asyncio.run(work(lambda _: None)), bodies=bodies)


def _entry(number: int, **more: Any) -> dict[str, Any]:
    return {"time": EPOCH_MS + number, "messageId": f"msg_{number}", "state": "CREATED", **more}


def test_oldest() -> None:
    """The oldest entry is the first of a listing that begins with it, after whatever is no entry."""
    junk: list[Any] = [None] * 3
    assert _source(Pages([*junk, *map(_entry, range(5))], page=2)).oldest_ms() == EPOCH_MS
    assert _source(Pages(junk, page=2)).oldest_ms() is None
    assert _source(Pages([])).oldest_ms() is None


def test_time_of_the_log() -> None:
    """The log's own time is what the Date of its latest answer allows at the most."""
    pages = Pages([_entry(0)])
    source = _source(pages)
    assert (source.oldest_ms(), source.now_ms()) == (EPOCH_MS, None)
    pages.headers = (("date", "Thu, 01 Jan 2026 00:00:07 GMT"),)
    assert (source.oldest_ms(), source.now_ms()) == (EPOCH_MS, EPOCH_MS + 7_999)
    pages.headers = (("Date", "yesterday"),)
    assert (source.oldest_ms(), source.now_ms()) == (EPOCH_MS, None)


def test_order_is_not_known() -> None:
    """Of a service that lists the latest first in any case, nobody knows the oldest from one page."""
    latest_first = [_entry(number) for number in reversed(range(5))]
    assert _source(Pages(latest_first, page=3)).oldest_ms() is None
    assert _source(Pages(latest_first, page=5)).oldest_ms() == EPOCH_MS


@pytest.mark.parametrize(
    "junk",
    [
        None,
        17,
        [],
        "\ud800",
        {"\udfff": 1, "a": 2},
        {"messageId": "msg_1", "state": "CREATED"},
        {"time": 0, "messageId": "msg_1"},
        {"time": "soon", "messageId": "msg_1"},
        {"time": 10**17, "messageId": "msg_1"},
        {"time": EPOCH_MS, "messageId": 5},
    ],
)
@pytest.mark.parametrize("bodies", [False, True])
def test_malformed(junk: Any, bodies: bool) -> None:
    """What has no place is set aside as it came; the entries beside it are read."""
    pulled = _source(Pages([_entry(2), junk, _entry(1)]), bodies=bodies).entries((EPOCH_MS, EPOCH_MS + 5), 10)
    assert pulled.entries["message_id"].to_pylist() == ["msg_1", "msg_2"]
    assert [json.loads(raw) for raw in pulled.malformed] == [junk]


def test_odd_entries_are_kept() -> None:
    """An entry that can be placed is one, whatever else it lacks or says in its own way."""
    odd = _entry(1, state=None, url=7, labels="one", new={"field": True}, responseStatus=10**30)
    pulled = _source(Pages([odd])).entries((EPOCH_MS, EPOCH_MS + 5), 10)
    (row,) = pulled.entries.to_pylist()
    assert (row["message_id"], row["state"], row["url"], row["labels"]) == ("msg_1", "", None, "one")
    assert pulled.malformed == ()


def test_too_many() -> None:
    """A range with more entries than it may have is given up as soon as that shows."""
    pages, span = Pages([_entry(number) for number in reversed(range(1_000))], page=5), (EPOCH_MS, EPOCH_MS + 1_000)
    with pytest.raises(TooMany):
        _source(pages).entries(span, 12)
    assert len(pages.asked) < 120
    assert _source(pages).entries(span, 1_000).entries.num_rows == 1_000


def test_heads_are_asked_by_many_ids() -> None:
    """Beginnings are asked for 50 messages at a time, and of 10,000 at the most."""
    pages = Pages([])
    _source(pages).heads([f"msg_{number}" for number in range(10_100)], EPOCH_MS)
    assert len(pages.asked) == 200
    assert all(f"toDate={EPOCH_MS - 1}" in query for query in pages.asked)


@pytest.mark.parametrize("entries", [[_entry(0)], []], ids=["of entries", "of nothing"])
def test_a_cursor_that_comes_twice(entries: list[dict[str, Any]]) -> None:
    """A listing that leads in a circle is an error, whether or not its pages have anything in them."""
    pages = Pages(entries)
    pages.more = {"cursor": "same"}
    with pytest.raises(Corrupt, match="'same' came twice"):
        _source(pages).entries((EPOCH_MS, EPOCH_MS + 10), None)
    assert len(pages.asked) == 2


def test_more_pages_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that has no end is given up."""
    monkeypatch.setattr("qsops.trace.listing._PAGE_LIMIT", 5)
    with pytest.raises(Corrupt, match="more than 5 pages: name a shorter range"):
        _source(Pages([_entry(number) for number in range(6)], page=1)).entries((EPOCH_MS, EPOCH_MS + 10), None)
