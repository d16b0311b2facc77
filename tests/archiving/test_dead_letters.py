"""The DLQ in the archive: each letter once, its texts only where they are wanted, and when it went."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from qsops.archive.dead_letters import Letters, keep_dead_letters, listed_dead_letters, pull_dead_letters
from qsops.archive.delta import DeltaStore
from qsops.archive.layout import DEAD_LETTERS
from qsops.archive.state import load
from qsops.client import Client, HttpTransport
from qsops.clock import ManualClock, SeededIds
from qsops.models import DeadLetter
from tests.logserver import TOKEN, LogServer, written


@pytest.fixture(scope="module")
def server() -> Iterator[LogServer]:
    """One whose DLQ has several pages."""
    with LogServer(written(3, 60_000)) as made:
        yield made


@pytest.fixture
def clock(server: LogServer) -> ManualClock:
    return ManualClock(server.now_ms)


def letters_of(server: LogServer, clock: ManualClock) -> list[DeadLetter]:
    async def pull() -> list[DeadLetter]:
        client = Client(HttpTransport(server.url, 10.0), TOKEN, clock=clock, ids=SeededIds(clock))
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
    assert keep_dead_letters(store, clock, letters[50:], bodies=False) == Letters(
        len(letters) - 50, len(letters) - 50, 0
    )
    assert keep_dead_letters(store, clock, letters, bodies=False) == Letters(len(letters), 50, 0)
    before = load(store).commit
    assert keep_dead_letters(store, clock, letters, bodies=False) == Letters(len(letters), 0, 0)
    assert load(store).commit == before
    found = rows(store)
    assert sorted(found["dlq_id"]) == sorted(letter.dlq_id for letter in letters)
    assert found[["body", "response_body", "gone_ms"]].isna().all(axis=None)


def test_texts_come_where_they_are_wanted_and_stay(server: LogServer, clock: ManualClock, tmp_path: Path):
    """As the service tells them, redacted ones redacted; a later look without them takes nothing away."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    keep_dead_letters(store, clock, letters, bodies=False)
    keep_dead_letters(store, clock, letters, bodies=True)
    keep_dead_letters(store, clock, letters[:-1], bodies=False)
    found = rows(store).set_index("dlq_id")
    for letter in letters:
        assert found.loc[letter.dlq_id, "body"] == letter.message.body.decode()
        assert found.loc[letter.dlq_id, "response_body"] == letter.response_body.decode()
    assert found["body"].str.startswith("REDACTED:").sum() > 3


def test_a_letter_that_is_gone_is_remembered_with_its_time(server: LogServer, clock: ManualClock, tmp_path: Path):
    """It stays in the archive, and counts no more among those that can still be retried."""
    store, letters = DeltaStore(str(tmp_path), clock), letters_of(server, clock)
    keep_dead_letters(store, clock, letters, bodies=False)
    first_ms = clock.now_ms()
    clock.advance(60_000)
    assert keep_dead_letters(store, clock, letters[2:], bodies=False).gone == 2
    found = rows(store).set_index("dlq_id")
    gone = found[found["gone_ms"].notna()]
    assert sorted(gone.index) == sorted(letter.dlq_id for letter in letters[:2])
    assert set(gone["gone_ms"]) == {clock.now_ms()}
    assert set(found["seen_ms"]) == {first_ms}
    assert len(listed_dead_letters(store, load(store))) == len(letters) - 2


def test_an_empty_dlq_makes_no_table(clock: ManualClock, tmp_path: Path):
    """Where nothing has died there is nothing to keep."""
    store = DeltaStore(str(tmp_path), clock)
    assert keep_dead_letters(store, clock, [], bodies=True) == Letters(0, 0, 0)
    assert load(store).commit is None
    assert listed_dead_letters(store, load(store)) == []


def test_a_letter_whose_id_tells_no_time_is_kept(clock: ManualClock, tmp_path: Path, server: LogServer):
    """Ids are the service's; one of another form is no reason to lose the letter."""
    store = DeltaStore(str(tmp_path), clock)
    message = letters_of(server, clock)[0].message
    keep_dead_letters(store, clock, [DeadLetter("odd", message), DeadLetter("5-1", message)], bodies=False)
    found = rows(store).set_index("dlq_id")
    assert found.loc["5-1", "failed_ms"] == 5
    assert pd.isna(found.loc["odd", "failed_ms"])
