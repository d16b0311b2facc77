import pytest

from qsops.client import Client
from qsops.clock import ManualClock
from qsops.errors import (
    AuthError,
    Corrupt,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    ServiceError,
    Unreachable,
)
from qsops.models import CancelFilter, DlqFilter, LogFilter, Publish
from tests.hosted.conftest import Waits, connect
from tests.standins.hosted import HostedQStash
from tests.standins.loopback import Answer

TO = "https://example.com/hook"
PUBLISHING = ("POST /v2/publish", "POST /v2/enqueue", "POST /v2/batch")


async def send(client: Client, how: str) -> list[str]:
    """The ids of what was published: one message, or three in a batch."""
    if how == "batch":
        answers = await client.batch([Publish(TO, b"x") for _ in range(3)])
        return [receipt.message_id for answer in answers if isinstance(answer, list) for receipt in answer]
    receipts = await client.publish(Publish(TO, b"x", queue="q" if how == "enqueue" else None))
    assert not any(receipt.deduplicated for receipt in receipts)
    return [receipt.message_id for receipt in receipts]


async def test_a_burst_limit_is_waited_out(client: Client, hosted: HostedQStash, waits: Waits):
    """Reading faster than the plan allows costs waiting until the advertised reset, and loses no answer."""
    hosted.limits.requests_per_s = 2
    for _ in range(7):
        await client.logs(LogFilter())
    assert len(waits.seconds) == 3
    assert all(0 < seconds <= 1.3 for seconds in waits.seconds)
    assert len(hosted.seen) == 7 + 3


async def test_the_burst_limit_is_known_before_it_strikes(client: Client, hosted: HostedQStash):
    """What an answer advertises is kept, for whoever paces many requests."""
    hosted.limits.requests_per_s = 50
    await client.logs(LogFilter())
    assert client.burst_limit is not None
    assert (client.burst_limit.limit, client.burst_limit.remaining) == (50, 49)
    assert client.burst_limit.reset_at_s == hosted.now_ms // 1000 + 1


@pytest.mark.parametrize("how", ["publish", "enqueue", "batch"])
async def test_a_burst_429_on_publishing_makes_no_duplicate(client: Client, hosted: HostedQStash, how: str):
    """A request that was turned away had no effect, and is sent again."""
    hosted.burst(times=2)
    ids = await send(client, how)
    assert set(ids) == set(hosted.account.pending)


@pytest.mark.parametrize("how", ["publish", "enqueue", "batch"])
async def test_the_daily_limit_is_raised_at_once(client: Client, hosted: HostedQStash, waits: Waits, how: str):
    """Waiting until midnight is the caller's decision: the error says when that is."""
    hosted.limits.messages_per_day = 0
    with pytest.raises(RateLimited) as caught:
        await send(client, how)
    assert (caught.value.kind, caught.value.reset_at_s) == ("daily", hosted.now_ms // 1000 + 86_400)
    assert (len(hosted.seen), waits.seconds) == (1, [])


@pytest.mark.parametrize("status", [412, 400])
@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"delay_s": 700_000}, "quota maxDelay exceeded, current limit: 604800"),
        ({"retries": 6}, "quota maxRetries exceeded, current limit: 5"),
    ],
)
async def test_a_quota_is_raised_with_its_text(
    client: Client, hosted: HostedQStash, waits: Waits, option: dict, text: str, status: int
):
    """Asking again does not help, whichever status the service gives these texts."""
    hosted.limits.max_delay_s, hosted.limits.max_retries, hosted.limits.quota_status = 604_800, 5, status
    with pytest.raises(QuotaExceeded) as caught:
        await client.publish(Publish(TO, **option))
    assert (caught.value.text, caught.value.status) == (text, status)
    assert (len(hosted.seen), waits.seconds) == (1, [])


@pytest.mark.parametrize("verb", ["publish", "logs"])
async def test_a_wrong_token_is_raised_and_never_shown(
    hosted: HostedQStash, clock: ManualClock, waits: Waits, verb: str
):
    """401 is told once, with the service's text and without the token."""
    client = connect(hosted, clock, waits, "canary-token")
    with pytest.raises(AuthError, match="unable to authenticate: invalid token") as caught:
        await (client.publish(Publish(TO)) if verb == "publish" else client.logs(LogFilter()))
    await client.aclose()
    assert "canary" not in f"{caught.value!r} {caught.value}"
    assert (len(hosted.seen), waits.seconds) == (1, [])


async def test_a_read_only_token_reads(hosted: HostedQStash, clock: ManualClock, waits: Waits):
    """It is enough for the logs; a write is refused as a matter of the token."""
    hosted.log("ACTIVE")
    client = connect(hosted, clock, waits, hosted.read_only_token)
    assert len((await client.logs(LogFilter())).items) == 1
    with pytest.raises(AuthError) as caught:
        await client.publish(Publish(TO))
    await client.aclose()
    assert caught.value.status == 403


@pytest.mark.parametrize("fault", ["lose", "drop"])
@pytest.mark.parametrize("how", ["publish", "enqueue", "batch"])
async def test_a_lost_answer_makes_no_duplicate(client: Client, hosted: HostedQStash, fault: str, how: str):
    """Whether the request had taken effect or not: counted at the service, each message is there once."""
    for on in PUBLISHING:
        getattr(hosted, fault)(on=on, times=2)
    ids = await send(client, how)
    assert set(ids) == set(hosted.account.pending)
    assert hosted.published == len(ids) == (3 if how == "batch" else 1)
    assert len(hosted.seen) == 3


async def test_an_answer_that_is_too_slow_makes_no_duplicate(hosted: HostedQStash, clock: ManualClock, waits: Waits):
    """A client that gave up waiting asks again, and gets the receipt of the first message."""
    gate = hosted.hold(on="POST /v2/publish")
    client = connect(hosted, clock, waits, hosted.token, timeout_s=0.3)
    (receipt,) = await client.publish(Publish(TO))
    gate.open()
    await client.aclose()
    assert (list(hosted.account.pending), receipt.deduplicated) == ([receipt.message_id], False)


async def test_trouble_for_a_while_is_sat_out(client: Client, hosted: HostedQStash):
    """5xx from a proxy, lost answers and a burst limit in a row: one message in the end."""
    hosted.down(status=502, times=2)
    hosted.lose()
    hosted.burst()
    hosted.down(status=503)
    (receipt,) = await client.publish(Publish(TO))
    assert list(hosted.account.pending) == [receipt.message_id]


async def test_lasting_trouble_is_raised(client: Client, hosted: HostedQStash, waits: Waits):
    """A service that stays down is reported as such, within the client's patience."""
    hosted.down(status=503, times=10_000)
    with pytest.raises(ServerFault) as caught:
        await client.logs(LogFilter())
    assert (caught.value.status, sum(waits.seconds) <= 120) == (503, True)


async def test_what_stays_unknown_is_called_so(client: Client, hosted: HostedQStash):
    """A publish whose answers are all lost is neither done nor undone: the error says that."""
    hosted.lose(times=10_000)
    with pytest.raises(OutcomeUnknown):
        await client.publish(Publish(TO))
    assert hosted.published == 1


async def test_nobody_there_means_nothing_was_sent(hosted: HostedQStash, clock: ManualClock, waits: Waits):
    """A closed port is Unreachable, so that an outbox may send it later without doubt."""
    with HostedQStash() as gone:
        pass
    client = connect(gone, clock, waits, hosted.token)
    with pytest.raises(Unreachable):
        await client.publish(Publish(TO))
    await client.aclose()


@pytest.mark.parametrize("fault", ["lose", "down"])
async def test_keys_are_never_rotated_twice(client: Client, hosted: HostedQStash, fault: str):
    """Two rotations break every receiver: a lost answer is not asked for again."""
    getattr(hosted, fault)(on="POST /v2/keys/rotate")
    with pytest.raises(ServiceError):
        await client.rotate_keys()
    assert len(hosted.seen) == 1


async def test_a_dead_letter_is_never_retried_twice(client: Client, hosted: HostedQStash):
    """A retry has no deduplication id: after a lost answer the caller is told, and one message was made."""
    (receipt,) = await client.publish(Publish(TO))
    dlq_id = hosted.mark_failed(receipt.message_id)
    hosted.lose(on="POST /v2/dlq/retry")
    with pytest.raises(OutcomeUnknown):
        await client.retry_dead_letter(dlq_id)
    assert (hosted.published, hosted.account.dead) == (2, {})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b"null", b"7", b'{"unexpected": true}'])
async def test_an_answer_that_makes_no_sense_is_corrupt(client: Client, hosted: HostedQStash, body: bytes):
    """A success that cannot be read is told as that, and never as a traceback of ours."""
    hosted.answer(Answer(200, body=body), times=2)
    with pytest.raises(Corrupt):
        await client.logs(LogFilter())
    with pytest.raises(Corrupt):
        await client.publish(Publish(TO))


@pytest.mark.parametrize("body", [b"", b"no json", b'{"error": 7}', b'["error"]', b"\xff\xfe"])
async def test_a_refusal_without_a_text_is_still_one(client: Client, hosted: HostedQStash, body: bytes):
    """An error whose body is not the documented JSON keeps its status."""
    hosted.answer(Answer(404, body=body))
    with pytest.raises(Rejected) as caught:
        await client.message("msg_1")
    assert caught.value.status == 404


async def test_every_request_names_the_account_and_nothing_else_does(client: Client, hosted: HostedQStash):
    """The token goes as a bearer token, never in the path or the query."""
    await client.publish(Publish(TO))
    await client.logs(LogFilter(labels=("a",)))
    await client.dead_letters(DlqFilter())
    await client.cancel(CancelFilter(labels=("a",)))
    assert {seen.header("Authorization") for seen in hosted.seen} == {f"Bearer {hosted.token}"}
    assert not [seen for seen in hosted.seen if hosted.token in seen.target]
