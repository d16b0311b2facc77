import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qsops.clock import ManualClock
from service.body import COMPRESSED
from service.envelope import decode
from service.errors import StoreUnavailable
from service.lanes import BATCH
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.rehearsal import APP_SECRET, VERIFY_TOKEN
from service.samples import ACCOUNT, NAMES, TEXT, encode, entry, item, post, sample, signed_headers
from service.store import SqliteStore
from service.tally import EVENTS
from service.webhook import BODY_LIMIT, HANDSHAKE_REFUSED, IDS_LOGGED, SIGNATURE_REFUSED, WEBHOOK_PATH
from tests.service.rig import BASE, Rig, close, make_rig

HELLO = encode(sample("message", mid="m", at_ms=1))


def question(**parameters: str) -> dict[str, str]:
    given = {"mode": "subscribe", "verify_token": VERIFY_TOKEN, "challenge": "1158201444", **parameters}
    return {f"hub.{name}": value for name, value in given.items()}


async def test_the_handshake_answers_the_challenge(rig: Rig):
    """Meta gets its challenge back as the plain body."""
    answer = await rig.http.get(WEBHOOK_PATH, params=question())
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "parameters",
    [
        question(verify_token="wrong"),
        question(verify_token=""),
        question(mode="unsubscribe"),
        {},
        question(verify_token="ü"),
    ],
)
async def test_a_handshake_with_another_token_is_refused(rig: Rig, parameters: dict[str, str]):
    """Whoever does not know the verify token cannot subscribe us."""
    answer = await rig.http.get(WEBHOOK_PATH, params=parameters)
    assert (answer.status_code, answer.json()) == (403, {"error": HANDSHAKE_REFUSED})


@pytest.mark.parametrize("name", NAMES)
async def test_every_sample_is_accepted(rig: Rig, name: str):
    """Each kind in each container, unknown ones too, is answered 200 and published as one message."""
    answer = await rig.post_sample(name)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0, "queued": 0})
    (message,) = rig.qstash.published
    event = decode(message.body)
    assert message.labels == (event.kind,)
    assert [entry.event_id for entry in await rig.ledger()] == [event.id]


async def test_a_message_carries_its_own_retry_policy(rig: Rig):
    """Retries, timeout, failure callback and identity are set on each message, never left to a plan's default."""
    await rig.post_sample("message")
    (message,) = rig.qstash.published
    event_id = decode(message.body).id
    assert message.destination == BASE + CONSUMER_PATH
    assert (message.retries, message.timeout_s, message.callback) == (5, 30, None)
    assert message.failure_callback is not None
    assert (message.failure_callback.url, message.failure_callback.retries) == (BASE + FAILURE_PATH, 5)
    assert ("Qsops-Event-Id", event_id) in message.headers
    assert message.deduplication_id is not None
    assert ":" not in message.deduplication_id
    assert event_id not in message.deduplication_id


async def test_one_post_is_a_few_requests(rig: Rig):
    """A POST of many updates costs a request for each hundred of them, and each update its own message."""
    items = [item("message", f"m-{number}", number + 1) for number in range(2 * BATCH)]
    answer = await rig.webhook(encode(post(entry(ACCOUNT, 1, messaging=items))))
    assert answer.json() == {"accepted": 2 * BATCH, "duplicates": 0, "queued": 0}
    assert len(rig.qstash.requests) == 2
    assert len({message.deduplication_id for message in rig.qstash.published}) == 2 * BATCH


async def test_repeats_are_not_published_again(rig: Rig):
    """Meta repeats for 36 hours, QStash remembers 10 minutes: what the ledger knows is a duplicate."""
    body = encode(post(entry(ACCOUNT, 1, messaging=[item("message", "m", 1), item("message", "m", 1)])))
    assert (await rig.webhook(body)).json() == {"accepted": 1, "duplicates": 1, "queued": 0}
    rig.clock.advance(11 * 60_000)
    assert (await rig.webhook(body)).json() == {"accepted": 0, "duplicates": 2, "queued": 0}
    assert len(rig.qstash.published) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": signed_headers(APP_SECRET, HELLO)["X-Hub-Signature-256"].upper()},
        {"X-Hub-Signature-256": "sha256=" + signed_headers(APP_SECRET, HELLO)["X-Hub-Signature-256"][7:].upper()},
        {"X-Hub-Signature-256": signed_headers("another", HELLO)["X-Hub-Signature-256"]},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {},
    ],
    ids=["wrong", "upper-case", "upper-case hex", "another secret", "sha1 only", "missing"],
)
async def test_an_unsigned_post_is_refused_and_leaves_nothing(rig: Rig, headers: dict[str, str]):
    """Wrong, missing or upper-case signature: 403, nothing stored, nothing published, and it is counted."""
    answer = await rig.http.post(WEBHOOK_PATH, content=HELLO, headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"error": SIGNATURE_REFUSED})
    assert (rig.qstash.requests, await rig.count("events"), await rig.count("outbox")) == ([], 0, 0)
    assert rig.service.tally.counts(WEBHOOK_PATH) == {"signature": 1}


async def test_two_signatures_are_none(rig: Rig):
    """Of two signature headers nobody can say which one holds."""
    signed = signed_headers(APP_SECRET, HELLO)["X-Hub-Signature-256"]
    headers = [("X-Hub-Signature-256", "sha256=0"), ("X-Hub-Signature-256", signed)]
    assert (await rig.http.post(WEBHOOK_PATH, content=HELLO, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"entry": [{"messaging": [{"a": NaN}]}]}'],
    ids=["empty", "cut", "no utf-8", "deep", "nan"],
)
async def test_broken_json_is_400(rig: Rig, body: bytes):
    """What is signed and yet no JSON is refused clearly, and leaves nothing."""
    answer = await rig.webhook(body)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]
    assert (rig.qstash.requests, await rig.count("events")) == ([], 0)


@pytest.mark.parametrize(
    "text", ["\ud83d", "\0", "a\ud800b", "👩‍👩‍👧" * 50], ids=["half an emoji", "nul", "half in text", "families"]
)
async def test_odd_text_reaches_the_database(rig: Rig, text: str):
    """Half an emoji or a NUL must not make an event unprocessable: it is replaced where databases cannot hold it."""
    body = post(entry(ACCOUNT, 1, messaging=[item("message", "m", 1)]))
    body["entry"][0]["messaging"][0]["message"]["text"] = text
    assert (await rig.webhook(encode(body))).status_code == 200
    assert (await rig.deliver(rig.qstash.published[0].body)).status_code == 200
    (row,) = await rig.rows("select text from direct_messages")
    assert row["text"] == text.replace("\ud83d", "\ufffd").replace("\ud800", "\ufffd").replace("\0", "\ufffd")


async def endless(total: int) -> AsyncIterator[bytes]:
    sent = 0
    while sent < total:
        sent += 1 << 20
        yield b"x" * (1 << 20)


async def test_a_body_over_the_limit_is_413_as_soon_as_it_is_told(rig: Rig):
    """A Content-Length over the limit is refused before a byte is read."""
    answer = await rig.http.post(WEBHOOK_PATH, content=b"x" * (BODY_LIMIT + 1))
    assert answer.status_code == 413
    assert str(BODY_LIMIT) in answer.json()["error"]


async def test_a_body_over_the_limit_is_413_while_it_is_read():
    """A body that does not tell its length is cut off at the limit, not read to its end."""
    rig = make_rig()
    messages_read = 0

    async def counting(scope, receive, send):  # type: ignore[no-untyped-def]
        async def counted():  # type: ignore[no-untyped-def]
            nonlocal messages_read
            messages_read += 1
            return await receive()

        await rig.app(scope, counted, send)

    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(counting), base_url=BASE) as http:
        answer = await http.post(WEBHOOK_PATH, content=endless(1 << 30))
    assert answer.status_code == 413
    # What lies behind the answer is thrown away up to a bound; a gigabyte is not read.
    assert messages_read < 100
    await close(rig)


@pytest.mark.parametrize("path", [WEBHOOK_PATH, CONSUMER_PATH])
async def test_an_upload_that_breaks_off_is_a_line_and_no_fault(rig: Rig, path: str, caplog: pytest.LogCaptureFixture):
    """Connections end whenever they like: nothing is stored, and no traceback fills the log."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(b"host", b"service.example"), (b"content-length", b"9")],
    }
    parts = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with caplog.at_level(logging.INFO, logger="service"):
        await rig.app({**scope, "query_string": b""}, receive, send)
    assert [json.loads(record.message) for record in caplog.records] == [{"log": "broken_off", "route": path}]
    assert (sent[0]["status"], await rig.count("events")) == (400, 0)


async def test_a_body_of_just_the_limit_is_read(rig: Rig):
    """1,000 updates are up to 6.3 MB: the limit leaves room, and is exact."""
    body = b'{"entry":[],"pad":"' + b"x" * (BODY_LIMIT - 21) + b'"}'
    assert len(body) == BODY_LIMIT
    assert (await rig.webhook(body)).status_code == 200


class Away(SqliteStore):
    """A store that is switched off and on."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.away = False

    async def known(self, event_ids):  # type: ignore[no-untyped-def, override]
        if self.away:
            raise StoreUnavailable("switched off")
        return await super().known(event_ids)


async def test_without_a_database_meta_is_asked_to_repeat():
    """What cannot be stored is answered 503 with Retry-After, and taken when it comes again."""
    store = Away()
    rig = make_rig(ManualClock(), store)
    store.away = True
    answer = await rig.webhook(HELLO)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert rig.qstash.requests == []
    store.away = False
    assert (await rig.webhook(HELLO)).json()["accepted"] == 1
    await close(rig)


async def test_unknown_shapes_are_taken_and_kept(rig: Rig):
    """Never 4xx or 5xx for something merely new."""
    for body in ({"object": "instagram"}, [], {"entry": [{"id": "1", "orbits": [1]}]}, {"entry": [5]}):
        answer = await rig.webhook(json.dumps(body).encode())
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


ANOTHER = "17841400000000999"


def both_accounts() -> bytes:
    ours, theirs = (
        entry(one, 1, messaging=[item("message", f"m-{one}", 1, account=one)]) for one in (ACCOUNT, ANOTHER)
    )
    return encode(post(ours, theirs))


@pytest.mark.parametrize("mode", ["direct", "outbox-first"])
async def test_an_event_for_an_account_that_is_not_ours_is_not_published(mode: str, caplog: pytest.LogCaptureFixture):
    """With INSTAGRAM_ACCOUNT_IDS set, events for others are answered 200, counted, and logged by their ids alone."""
    rig = make_rig(qsops_ingest_mode=mode, instagram_account_ids=f"{ACCOUNT}, 17841400000000002")
    answer = await rig.webhook(both_accounts())
    queued = int(mode == "outbox-first")
    assert (answer.status_code, answer.json()) == (
        200,
        {"accepted": 1, "duplicates": 0, "queued": queued, "foreign": 1},
    )
    assert [one.account for one in await rig.ledger()] == [ACCOUNT]
    assert rig.service.tally.counts(EVENTS)["foreign"] == 1
    (line,) = [told for record in caplog.records if (told := json.loads(record.message))["log"] == "foreign"]
    assert (line["account"], line["events"], len(line["first"])) == (ANOTHER, 1, 1)
    assert TEXT not in caplog.text
    await close(rig)


async def test_without_the_setting_every_account_is_ours(rig: Rig):
    """INSTAGRAM_ACCOUNT_IDS is a choice: unset, whatever Meta signs is taken."""
    assert (await rig.webhook(both_accounts())).json() == {"accepted": 2, "duplicates": 0, "queued": 0}


async def test_an_event_without_an_account_is_kept():
    """Meta keeps no copy: what does not say whose it is may be ours, and is taken."""
    rig = make_rig(instagram_account_ids=ACCOUNT)
    answer = await rig.webhook(b'{"entry": [{"messaging": [{"message": {"mid": "m"}}]}, 5]}')
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "duplicates": 0, "queued": 0})
    await close(rig)


async def test_a_log_line_of_foreign_events_is_bounded(caplog: pytest.LogCaptureFixture):
    """A thousand events for another account are one line, with their number and the first few ids."""
    rig = make_rig(instagram_account_ids=ACCOUNT)
    items = [item("message", f"m-{number}", 1, account=ANOTHER) for number in range(1_000)]
    assert (await rig.webhook(encode(post(entry(ANOTHER, 1, messaging=items))))).json()["foreign"] == 1_000
    (line,) = [told for record in caplog.records if (told := json.loads(record.message))["log"] == "foreign"]
    assert (line["events"], len(line["first"])) == (1_000, IDS_LOGGED)
    assert (rig.qstash.requests, await rig.count("events")) == ([], 0)
    await close(rig)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP"])
async def test_a_compressed_body_is_415(rig: Rig, encoding: str):
    """What is signed are the bytes as they are sent: another encoding is refused clearly, and leaves nothing."""
    answer = await rig.webhook(gzip.compress(HELLO), **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()) == (415, {"error": COMPRESSED})
    assert (rig.qstash.requests, await rig.count("events")) == ([], 0)


async def test_identity_is_no_encoding(rig: Rig):
    """A proxy may say that nothing was encoded."""
    assert (await rig.webhook(HELLO, **{"Content-Encoding": "identity"})).status_code == 200


ODD = {
    "numbers as text": {"id": int(ACCOUNT), "time": "1", "messaging": [{**item("message", "m", 1), "timestamp": "1"}]},
    "ids as numbers": {"id": 1, "messaging": [{"sender": {"id": 7}, "recipient": {"id": 1}, "message": {"mid": 5}}]},
    "a kind of tomorrow": {"id": ACCOUNT, "messaging": [{"hologram": {"mid": "m"}}]},
    "text where an object was": {"id": ACCOUNT, "messaging": [{"message": "m", "sender": "x", "recipient": []}]},
    "half of a surrogate pair": {"id": "\ud83d", "messaging": [{"message": {"mid": "\ud83d", "text": "\ud83d"}}]},
    "a null byte": {"id": "1\x00", "messaging": [{"message": {"mid": "m\x00", "text": "\x00"}}]},
    "endless numbers": {"id": 10**400, "time": 10**400, "messaging": [{"timestamp": 10**400, "message": {"mid": 1}}]},
}


@pytest.mark.parametrize("mode", ["direct", "outbox-first"])
@pytest.mark.parametrize("name", ODD)
async def test_odd_values_are_taken_and_can_be_read_again(mode: str, name: str):
    """Whatever Meta puts where something else was expected is one event, which our consumer can read and process."""
    rig = make_rig(qsops_ingest_mode=mode)
    answer = await rig.webhook(json.dumps({"entry": [ODD[name]]}).encode())
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    await rig.service.relay.drain()
    (message,) = rig.qstash.published
    assert (await rig.deliver(message.body)).json() == {"status": "processed"}
    assert [one.state for one in await rig.ledger()] == ["processed"]
    await close(rig)


def nested(depth: int) -> bytes:
    return b'{"entry": [{"id": "1", "messaging": [{"message": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}]}]}"


@pytest.mark.parametrize("depth", [100, 900, 950, 980, 1_000, 5_000, 100_000])
async def test_deep_json_is_taken_or_refused_and_never_a_fault(rig: Rig, depth: int):
    """However deep a body is nested, it is either taken whole or answered 400 and nothing is left of it."""
    answer = await rig.webhook(nested(depth))
    assert answer.status_code in ((200,) if depth == 100 else (200, 400))
    taken = answer.status_code == 200
    assert (len(rig.qstash.published), await rig.count("events")) == (int(taken), int(taken))
