import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from qsops.config import DEV_USERS
from qsops.receive import BODY_LIMIT
from service.answers import BODY_TOO_LARGE
from service.consumer import DATABASE_AWAY, HANDLER_FAILED
from service.envelope import encode
from service.errors import RetryAfter, StoreUnavailable
from service.gate import SIGNATURE_REFUSED
from service.internal import REFUSALS_PATH
from service.processing import Delivery, Transaction
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.samples import TEXT
from service.store import SqliteStore
from tests.service.rig import BASE, KEYS, Rig, close, event_of, make_rig

NEXT = KEYS.next or ""


@asynccontextmanager
async def handled_by(name: str, **settings: Any) -> AsyncIterator[Rig]:
    rig = make_rig(qsops_handler=f"tests.service.handlers:{name}", **settings)
    yield rig
    await close(rig)


async def test_a_delivery_is_processed_once(rig: Rig):
    """The first delivery takes effect, each further one is answered 200 as a duplicate and counted."""
    first, second = await rig.deliver(rig.event()), await rig.deliver(rig.event(), retried=1)
    assert (first.status_code, first.json()) == (200, {"status": "processed"})
    assert (second.status_code, second.json()) == (200, {"status": "duplicate"})
    assert await rig.count("direct_messages") == 1
    (entry,) = await rig.ledger()
    assert (entry.state, entry.message_id, entry.mid, entry.deliveries) == ("processed", "msg_1", "mid-1", 2)
    assert entry.processed_at_ms == rig.clock.now_ms()


async def test_deliveries_at_the_same_time_take_effect_once(rig: Rig):
    """Two deliveries of one event may both run the handler: one is committed, the other is a duplicate."""
    answers = await asyncio.gather(*(rig.deliver(rig.event()) for _ in range(8)))
    assert sorted(answer.json()["status"] for answer in answers) == ["duplicate"] * 7 + ["processed"]
    assert await rig.count("direct_messages") == 1


async def test_both_keys_are_accepted_while_they_rotate(rig: Rig):
    """A delivery signed with the next key is as good as one signed with the current."""
    assert (await rig.deliver(rig.event(), key=NEXT)).status_code == 200


@pytest.mark.parametrize(
    ("region", "key", "status"),
    [
        ("EU-CENTRAL-1", "sig_eu", 200),
        ("eu_central_1", "sig_eu", 200),
        ("EU-CENTRAL-1", KEYS.current, 401),
        ("US-EAST-1", KEYS.current, 200),
        ("US-EAST-1", "sig_eu", 401),
        ("MARS-1", NEXT, 200),
        (None, KEYS.current, 200),
    ],
)
async def test_the_region_of_a_delivery_chooses_the_keys(region: str | None, key: str, status: int):
    """One endpoint may be called from both regions: each signs with its own keys, or with the plain ones."""
    rig = make_rig(eu_central_1_qstash_current_signing_key="sig_eu")
    headers = {"Upstash-Region": region} if region else {}
    assert (await rig.deliver(rig.event(), key=key, **headers)).status_code == status
    await close(rig)


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("key", {"key": DEV_USERS[1].keys.current}),
        ("url", {"url": "http://proxy.internal:8000" + CONSUMER_PATH}),
        ("url", {"url": BASE + "/api/qstash/failure"}),
        ("missing", {"Upstash-Signature": ""}),
        ("malformed", {"Upstash-Signature": "a.b"}),
        ("algorithm", {"Upstash-Signature": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30."}),
    ],
)
async def test_a_bad_signature_is_401_and_kept(rig: Rig, cause: str, changes: dict[str, str]):
    """401 is retried by QStash, since a wrong key may be our fault; the cause is counted and kept for /refusals."""
    answer = await rig.deliver(rig.event(), **changes)
    assert (answer.status_code, answer.json()) == (401, {"error": SIGNATURE_REFUSED.format(cause=cause)})
    told = (await rig.internal("GET", REFUSALS_PATH)).json()
    assert told["counts"] == {CONSUMER_PATH: {cause: 1}}
    assert told["refusals"][0]["message_id"] == "msg_1"
    assert TEXT not in str(told)
    assert (await rig.count("events"), await rig.count("claims")) == (0, 0)


async def test_an_expired_signature_is_refused(rig: Rig):
    """A signature lives five minutes, give or take the tolerance: a recording cannot be played back later."""
    sent = await rig.deliver(rig.event())
    rig.clock.advance(306_000)
    headers = {name: value for name, value in sent.request.headers.items() if name.startswith("upstash")}
    answer = await rig.http.post(CONSUMER_PATH, content=encode(rig.event()), headers=headers)
    assert answer.json() == {"error": SIGNATURE_REFUSED.format(cause="expired")}


async def test_another_body_under_a_good_signature_is_refused(rig: Rig):
    """The signature covers the raw bytes."""
    sent = await rig.deliver(rig.event())
    headers = {name: value for name, value in sent.request.headers.items() if name.startswith("upstash")}
    answer = await rig.http.post(CONSUMER_PATH, content=encode(rig.event(mid="m-2")), headers=headers)
    assert answer.json() == {"error": SIGNATURE_REFUSED.format(cause="body")}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"v": 1}', b"[" * 90_000])
async def test_broken_json_is_489(rig: Rig, body: bytes):
    """No retry mends a body: it becomes a dead letter at once."""
    answer = await rig.deliver(body)
    assert (answer.status_code, answer.headers["upstash-nonretryable-error"]) == (489, "true")


@pytest.mark.parametrize("path", [CONSUMER_PATH, FAILURE_PATH])
async def test_a_delivery_over_the_limit_is_413(rig: Rig, path: str):
    """What no plan of QStash can carry did not come from it: refused by its length, before the signature is asked."""
    told = {"Content-Length": str(BODY_LIMIT + 1)}
    answer = await rig.http.post(path, content=b"{}", headers=told)
    assert (answer.status_code, answer.json()) == (413, {"error": BODY_TOO_LARGE.format(limit=BODY_LIMIT)})
    assert await rig.count("events") == 0


async def test_a_newer_envelope_is_503(rig: Rig):
    """An older build may have been rolled back onto a newer one's messages: they wait for it."""
    answer = await rig.deliver(json.dumps({**json.loads(encode(rig.event())), "v": 2}).encode())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "12")
    assert "upstash-nonretryable-error" not in answer.headers


async def test_permanent_is_489():
    """Permanent answers 489 with the header, and nothing that was collected takes effect."""
    async with handled_by("permanent") as rig:
        answer = await rig.deliver(rig.event())
        assert (answer.status_code, answer.headers["upstash-nonretryable-error"]) == (489, "true")
        assert answer.json() == {"error": "account 7 is closed"}
        assert (await rig.count("other_events"), await rig.count("claims")) == (0, 0)


@pytest.mark.parametrize(
    ("handler", "retried", "status", "after"),
    [
        ("retry_soon", 0, 429, "12"),
        ("retry_soon", 1, 429, "148"),
        ("retry_late", 0, 503, "7201"),
        ("retry_late", 3, 503, "22026"),
        ("retry_in_a_week", 0, 503, "86400"),
    ],
)
async def test_retry_after_is_never_below_the_curve(handler: str, retried: int, status: int, after: str):
    """Retry-After overrides the curve, so ours is at least the curve, and at most the day that QStash honours."""
    async with handled_by(handler) as rig:
        answer = await rig.deliver(rig.event(), retried=retried)
        assert (answer.status_code, answer.headers["retry-after"]) == (status, after)


async def test_the_curve_is_the_one_we_published():
    """With a retry-delay expression of ours, that is the curve."""
    async with handled_by("retry_soon", qsops_retry_delay="3000 * (1 + retried)") as rig:
        assert (await rig.deliver(rig.event(), retried=1)).headers["retry-after"] == "6"


async def test_any_other_fault_is_500_without_its_words():
    """A handler's exception is named, never quoted: its text may hold what a person wrote."""
    async with handled_by("raising") as rig:
        answer = await rig.deliver(rig.event())
        assert (answer.status_code, answer.json()) == (500, {"error": HANDLER_FAILED.format(error="ValueError")})
        assert (await rig.count("other_events"), await rig.count("claims")) == (0, 0)


async def test_a_failing_statement_undoes_its_own_event_alone():
    """Claim and effects are one transaction: of a broken event nothing stays, its neighbours in the group do."""
    async with handled_by("half_broken") as rig:
        answers = await asyncio.gather(*(rig.deliver(rig.event(mid=f"m-{n}")) for n in range(3)))
        assert {answer.status_code for answer in answers} == {500}
        assert (await rig.count("claims"), await rig.count("other_events"), await rig.count("events")) == (0, 0, 0)


@pytest.mark.parametrize(
    ("handler", "text"),
    [("waiting", "0 claims, attempt 2"), ("blocking", "0 claims"), ("as_object", "object")],
)
async def test_handlers_wait_or_block(handler: str, text: str):
    """A handler is async, plain, or an object; it reads what is committed, and collects what will be."""
    async with handled_by(handler) as rig:
        assert (await rig.deliver(rig.event(), retried=2)).json() == {"status": "processed"}
        assert [row["payload"] for row in await rig.rows("select payload from other_events")] == [text]


async def test_follow_ups_leave_through_the_outbox_once():
    """tx.publish commits with the claim; its keys are a function of the event, so a second run sends nothing new."""
    async with handled_by("following_up") as rig:
        event = rig.event()
        await asyncio.gather(rig.deliver(event), rig.deliver(event))
        await rig.service.relay.drain()
        # The relay woke by itself, too: what it has under way is done when it has stopped.
        await rig.service.relay.aclose()
        first, second = sorted(rig.qstash.published, key=lambda message: message.destination)
        assert (first.destination, first.labels, first.delay_s, first.retries) == (
            "https://elsewhere.example/a", ("follow-up",), 60, 1
        )  # fmt: skip
        assert json.loads(first.body) == {"grüße": "👋"}
        assert (second.body, second.retries) == (b"\xff", 5)
        assert first.deduplication_id != second.deduplication_id
        assert ("Idempotency-Key", first.deduplication_id) in first.headers
        assert ("Qsops-Event-Id", event.id) in first.headers
        assert await rig.count("outbox") == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"headers": {"X-Note": "two\nlines"}}, "X-Note"),
        ({"headers": {"Not a name": "x"}}, "Not a name"),
        ({"method": "BREW"}, "BREW"),
        ({"retries": -3}, "Retries"),
        ({"destination": ""}, "destination"),
    ],
)
def test_a_follow_up_that_cannot_be_sent_is_the_handlers_fault(options: dict[str, Any], named: str):
    """It fails where it is written: once in the outbox, nobody could mend it."""
    tx = Transaction(event_of("message", "m", 1), Delivery(), SqliteStore(":memory:"))
    with pytest.raises(ValueError, match=named):
        tx.publish(**{"destination": "https://elsewhere.example", **options})
    assert tx.outgoing == []


class Away(SqliteStore):
    """A store that cannot commit."""

    async def commit(self, effects, now_ms):  # type: ignore[no-untyped-def, override]
        raise StoreUnavailable("the database /var/private/service.db is away")


@pytest.mark.parametrize(("retried", "after"), [(0, "12"), (1, "148"), (4, "86400")])
async def test_a_database_that_is_away_is_503(retried: int, after: str):
    """QStash comes again on the message's own curve; the answer does not show where our files lie."""
    rig = make_rig(store=Away(":memory:"))
    answer = await rig.deliver(rig.event(), retried=retried)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, after)
    assert answer.json() == {"error": DATABASE_AWAY}
    await close(rig)


async def test_one_canonical_line_a_delivery(rig: Rig, caplog: pytest.LogCaptureFixture):
    """Each delivery is one line of JSON: ids, outcome, milliseconds; never what a person wrote."""
    with caplog.at_level(logging.INFO, logger="service"):
        await rig.deliver(rig.event(), retried=3)
        await rig.deliver(b"{")
    lines = [json.loads(record.message) for record in caplog.records]
    assert lines[0] == {
        "log": "delivery",
        "message_id": "msg_1",
        "event_id": rig.event().id,
        "kind": "message",
        "retried": 3,
        "outcome": "processed",
        "status": 200,
        "ms": 0.0,
    }
    assert lines[1]["outcome"] == "malformed"
    assert len(lines) == 2
    assert TEXT not in caplog.text


async def test_signed_requests_to_the_wrong_method_are_405(rig: Rig):
    """The consumer is a POST."""
    assert (await rig.http.get(CONSUMER_PATH)).status_code == 405


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_wait_lies_in_the_future(seconds: float):
    """A wait that is negative, or never ends, is a mistake of the handler's author, and named."""
    with pytest.raises(ValueError, match=str(seconds)):
        RetryAfter(seconds)
