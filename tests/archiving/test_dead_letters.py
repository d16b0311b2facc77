"""The DLQ in the archive: each letter once, its texts only where they are wanted, and when it went."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from qsops.archive.aside import raw_of
from qsops.archive.dead_letters import Letters, Listed, keep_dead_letters, listed_dead_letters, pull_dead_letters
from qsops.archive.delta import DeltaStore
from qsops.archive.layout import DEAD_LETTERS, MALFORMED
from qsops.archive.state import Change, State, amend, load
from qsops.archive.store import Part
from qsops.client import Client, HttpTransport
from qsops.client.transport import Transport
from qsops.clock import ManualClock, SeededIds
from qsops.errors import Corrupt
from qsops.models import DeadLetter
from qsops.wire.http import Request, Response
from tests.logserver import TOKEN, LogServer, written


@pytest.fixture(scope="module")
def server() -> Iterator[LogServer]:
    """One whose DLQ has several pages."""
    with LogServer(written(3, 60_000)) as made:
        yield made


@pytest.fixture
def clock(server: LogServer) -> ManualClock:
    return ManualClock(server.now_ms)


class Answering:
    """A service that answers whatever it is asked with one page."""

    def __init__(self, page: dict[str, object]) -> None:
        self._page = page

    async def send(self, _: Request) -> Response:
        return Response(200, (), json.dumps(self._page).encode())

    async def aclose(self) -> None:
        return None


def letters_of(server: LogServer, clock: ManualClock) -> tuple[DeadLetter, ...]:
    return pulled(HttpTransport(server.url, 10.0), clock).letters


def pulled(transport: Transport, clock: ManualClock) -> Listed:
    async def pull() -> Listed:
        client = Client(transport, TOKEN, clock=clock, ids=SeededIds(clock))
        try:
            return await pull_dead_letters(client)
        finally:
            await client.aclose()

    return asyncio.run(pull())


def rows(store: DeltaStore) -> pd.DataFrame:
    frame: pd.DataFrame = store.dataset(load(store).tables[DEAD_LETTERS.name]).to_table().to_pandas()
    return frame


def test_each_letter_is_kept_once(server: LogServer, clock: ManualClock, tmp_path: Path):
    """However often they are looked at; and nothing is written where nothing has changed."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    assert len(letters) == len(server.face.dead.listed(server.now_ms)) > 100
    assert keep_dead_letters(store, clock, Listed(letters[50:]), bodies=False) == Letters(
        len(letters) - 50, len(letters) - 50, 0
    )
    assert keep_dead_letters(store, clock, Listed(letters), bodies=False) == Letters(len(letters), 50, 0)
    before = load(store).commit
    assert keep_dead_letters(store, clock, Listed(letters), bodies=False) == Letters(len(letters), 0, 0)
    assert load(store).commit == before
    found = rows(store)
    assert sorted(found["dlq_id"]) == sorted(letter.dlq_id for letter in letters)
    assert found[["body", "response_body", "gone_ms"]].isna().all(axis=None)


def test_texts_come_where_they_are_wanted_and_stay(server: LogServer, clock: ManualClock, tmp_path: Path):
    """As the service tells them, redacted ones redacted; a later look without them takes nothing away."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    keep_dead_letters(store, clock, Listed(letters), bodies=False)
    keep_dead_letters(store, clock, Listed(letters), bodies=True)
    keep_dead_letters(store, clock, Listed(letters[:-1]), bodies=False)
    found = rows(store).set_index("dlq_id")
    for letter in letters:
        assert found.loc[letter.dlq_id, "body"] == letter.message.body.decode()
        assert found.loc[letter.dlq_id, "response_body"] == letter.response_body.decode()
    assert found["body"].str.startswith("REDACTED:").sum() > 3


def test_a_letter_that_is_gone_is_remembered_with_its_time(server: LogServer, clock: ManualClock, tmp_path: Path):
    """It stays in the archive, and counts no more among those that can still be retried."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    keep_dead_letters(store, clock, Listed(letters), bodies=False)
    first_ms = clock.now_ms()
    clock.advance(60_000)
    assert keep_dead_letters(store, clock, Listed(letters[2:]), bodies=False).gone == 2
    found = rows(store).set_index("dlq_id")
    gone = found[found["gone_ms"].notna()]
    assert sorted(gone.index) == sorted(letter.dlq_id for letter in letters[:2])
    assert set(gone["gone_ms"]) == {clock.now_ms()}
    assert set(found["seen_ms"]) == {first_ms}
    assert len(listed_dead_letters(store, load(store))) == len(letters) - 2


def test_an_empty_dlq_makes_no_table(clock: ManualClock, tmp_path: Path):
    """Where nothing has died there is nothing to keep."""
    store = DeltaStore(str(tmp_path), clock)
    assert keep_dead_letters(store, clock, Listed(()), bodies=True) == Letters(0, 0, 0)
    assert load(store).commit is None
    assert listed_dead_letters(store, load(store)) == []


def test_a_letter_whose_id_tells_no_time_is_kept(clock: ManualClock, tmp_path: Path, server: LogServer):
    """Ids are the service's; one of another form is no reason to lose the letter."""
    store = DeltaStore(str(tmp_path), clock)
    message = letters_of(server, clock)[0].message
    odd = Listed((DeadLetter("odd", message), DeadLetter("5-1", message)))
    keep_dead_letters(store, clock, odd, bodies=False)
    found = rows(store).set_index("dlq_id")
    assert found.loc["5-1", "failed_ms"] == 5
    assert pd.isna(found.loc["odd", "failed_ms"])


def test_a_letter_that_is_listed_again_is_gone_no_more(server: LogServer, clock: ManualClock, tmp_path: Path):
    """Of two syncs at once one may commit the older listing last: each letter stays one row, first seen when it was."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    first_ms = clock.now_ms()
    keep_dead_letters(store, clock, Listed(letters[:5]), bodies=True)
    clock.advance(1_000)
    assert keep_dead_letters(store, clock, Listed(letters[3:7]), bodies=False) == Letters(4, 2, 3)
    clock.advance(1_000)
    assert keep_dead_letters(store, clock, Listed(letters[1:5]), bodies=False) == Letters(4, 0, 2)
    found = rows(store).set_index("dlq_id").loc[[letter.dlq_id for letter in letters[:7]]]
    assert len(found) == len(rows(store)) == 7
    assert list(found["gone_ms"].notna()) == [True, False, False, False, False, True, True]
    assert list(found["seen_ms"] - first_ms) == [0, 0, 0, 0, 0, 1_000, 1_000]
    assert list(found["body"].notna()) == [True] * 5 + [False] * 2


def test_what_lies_deeper_than_was_listed_is_not_gone(
    server: LogServer, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of a DLQ that is longer than a look, only what would have been among the newest is missed."""
    monkeypatch.setattr("qsops.archive.dead_letters.LETTERS_LIMIT", 3)
    store, newest_first = DeltaStore(str(tmp_path), clock), letters_of(server, clock)[:3]
    assert len(pulled(HttpTransport(server.url, 10.0), clock).letters) == 3
    others = [DeadLetter(f"{clock.now_ms() + n}-{n}", newest_first[0].message) for n in range(3)]
    keep_dead_letters(store, clock, Listed((others[1], *newest_first[:2])), bodies=False)
    assert keep_dead_letters(store, clock, Listed((others[2], others[0], newest_first[0])), bodies=False).gone == 1
    gone = rows(store).query("gone_ms.notna()")
    assert list(gone["dlq_id"]) == [others[1].dlq_id]


def test_a_letter_that_was_written_twice_is_one_when_it_is_listed_again(
    server: LogServer, clock: ManualClock, tmp_path: Path
):
    """As an older qsops may have left it."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    keep_dead_letters(store, clock, Listed(letters[:2]), bodies=False)
    keep_dead_letters(store, clock, Listed(()), bodies=False)

    def doubled(state: State) -> Change:
        base = state.tables[DEAD_LETTERS.name]
        again = Part(store.dataset(base).to_table(), open=False)
        return Change({DEAD_LETTERS.name: store.put(DEAD_LETTERS, base, [again])})

    amend(store, clock, "dead letters", doubled)
    assert keep_dead_letters(store, clock, Listed(letters[:1]), bodies=False) == Letters(1, 0, 0)
    found = rows(store).groupby("dlq_id")["gone_ms"].agg(["size", "count"])
    assert list(found.loc[letters[0].dlq_id]) == [1, 0]


def test_what_is_no_letter_is_kept_aside(server: LogServer, clock: ManualClock, tmp_path: Path):
    """Once however often it is listed, and counted; the letters beside it are kept, odd values of theirs are null."""
    whole = {"dlqId": "5-1", "messageId": "msg_1", "url": "https://one.example", "createdAt": 5, "responseStatus": 500}
    strange: list[object] = [None, 7, {**whole, "dlqId": ""}, {"dlqId": "6-1"}, {**whole, "messageId": None}]
    odd = {**whole, "dlqId": "9" * 30 + "-1", "createdAt": 10**30, "maxRetries": 10**20, "url": "half a \ud83d pair"}
    listed = pulled(Answering({"messages": [whole, *strange, odd]}), clock)
    store = DeltaStore(str(tmp_path), clock)
    assert keep_dead_letters(store, clock, listed, bodies=False) == Letters(2, 2, 0, malformed=5)
    before = load(store).commit
    assert keep_dead_letters(store, clock, listed, bodies=False) == Letters(2, 0, 0)
    assert load(store).commit == before
    aside = store.dataset(load(store).tables[MALFORMED.name]).to_table()
    assert sorted(aside["raw"].to_pylist()) == sorted(raw_of(one) for one in strange)
    found = rows(store).set_index("dlq_id").loc[odd["dlqId"]]
    assert found[["failed_ms", "created_at", "max_retries"]].isna().all()


@pytest.mark.parametrize("letters", [1, 0], ids=["with letters", "empty pages"])
def test_a_cursor_that_comes_twice_ends_the_listing(clock: ManualClock, letters: int):
    """It is one error, whether or not the pages on the way have anything in them."""
    page = {"messages": [{"dlqId": "5-1", "messageId": "msg_1"}] * letters, "cursor": "same"}
    with pytest.raises(Corrupt, match="'same' came twice"):
        pulled(Answering(page), clock)
