import asyncio

import httpx
import pytest

from qsops.errors import OutcomeUnknown, SettingsError, Unreachable
from qsops.models import ItemError, Publish, Receipt
from qsops.wire.http import Response
from qsops.wire.publishing import batch_json
from service.breaker import Breaker
from service.failures import NO_ENDPOINTS, Failure
from service.internal import RELAY_PATH
from service.publishing import PUBLISH_FAILED, Publisher
from service.samples import ACCOUNT, encode, entry, item, post
from service.store import Outgoing
from tests.service.rig import Answer, Rig, raising, refused


def lost(cause: Exception) -> OutcomeUnknown:
    error = OutcomeUnknown("sent, but its answer was lost")
    error.__cause__ = cause
    return error


WAITING: list[tuple[str, Answer]] = [
    ("network", raising(Unreachable("no connection"))),
    ("network", raising(lost(httpx.ReadError("reset")))),
    ("timeout", raising(lost(httpx.ReadTimeout("slow")))),
    ("server_fault", refused(500)),
    ("server_fault", refused(503)),
    ("rate_limited_burst", refused(429, Burst_RateLimit_Limit="100", Burst_RateLimit_Reset="1767225601")),
    ("rate_limited_daily", refused(429, RateLimit_Limit="1000", RateLimit_Reset="1767312000")),
    ("unauthorized", refused(401, "unable to authenticate: invalid token")),
    ("quota", refused(412, "quota maxDelay exceeded, current limit: 604800")),
    ("unexpected", refused(404, "not found")),
    ("unexpected", raising(SettingsError("cannot be sent"))),
    ("unexpected", lambda _: Response(200, (), b"<html>")),
]
PARKED = [("rejected", refused(400, "invalid destination url")), ("too_large", refused(413, "request body too large"))]


@pytest.mark.parametrize(("name", "answer"), WAITING, ids=[f"{n}-{name}" for n, (name, _) in enumerate(WAITING)])
async def test_what_may_pass_goes_to_the_outbox(rig: Rig, name: str, answer: Answer):
    """Network, timeout, 5xx, both 429s, 401 and 412: the event waits in the outbox, counted under its name."""
    rig.qstash.answer = answer
    taken = await rig.post_sample("message")
    assert (taken.status_code, taken.json()) == (200, {"accepted": 1, "duplicates": 0, "queued": 1})
    assert rig.service.tally.counts(PUBLISH_FAILED)[name] >= 1
    (entry,) = await rig.ledger()
    assert (entry.state, entry.message_id) == ("queued", None)
    assert entry.reason is not None
    assert entry.reason.startswith(name)
    assert await rig.count("outbox") == 1


@pytest.mark.parametrize(("name", "answer"), PARKED, ids=[name for name, _ in PARKED])
async def test_what_will_never_pass_is_parked_with_its_reason(rig: Rig, name: str, answer: Answer):
    """400 and too large: no repeat mends it, so the relay leaves it alone, and the ledger says why."""
    rig.qstash.answer = answer
    taken = await rig.post_sample("message")
    assert (taken.status_code, taken.json()) == (200, {"accepted": 0, "duplicates": 0, "queued": 0})
    (entry,) = await rig.ledger()
    assert entry.state == "parked"
    assert entry.reason is not None
    assert entry.reason.startswith(name)
    rig.qstash.answer = None
    assert (await rig.internal("POST", RELAY_PATH)).json() == {
        "sent": 0, "queued": 0, "parked": 1, "oldest_s": 0, "failures": {name: 1}
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2])
async def test_a_message_that_nobody_takes_waits_and_holds_up_nobody(rig: Rig, count: int):
    """QStash takes a message to an empty URL group, and answers with no receipt: the relay goes on without it."""
    destinations = ["empty-group", "https://a.example"][:count]
    rows = [Outgoing(Publish(name, deduplication_id=f"d-{n}")) for n, name in enumerate(destinations)]
    await rig.service.store.record([], rows, rig.clock.now_ms())
    receipts = [[], {"messageId": "msg_1"}][:count]
    rig.qstash.answer = lambda _: Response.of_json(200, receipts if count > 1 else receipts[0])
    told = (await rig.internal("POST", RELAY_PATH)).json()
    assert (told["sent"], told["queued"], told["parked"]) == (count - 1, 1, 0)
    assert (await rig.rows("select reason from outbox"))[0]["reason"] == f"nobody: {NO_ENDPOINTS}"


async def test_of_a_batch_only_the_failed_items(rig: Rig):
    """One refused item does not hold up the others, and each is told apart by its own text."""
    texts = [
        None,
        "invalid destination url",
        "quota maxMessageSize exceeded, current limit: 1",
        "quota maxDelay exceeded",
    ]
    answers = [Receipt("msg_1") if text is None else ItemError(text) for text in texts]
    rig.qstash.answer = lambda _: Response.of_json(200, batch_json(answers))
    items = [item("message", f"m-{number}", 1) for number in range(4)]
    taken = await rig.webhook(encode(post(entry(ACCOUNT, 1, messaging=items))))
    assert taken.json() == {"accepted": 2, "duplicates": 0, "queued": 1}
    assert [entry.state for entry in await rig.ledger()] == ["published", "parked", "parked", "queued"]
    assert dict(rig.service.tally.counts(PUBLISH_FAILED)) == {"quota": 1, "rejected": 1, "too_large": 1}


async def test_a_refused_batch_parks_nobody_unheard(rig: Rig):
    """A batch that is refused as a whole does not say which item is at fault: the relay finds it."""

    def only_poison_is_bad(messages):  # type: ignore[no-untyped-def]
        if any(b"poison" in message.body for message in messages):
            return refused(400, "invalid body")(messages)
        receipts = [Receipt(f"msg_{message.deduplication_id[:8]}") for message in messages]
        return (
            Response.of_json(200, batch_json(receipts))
            if len(receipts) > 1
            else Response.of_json(200, {"messageId": receipts[0].message_id})
        )

    rig.qstash.answer = only_poison_is_bad
    items = [item("message", "poison" if number == 5 else f"m-{number}", 1) for number in range(9)]
    taken = await rig.webhook(encode(post(entry(ACCOUNT, 1, messaging=items))))
    assert taken.json() == {"accepted": 9, "duplicates": 0, "queued": 9}
    drained = (await rig.internal("POST", RELAY_PATH)).json()
    assert (drained["sent"], drained["queued"], drained["parked"]) == (8, 0, 1)
    assert [entry.mid for entry in await rig.ledger(state="parked")] == ["poison"]
    assert len(await rig.ledger(state="published")) == 8


async def test_a_slow_qstash_does_not_keep_a_publish_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    """A publish that takes longer than its patience is given up as a timeout."""

    async def never(_request):  # type: ignore[no-untyped-def]
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.qstash, "send", never)
    publisher = Publisher(rig.service.client, rig.service.tally, Breaker(rig.clock), patience_s=0.01)
    (result,) = await publisher.send([Publish("https://a.example")])
    assert isinstance(result, Failure)
    assert (result.name, result.parked) == ("timeout", False)
    assert rig.service.tally.counts(PUBLISH_FAILED) == {"timeout": 1}


async def test_a_repeat_of_what_waits_is_a_duplicate(rig: Rig):
    """What lies in the outbox is not put there twice."""
    rig.qstash.answer = refused(500)
    await rig.post_sample("message")
    assert (await rig.post_sample("message")).json() == {"accepted": 0, "duplicates": 1, "queued": 0}
    assert await rig.count("outbox") == 1
