import asyncio
import http.server
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from qsops.clock import ManualClock, SeededIds
from qsops.models import CallbackReport, LedgerEntry, Publish
from service.alerts import ATTEMPTS, GATHER_S, LEASE_MS, ROUND_S, Alerts, HttpPoster, text_of
from service.causes import cause_of
from service.store import Cause, Effects, FailureGroup, Outgoing, SqliteStore, Statement
from service.tally import ALERTS, Tally
from tests.service import virtual

pytestmark = pytest.mark.usefixtures("closing")

OURS = "https://service.example/api/qstash/instagram-ingestion"
QUIET_S = 900
GATHERED_MS = int(GATHER_S * 1000)
ROUND_MS = int(ROUND_S * 1000)


@dataclass
class Receiver:
    """Answers as it is told, then takes everything."""

    errors: list[str | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tried: int = 0

    async def post(self, text: str) -> str | None:
        self.tried += 1
        error = self.errors.pop(0) if self.errors else None
        if error is None:
            self.texts.append(text)
        return error


class Rung:
    """Alerts on a store in memory, and what fails and succeeds around them."""

    def __init__(self, clock: ManualClock, receiver: Receiver, store: SqliteStore | None = None) -> None:
        self.clock, self.receiver, self.tally = clock, receiver, Tally()
        self.store = store or SqliteStore(":memory:")
        self.alerts = Alerts(self.store, receiver, clock, SeededIds(clock), self.tally, QUIET_S)
        self._number = 0

    async def fail(self, text: str = "answered 500", times: int = 1) -> None:
        for _ in range(times):
            self._number += 1
            report = CallbackReport(f"msg_{self.clock.now_ms()}_{self._number}", 500, OURS, "POST", 5, 5)
            await self.store.report(report, "failure", None, self.clock.now_ms(), Cause(text, "message"))
        self.alerts.wake()

    async def succeed(self) -> None:
        now_ms = self.clock.now_ms()
        await self.store.commit(Effects(LedgerEntry(f"e-{now_ms}", "message", "1", "processed", now_ms)), now_ms)

    async def park(self, name: str, reason: str) -> None:
        message = Publish("https://a.example", deduplication_id=name)
        await self.store.record([], [Outgoing(message, reason=reason, parked=True)], self.clock.now_ms())

    async def remove(self, name: str) -> None:
        """As a person does."""
        now_ms = self.clock.now_ms()
        gone = [Statement("delete from outbox where deduplication_id = :name", {"name": name})]
        await self.store.commit(Effects(LedgerEntry(f"p-{now_ms}", "note", "1", "processed", now_ms), gone), now_ms)

    async def pass_by(self, ms: int) -> None:
        await virtual.advance(self.clock, ms)


def test_a_group_of_failures_is_one_post_and_its_recovery_another():
    """Somebody is told once that messages fail for a cause, and once that it has passed; not for each message."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver())
        rung.alerts.start()
        await rung.fail(times=40)
        await rung.pass_by(GATHERED_MS)
        assert len(rung.receiver.texts) == 1
        assert "answered 500. 40 messages" in rung.receiver.texts[0]
        await rung.fail(times=7)
        await rung.pass_by(QUIET_S * 1000 + ROUND_MS)
        # Quiet, but nothing shows that it works again.
        assert len(rung.receiver.texts) == 1
        await rung.succeed()
        await rung.pass_by(ROUND_MS)
        assert len(rung.receiver.texts) == 2
        assert rung.receiver.texts[1].startswith("Recovered: answered 500. 47 messages failed")
        await rung.pass_by(10 * ROUND_MS)
        assert len(rung.receiver.texts) == 2
        await rung.alerts.aclose()

    virtual.run(main)


def test_each_cause_is_a_group_of_its_own():
    """Two faults are two things to mend, and the second is told though the first is open."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver())
        rung.alerts.start()
        await rung.fail("answered 500: the handler failed: ValueError")
        await rung.pass_by(GATHERED_MS)
        await rung.fail("answered 489: the account is closed")
        await rung.pass_by(GATHERED_MS)
        assert ["ValueError" in text for text in rung.receiver.texts] == [True, False]
        await rung.alerts.aclose()

    virtual.run(main)


def test_a_failure_after_the_recovery_is_told_anew():
    """A cause that comes back is news."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver())
        rung.alerts.start()
        await rung.fail()
        await rung.pass_by(GATHERED_MS)
        await rung.succeed()
        await rung.pass_by(QUIET_S * 1000 + ROUND_MS)
        await rung.fail()
        await rung.pass_by(GATHERED_MS)
        assert [text.split(":")[0] for text in rung.receiver.texts] == [
            "Messages fail for good", "Recovered", "Messages fail for good"
        ]  # fmt: skip
        await rung.alerts.aclose()

    virtual.run(main)


def test_a_post_that_is_not_taken_is_tried_again_within_bounds(caplog: pytest.LogCaptureFixture):
    """A receiver that is away is asked a few times, longer apart each time, then minutes later; the log says so."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver(errors=["answered 503"] * (ATTEMPTS + 1)))
        rung.alerts.start()
        await rung.fail()
        await rung.pass_by(GATHERED_MS + 20_000)
        assert (rung.receiver.tried, rung.receiver.texts) == (ATTEMPTS, [])
        assert rung.tally.counts(ALERTS) == {"failed": 1}
        await rung.pass_by(LEASE_MS + 2 * ROUND_MS)
        assert (rung.receiver.tried, len(rung.receiver.texts)) == (ATTEMPTS + 2, 1)
        assert rung.tally.counts(ALERTS) == {"failed": 1, "posted": 1}
        await rung.alerts.aclose()

    with caplog.at_level(logging.INFO, "service"):
        virtual.run(main)
    told = [json.loads(record.getMessage()) for record in caplog.records if record.name == "service"]
    assert [line for line in told if "error" in line] == [
        {"log": "alert", "cause": "answered 500", "error": "answered 503", "attempts": ATTEMPTS}
    ]


def test_what_was_not_told_is_told_by_the_next_process():
    """Groups stand in the database: a restart neither forgets one nor tells it twice."""

    async def main(clock: ManualClock) -> None:
        store = SqliteStore(":memory:")
        first = Rung(clock, Receiver(), store)
        await first.fail()
        second = Rung(clock, Receiver(), store)
        second.alerts.start()
        await second.pass_by(GATHERED_MS)
        assert len(second.receiver.texts) == 1
        await second.alerts.aclose()
        third = Rung(clock, Receiver(), store)
        third.alerts.start()
        await third.pass_by(10 * ROUND_MS)
        assert third.receiver.texts == []
        await third.alerts.aclose()

    virtual.run(main)


def test_parked_messages_are_one_post_and_another_when_they_are_gone():
    """What waits for a person is told to one: a post for each reason, whoever parked it, and one when none is left."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver())
        rung.alerts.start()
        for number in range(3):
            await rung.park(f"m-{number}", "rejected: destination 'Ann' is no URL")
        await rung.park("m-large", "too_large: 3 MB")
        await rung.pass_by(ROUND_MS)
        assert sorted(text.split(" since")[0] for text in rung.receiver.texts) == [
            "Parked in the outbox: QStash refuses messages for their size. 1 message",
            "Parked in the outbox: QStash refuses messages for what they hold. 3 messages",
        ]
        assert not any("Ann" in text for text in rung.receiver.texts)
        await rung.park("m-late", "rejected: another")
        await rung.pass_by(QUIET_S * 1000 + 10 * ROUND_MS)
        assert len(rung.receiver.texts) == 2
        await rung.remove("m-large")
        await rung.pass_by(2 * ROUND_MS)
        assert rung.receiver.texts[2:] == [
            "Recovered: QStash refuses messages for their size. None is parked any more."
        ]
        await rung.pass_by(10 * ROUND_MS)
        assert len(rung.receiver.texts) == 3
        await rung.park("m-larger", "too_large: 4 MB")
        await rung.pass_by(2 * ROUND_MS)
        assert rung.receiver.texts[3].startswith("Parked in the outbox: QStash refuses messages for their size")
        await rung.alerts.aclose()

    virtual.run(main)


def test_a_database_that_goes_away_ends_no_alerts(caplog: pytest.LogCaptureFixture):
    """A round that fails is a line in the log, and the next one is as good as ever."""

    async def main(clock: ManualClock) -> None:
        rung = Rung(clock, Receiver())
        rung.alerts.start()
        untold, rung.store.untold = rung.store.untold, _broken  # type: ignore[method-assign]
        await rung.fail()
        await rung.pass_by(GATHERED_MS)
        rung.store.untold = untold  # type: ignore[method-assign]
        await rung.pass_by(ROUND_MS)
        assert len(rung.receiver.texts) == 1
        await rung.alerts.aclose()

    with caplog.at_level(logging.INFO, "service"):
        virtual.run(main)
    assert '{"log":"alert","error":"RuntimeError"}' in caplog.text


async def _broken(*_: object) -> list[FailureGroup]:
    raise RuntimeError("a text that nobody should see")


@pytest.mark.parametrize(
    ("status", "url", "body", "cause"),
    [
        (500, OURS, b'{"error": "the handler failed: ValueError"}', "answered 500: the handler failed: ValueError"),
        (489, OURS, b'{"error": "account 7 is closed"}', "answered 489: account # is closed"),
        (489, OURS, b'{"error": "no order ord_7f3a for \'Ann Example\'"}', "answered 489: no order # for …"),
        (0, OURS, b"", "no answer"),
        (502, OURS, b"<html>a proxy's page</html>", "answered 502"),
        (500, OURS, b'{"error": {"text": "x"}}', "answered 500"),
        (500, OURS, b"[" * 4_000, "answered 500"),
        (500, "https://crm.example/v1?key=s3cret", b'{"error": "Dear Ann"}', "answered 500 by crm.example"),
        (500, "http://[broken", b"", "answered 500 by ?"),
    ],
)
def test_a_cause_is_what_all_have_in_common(status: int, url: str, body: bytes, cause: str):
    """Ids, numbers, quotations, and what others answer, are no part of it: they differ, and may be somebody's."""
    report = CallbackReport("msg_1", status, url, "POST", 5, 5, body=body)
    assert cause_of(report, OURS) == cause
    assert "s3cret" not in cause


def test_a_text_cannot_write_slacks_markup():
    """What a cause holds is shown as it is: no mention, no link."""
    group = FailureGroup("answered 489: <!channel> & more", "message", 1, 0, 0, passed=False)
    assert "&lt;!channel&gt; &amp; more. 1 message since" in text_of(group, 15)


@pytest.fixture
def receiving() -> Iterator[tuple[str, list[object]]]:
    """A receiver on a socket: its URL, and the bodies that it was sent; ``/away`` answers 503."""
    bodies: list[object] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503 if self.path == "/away" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def closed_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_it_is_posted_in_slacks_form(
    receiving: tuple[str, list[object]], closed_port: int, caplog: pytest.LogCaptureFixture
):
    """``{"text": …}`` to an address that stands in no log and no error, since its path is its secret."""
    url, bodies = receiving
    with caplog.at_level(logging.INFO):
        assert await HttpPoster(f"{url}/services/T0/s3cret").post("Grüße 👋") is None
        assert await HttpPoster(f"{url}/away").post("again") == "answered 503"
        assert await HttpPoster(f"http://127.0.0.1:{closed_port}/s3cret").post("x") == "ConnectError"
    assert bodies == [{"text": "Grüße 👋"}, {"text": "again"}]
    assert "s3cret" not in caplog.text
