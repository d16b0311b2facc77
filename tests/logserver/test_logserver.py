"""The service that the archive is held to: it lists what it says it lists, and fails when it says it fails."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from qsops import frames
from qsops.clock import EPOCH_MS, ManualClock
from tests.logserver import TOKEN, Faults, Log, LogServer, Settings, written

ROOT = Path(__file__).parents[2]
Ask = Callable[..., httpx.Response]
#: No connection is kept: each server is gone before the next one.
CLIENT = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@pytest.fixture(scope="module")
def log() -> Log:
    return written(5, 2_000, late=0.1, twins=0.05, junk=0.01)


def asking(server: LogServer, token: str = TOKEN) -> Ask:
    headers = {"Authorization": f"Bearer {token}"}
    return lambda path, **params: CLIENT.get(server.url + path, params=params, headers=headers)


def pages(ask: Ask, path: str, **params: Any) -> Iterator[list[Any]]:
    """Each page of a listing, read as a client would that knows the shape."""
    cursor = None
    while True:
        answer = ask(path, **params, **({} if cursor is None else {"cursor": cursor})).json()
        yield answer["events" if path == "/v2/events" else "logs"]
        cursor = answer.get("cursor")
        if cursor is None:
            return


@pytest.mark.parametrize("order", ["latestFirst", "earliestFirst"])
@pytest.mark.parametrize("path", ["/v2/events", "/v2/logs"])
def test_a_listing_is_whole_in_both_shapes_and_orders(log: Log, path: str, order: str):
    """Each entry comes once, in the order asked for, with pages no larger than the shape's."""
    first_ms, last_ms = int(log.time_ms[100]), int(log.time_ms[2_500])
    with LogServer(log) as server:
        found = list(pages(asking(server), path, fromDate=first_ms, toDate=last_ms, order=order))
        truth = server.shown()
    assert max(map(len, found)) == (1_000 if path == "/v2/events" else 100)
    entries = [one for one in itertools.chain(*found) if isinstance(one, dict) and "time" in one]
    if order == "latestFirst":
        entries.reverse()
    assert [entry["messageId"] for entry in entries] == truth["message_id"].to_pylist()
    assert [entry["time"] for entry in entries] == [at.timestamp() * 1000 for at in truth["time"].to_pylist()]
    within = (log.time_ms >= first_ms) & (log.time_ms <= last_ms)
    assert sum(map(len, found)) == within.sum()
    assert len(entries) == (within & (log.junk < 0)).sum()


@pytest.mark.parametrize(
    ("name", "column"),
    [("state", "state"), ("url", "url"), ("queueName", "queue"), ("scheduleId", "schedule_id"), ("label", "labels")],
)
def test_a_filter_gives_those_that_have_the_value(log: Log, name: str, column: str):
    """And all of them."""
    with LogServer(log) as server:
        everything = server.listed().to_pandas()
        value = everything[column].dropna().iloc[-1]
        found = [one for page in pages(asking(server), "/v2/events", **{name: value}) for one in page]
    entries = [entry for entry in found if isinstance(entry, dict) and "time" in entry]
    assert len(entries) == (everything[column] == value).sum() > 0


def test_messages_are_found_by_their_ids(log: Log):
    """With everything that was logged of them, whatever else is in between."""
    ids = ["msg_000000000007", "msg_000000001500"]
    with LogServer(log) as server:
        found = [one for page in pages(asking(server), "/v2/events", messageIds=ids) for one in page]
        everything = server.listed().to_pandas()
    entries = [entry for entry in found if isinstance(entry, dict) and "time" in entry]
    assert len(entries) == everything["message_id"].isin(ids).sum() > 4


def test_late_entries_come_when_it_is_time(log: Log):
    """An entry is listed once the clock of the log has reached its time and its lateness."""
    with LogServer(log, now_ms=int(log.time_ms[3_000])) as server:
        before = server.listed().num_rows
        assert before == ((log.visible_ms <= server.now_ms) & (log.junk < 0)).sum()
        server.now_ms += 700_000
        after = server.listed()
    due = (log.time_ms <= server.now_ms - 700_000) & (log.junk < 0)
    assert after.num_rows >= due.sum() > before


def test_what_is_old_is_forgotten(log: Log):
    """Entries older than the retention are listed no more, nor are their dead letters."""
    with LogServer(log, Settings(retention_ms=3_600_000)) as server:
        server.now_ms = int(log.time_ms[0]) + 7_200_000
        times_ms = [entry["time"] for page in pages(asking(server), "/v2/events") for entry in page if _dated(entry)]
        assert min(times_ms) >= server.now_ms - 3_600_000
        server.now_ms += 10 * 86_400_000
        assert asking(server)("/v2/events").json() == {"events": []}
        assert asking(server)("/v2/dlq").json() == {"messages": []}


def _dated(entry: Any) -> bool:
    return isinstance(entry, dict) and "time" in entry


def test_requests_over_the_limit_are_turned_away_and_counted(log: Log):
    """With the headers that the reference names; and the next second begins anew."""
    clock = ManualClock(EPOCH_MS)
    with LogServer(log, Settings(requests_per_s=2), real_ms=clock.now_ms) as server:
        ask = asking(server)
        answers = [ask("/v2/events", count=1) for _ in range(3)]
        clock.advance(1_000)
        answers.append(ask("/v2/events", count=1))
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert [answer.headers["Burst-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0", "1"]
    assert server.violations == 1


def test_faults_come_as_often_as_was_said(log: Log):
    """A function of the seed and the number of the request; and a broken answer counts as not shown."""
    faults = Faults(3, refused=0.2, lost=0.2, cut=0.2)
    with LogServer(log, Settings(faults=faults)) as server:
        ask, broken = asking(server), 0
        for _ in range(60):
            try:
                ask("/v2/events", count=5)
            except httpx.TransportError:
                broken += 1
        assert broken == server.counts["lost"] + server.counts["cut"]
        assert server.counts["refused"] > 3
        assert server.counts["200"] > 10
        assert server.counts.total() == 60
    with LogServer(log, Settings(faults=Faults(3, cut=1.0))) as server:
        with pytest.raises(httpx.TransportError):
            asking(server)("/v2/events")
        assert server.shown().num_rows == 0


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v2/events", {"count": 2_000}, 400),
        ("/v2/logs", {"count": 101}, 400),
        ("/v2/events", {"cursor": "x"}, 400),
        ("/v2/events", {"fromDate": "today"}, 400),
        ("/v2/nothing", {}, 404),
    ],
)
def test_what_does_not_parse_is_refused(log: Log, path: str, params: dict[str, Any], status: int):
    """With the status of the reference, and a text."""
    with LogServer(log) as server:
        answer = asking(server)(path, **params)
        assert asking(server, "another")("/v2/events").status_code == 401
    assert answer.status_code == status
    assert answer.json()["error"]


def test_dead_letters_are_those_that_failed(log: Log):
    """One each, in pages of a hundred, until one is taken away."""
    with LogServer(log) as server:
        ask, found, cursor = asking(server), [], None
        while True:
            page = ask("/v2/dlq", count=1, **({} if cursor is None else {"cursor": cursor})).json()
            found += page["messages"]
            cursor = page.get("cursor")
            if cursor is None:
                break
        listed = server.listed().to_pandas()
        failed = set(listed.loc[listed["state"] == "FAILED", "message_id"])
        assert {letter["messageId"] for letter in found} == failed
        assert len(found) == len(failed) > 1
        server.face.dead.take_away(found[0]["dlqId"])
        assert len(server.face.dead.listed(server.now_ms)) == len(found) - 1


def test_equal_entries_are_numbered_in_their_order():
    """Those of the same message, time and state, from 0; all others are 0."""
    log = written(5, 500, twins=0.2)
    table = log.rows(np.ones(len(log.time_ms), dtype=bool))
    frame = frames.of_table(table, frames.LOGS)
    expected = frame.groupby(["message_id", "time", "state"]).cumcount()
    assert (frame["seq"] == expected).all()
    assert (frame["seq"] > 0).sum() > 50


def test_the_same_service_runs_as_a_process(tmp_path: Path):
    """Told by lines; what it shows is told as a mask over the log that the same arguments make."""
    command = [sys.executable, "-m", "tests.logserver", "--seed", "4", "--messages", "300", "--late", "0.1"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        count = len(httpx.get(f"{url}/v2/events?count=50", headers=headers, trust_env=False).json()["events"])
        told = []
        for line in ("counts", f"shown {tmp_path / 'shown.npy'}", "advance 600000", "help"):
            process.stdin.write(f"{line}\n")
            told.append(process.stdout.readline().strip())
        process.stdin.close()
        assert process.wait(20) == 0
    log = written(4, 300, late=0.1)
    assert json.loads(told[0]) == {"200": 1, "violations": 0}
    assert log.rows(np.load(tmp_path / "shown.npy")).num_rows == count == 50
    assert int(told[2]) == log.time_ms.max() + 600_000
