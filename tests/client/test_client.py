import json

import pytest

from qsops.client import Client
from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import (
    AuthError,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    SettingsError,
    Unreachable,
)
from qsops.models import CancelFilter, DlqFilter, ItemError, Publish, Receipt
from qsops.wire.http import Response
from tests.client.fake_qstash import BURST, DAILY, TOKEN, FakeQStash, refusal

URL = "https://app.example/hook"
HELLO = Publish(URL, body=b"hello")
BROKEN = refusal(503, "overloaded")


async def test_a_publish_is_accepted(client: Client, qstash: FakeQStash):
    """One message goes out under the token, and its receipt comes back."""
    assert await client.publish(HELLO) == [Receipt("msg_0")]
    assert qstash.bodies() == [b"hello"]


@pytest.mark.parametrize("fates", [["lost"], ["lost", "lost", "unsent"], [BROKEN, "lost"], ["unsent"], [BURST]])
async def test_a_lost_answer_makes_no_duplicate(client: Client, qstash: FakeQStash, fates: list):
    """Whatever is lost on the way, one publish is one message, and to its publisher it is the first."""
    qstash.fates.extend(fates)
    assert await client.publish(HELLO) == [Receipt("msg_0", deduplicated=False)]
    assert len(qstash.accepted) == 1
    assert len(qstash.requests) == len(fates) + 1


async def test_two_publishes_alike_are_two_messages(client: Client, qstash: FakeQStash):
    """An id that is made for repeats must not swallow a second message of the same content."""
    await client.publish(HELLO)
    await client.publish(HELLO)
    assert len(qstash.accepted) == 2


async def test_the_publishers_own_deduplication_id_is_kept(client: Client, qstash: FakeQStash):
    """An id that the publisher chose goes out as it is, and its deduplication is reported."""
    own = Publish(URL, body=b"hello", deduplication_id="order-17")
    assert await client.publish(own) == [Receipt("msg_0")]
    assert await client.publish(own) == [Receipt("msg_0", deduplicated=True)]


async def test_content_based_deduplication_gets_no_id_of_ours(client: Client, qstash: FakeQStash):
    """A made id would take the place of the content's hash."""
    await client.publish(Publish(URL, body=b"x", content_based_deduplication=True))
    assert "upstash-deduplication-id" not in qstash.accepted[0]["headers"]


async def test_a_burst_429_waits_for_its_reset(client: Client, qstash: FakeQStash, clock: ManualClock):
    """The per-second limit is waited out, to the second that it names."""
    qstash.fates.append(BURST)
    await client.publish(HELLO)
    assert 2000 <= clock.now_ms() - EPOCH_MS < 2500
    assert client.burst_limit is not None
    assert client.burst_limit.limit == 100


async def test_a_daily_429_is_raised_with_its_reset(client: Client, qstash: FakeQStash, clock: ManualClock):
    """The daily quota comes back at midnight: nobody waits for that, so the caller is told when."""
    qstash.fates.append(DAILY)
    with pytest.raises(RateLimited) as raised:
        await client.publish(HELLO)
    assert raised.value.kind == "daily"
    assert raised.value.reset_at_s == EPOCH_MS // 1000 + 86_400
    assert clock.now_ms() == EPOCH_MS
    assert len(qstash.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401, "unable to authenticate: invalid token"), AuthError),
        (refusal(412, "quota maxDelay exceeded, current limit: 604800"), QuotaExceeded),
        (refusal(400, "DeduplicationId cannot contain ':'"), Rejected),
    ],
)
async def test_a_refusal_is_not_repeated(client: Client, qstash: FakeQStash, answer: Response, error: type):
    """A wrong token, a used-up quota and a bad request stay so: they are raised at once, with the service's text."""
    qstash.fates.append(answer)
    with pytest.raises(error) as raised:
        await client.publish(HELLO)
    assert raised.value.text == json.loads(answer.body)["error"]
    assert len(qstash.requests) == 1


async def test_the_token_is_in_no_error(qstash: FakeQStash, client: Client):
    """Errors are printed and pasted: none of them holds the token."""
    for fate in ("unsent", "lost", BROKEN, BURST, DAILY, refusal(400, "bad")):
        qstash.fates.extend([fate] * 100)
        with pytest.raises((Rejected, OutcomeUnknown, Unreachable)) as raised:
            await client.publish(HELLO)
        assert TOKEN not in repr(raised.value)
        qstash.fates.clear()


async def test_a_service_in_lasting_trouble_is_raised(client: Client, qstash: FakeQStash):
    """Asking again ends: after five repeats the fault is the caller's to know."""
    qstash.fates.extend([BROKEN] * 100)
    with pytest.raises(ServerFault, match="overloaded"):
        await client.publish(HELLO)
    assert len(qstash.requests) == 6


async def test_a_batch_answers_in_the_order_asked(client: Client, qstash: FakeQStash):
    """Of a batch only the bad item fails, and it stands in its own place."""
    qstash.refuse = lambda item: "bad" if item["body"] == b"b" else None
    items = [Publish(URL, body=body) for body in (b"a", b"b", b"c")]
    assert await client.batch(items) == [[Receipt("msg_0")], ItemError("bad"), [Receipt("msg_1")]]
    assert await client.batch([]) == []


async def test_a_lost_batch_makes_no_duplicates(client: Client, qstash: FakeQStash):
    """Every item of a batch is repeated under its own id."""
    qstash.fates.append("lost")
    results = await client.batch([Publish(URL, body=b"a"), Publish(URL, body=b"b")])
    assert results == [[Receipt("msg_0")], [Receipt("msg_1")]]
    assert qstash.bodies() == [b"a", b"b"]


async def test_keys_are_never_rotated_twice(client: Client, qstash: FakeQStash):
    """Two rotations break every receiver, so a lost answer to one is not asked again."""
    qstash.fates.append("lost")
    with pytest.raises(OutcomeUnknown):
        await client.rotate_keys()
    assert len(qstash.requests) == 1


async def test_a_dead_letter_is_never_retried_twice(client: Client, qstash: FakeQStash):
    """A retry makes a new message: after a lost answer the caller looks, and nothing is sent unasked."""
    qstash.fates.append("lost")
    with pytest.raises(OutcomeUnknown):
        await client.retry_dead_letter("1725323658779-0")
    assert len(qstash.requests) == 1


async def test_an_empty_id_never_becomes_the_bulk_verb(client: Client, qstash: FakeQStash):
    """``DELETE /v2/messages/`` with nothing after it would cancel everything."""
    for verb in (client.cancel, client.message, client.dead_letter, client.delete_dead_letter):
        with pytest.raises(SettingsError, match="is empty"):
            await verb("")
    assert await client.cancel([]) == 0
    assert qstash.requests == []


async def test_cancel_goes_on_until_a_call_is_not_full(client: Client, qstash: FakeQStash):
    """The service cancels at most 500 a call and gives no cursor."""
    counts = [500, 500, 17]
    qstash.fates.extend(Response.of_json(200, {"cancelled": count}) for count in counts)
    assert await client.cancel(CancelFilter(labels=("campaign",))) == 1017
    assert len(qstash.requests) == 3


async def test_many_ids_are_cancelled_in_several_calls(client: Client, qstash: FakeQStash):
    """Ids travel in the query, whose length is limited."""
    qstash.fates.extend(Response.of_json(200, {"cancelled": count}) for count in (100, 100, 50))
    assert await client.cancel([f"msg_{n}" for n in range(250)]) == 250


async def test_bulk_delete_follows_the_cursor(client: Client, qstash: FakeQStash):
    """Dead letters are dropped page by page until no cursor comes."""
    qstash.fates.append(Response.of_json(200, {"deleted": 100, "cursor": "1-1"}))
    qstash.fates.append(Response.of_json(200, {"deleted": 3}))
    assert await client.delete_dead_letters(DlqFilter(labels=("x",))) == 103
    assert "cursor=1-1" in qstash.requests[1].query
