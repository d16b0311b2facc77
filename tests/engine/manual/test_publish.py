import pytest

from qsops import signing
from qsops.clock import EPOCH_MS, ManualClock
from qsops.config.dev_users import DEV_USERS
from qsops.engine.embedded import Embedded
from qsops.wire.http import header
from tests.engine.caller import Caller

URL = "https://shop.test/hook"


async def test_a_published_message_reaches_its_destination(engine: Embedded, caller: Caller):
    """Method, body and forwarded headers arrive as published, beside QStash's own."""
    receiver = engine.receiver(URL)
    headers = {"Upstash-Method": "PUT", "Upstash-Forward-X-Shop": "7", "Content-Type": "text/plain"}
    answer = await caller.ask("POST", f"/v2/publish/{URL}", "Grüße 🎉".encode(), headers)
    await engine.settle()
    (got,) = receiver.received
    assert (got.method, got.url, got.body.decode()) == ("PUT", URL, "Grüße 🎉")
    assert header(got.headers, "X-Shop") == "7"
    assert header(got.headers, "Content-Type") == "text/plain"
    assert header(got.headers, "Upstash-Message-Id") == answer.json["messageId"]
    assert header(got.headers, "Upstash-Retried") == "0"
    assert header(got.headers, "Authorization") is None
    assert await caller.states(answer.json["messageId"]) == ["CREATED", "ACTIVE", "DELIVERED"]


@pytest.mark.parametrize("tail", ["/%7Ea/../b?x=1&y=%20", "/a/b//c?z=https://other.test/p", "", "?only=query"])
async def test_the_signature_is_for_the_destination_as_given(engine: Embedded, caller: Caller, tail: str):
    """The signed URL is the destination character by character, and the engine requests exactly that one."""
    receiver = engine.receiver("https://shop.test")
    await caller.publish(f"https://shop.test{tail}", b"body")
    await engine.settle()
    (got,) = receiver.received
    token = header(got.headers, "Upstash-Signature")
    now_s = engine.clock.now_ms() / 1000
    claims = signing.verify(token, keys=DEV_USERS[0].keys, body=b"body", url=f"https://shop.test{tail}", now_s=now_s)
    assert got.url == claims.url == f"https://shop.test{tail}"


async def test_what_is_not_ascii_is_signed_as_it_is_called(engine: Embedded, caller: Caller):
    """A batch may name its destination in any letters: escaped once, for the signature and the request line alike."""
    receiver = engine.receiver("https://shop.test")
    destination = "https://shop.test/größe?q=ü#top"
    await caller.ask("POST", "/v2/batch", [{"destination": destination, "headers": {"Upstash-Callback": destination}}])
    await engine.settle()
    assert [got.url for got in receiver.received] == ["https://shop.test/gr%C3%B6%C3%9Fe?q=%C3%BC"] * 2
    for got in receiver.received:
        token = header(got.headers, "Upstash-Signature")
        signing.verify(token, keys=DEV_USERS[0].keys, body=got.body, url=got.url, now_s=engine.clock.now_ms() / 1000)


async def test_a_proxy_that_collapsed_the_slashes_is_understood(engine: Embedded, caller: Caller):
    """``https:/host`` means ``https://host``: some proxies fold double slashes."""
    receiver = engine.receiver(URL)
    await caller.ask("POST", "/v2/publish/https:/shop.test/hook")
    await engine.settle()
    assert [got.url for got in receiver.received] == [URL]


async def test_options_in_the_query_string_stay_with_the_engine(engine: Embedded, caller: Caller):
    """Options may be query parameters; what is left of the query belongs to the destination, the token never."""
    receiver = engine.receiver(URL)
    anonymous = Caller(engine.send, token=None)
    token = DEV_USERS[0].token
    answer = await anonymous.ask(
        "POST", f"/v2/publish/{URL}?a=1&upstash-label=from-query&qstash_token={token}&b=2", b""
    )
    await engine.settle()
    assert [got.url for got in receiver.received] == [f"{URL}?a=1&b=2"]
    assert (await caller.logs(messageId=answer.json["messageId"]))[0]["label"] == "from-query"


async def test_what_is_forwarded_may_be_a_parameter(engine: Embedded, caller: Caller):
    """Forwarding options in the query string reach the destination and its callback, as those in headers do."""
    receiver = engine.receiver(URL)
    query = f"upstash-forward-zed=1+2&upstash-callback={URL}/told&upstash-callback-forward-k=v&a=1"
    answer = await caller.ask("POST", f"/v2/publish/{URL}/ok?{query}", b"", {"Upstash-Forward-Own": "x"})
    assert answer.status == 200
    await engine.settle()
    message, callback = receiver.received
    assert (message.url, callback.url) == (f"{URL}/ok?a=1", f"{URL}/told")
    assert (header(message.headers, "Zed"), header(message.headers, "Own")) == ("1 2", "x")
    assert header(callback.headers, "K") == "v"


@pytest.mark.parametrize(
    ("options", "due_s"),
    [
        ({}, 0),
        ({"delay": "90s"}, 90),
        ({"delay": "1h1m1s"}, 3661),
        ({"not_before": EPOCH_MS // 1000 + 50}, 50),
        ({"not_before": EPOCH_MS // 1000 + 50, "delay": "9h"}, 50),
        ({"not_before": EPOCH_MS // 1000 - 50}, 0),
    ],
)
async def test_a_delay_is_kept_to_the_second(engine: Embedded, caller: Caller, options: dict, due_s: int):
    """Delivered when due and not before; a not-before wins over a delay, and one in the past means now."""
    receiver = engine.receiver(URL)
    await caller.publish(URL, **options)
    if due_s:
        await engine.advance(due_s * 1000 - 1)
        assert receiver.received == []
        await engine.advance(1)
    else:
        await engine.advance(0)
    assert [got.at_ms for got in receiver.received] == [EPOCH_MS + due_s * 1000]


async def test_a_batch_accepts_and_refuses_item_by_item(engine: Embedded, caller: Caller):
    """One bad item is answered in its place, and the others are delivered, in order."""
    receiver = engine.receiver("https://shop.test")
    answer = await caller.ask(
        "POST",
        "/v2/batch",
        [
            {"destination": f"{URL}/1", "body": "one", "headers": {"upstash-label": "l1"}, "queue": None},
            {"destination": "ftp://shop.test", "body": None},
            {"destination": f"{URL}/2", "body": None, "headers": {"Upstash-Retries": "0"}},
            {"destination": URL, "queue": "a b"},
        ],
    )
    await engine.settle()
    assert answer.status == 200
    assert [sorted(item) for item in answer.json] == [["messageId"], ["error"], ["messageId"], ["error"]]
    assert [(got.url, got.body) for got in receiver.received] == [(f"{URL}/1", b"one"), (f"{URL}/2", b"")]


async def test_deliveries_of_one_instant_keep_the_order_of_acceptance(engine: Embedded, caller: Caller):
    """What falls due together leaves in the order in which it was accepted."""
    receiver = engine.receiver(URL)
    for number in range(150):
        await caller.publish(URL, b"%d" % number)
    await engine.settle()
    assert [int(got.body) for got in receiver.received] == list(range(150))


async def test_redacted_fields_are_hidden_everywhere_but_at_the_destination(engine: Embedded, caller: Caller):
    """A redacted body or header reads REDACTED in message, logs and DLQ; destination and DLQ retry get the original."""
    receiver = engine.receiver(URL, "500,200")
    headers = {
        "Upstash-Redact-Fields": "body,header[X-Secret]",
        "Upstash-Forward-X-Secret": "s3cret",
        "Upstash-Forward-X-Open": "open",
        "Upstash-Retries": "0",
    }
    sent = await caller.ask("POST", f"/v2/publish/{URL}", b"private text", headers)
    message = await caller.ask("GET", f"/v2/messages/{sent.json['messageId']}")
    await engine.settle()
    (letter,) = await caller.dead_letters()
    shown = [message.json, letter, *await caller.logs()]
    assert "private text" not in str(shown)
    assert "s3cret" not in str(shown)
    assert letter["body"].startswith("REDACTED:")
    assert letter["header"]["X-Open"] == ["open"]
    await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")
    await engine.settle()
    assert [(got.body, header(got.headers, "X-Secret")) for got in receiver.received] == [
        (b"private text", "s3cret")
    ] * 2


async def test_a_message_survives_a_restart(tmp_path, clock: ManualClock):
    """What was accepted by one engine is delivered by the next one on the same file, with state and options."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    message_id = await Caller(first.send).publish(URL, b"kept", delay="1h", label="later")
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL)
    await second.settle()
    assert [(got.body, header(got.headers, "Upstash-Message-Id")) for got in receiver.received] == [
        (b"kept", message_id)
    ]
    await second.aclose()


async def test_forwarded_headers_do_not_frame_the_request(engine: Embedded, caller: Caller):
    """A forwarded Content-Length or Host is left out: it would make of one signed request two, or another's."""
    receiver = engine.receiver(URL)
    await caller.publish(
        URL, b"0123456789", forward_content_length=1, forward_transfer_encoding="chunked", forward_host="evil.example"
    )
    await engine.settle()
    (got,) = receiver.received
    assert {"content-length", "transfer-encoding", "host"}.isdisjoint(name.lower() for name, _ in got.headers)


async def test_no_region_is_told(engine: Embedded, caller: Caller):
    """A local engine lies in none: a receiver with keys of two regions would look for the wrong ones."""
    receiver = engine.receiver(URL)
    await caller.publish(URL)
    await engine.settle()
    assert header(receiver.received[0].headers, "Upstash-Region") is None
    assert header(receiver.received[0].headers, "User-Agent") == "Upstash-QStash"


async def test_nothing_is_resolved_at_publish(caller: Caller):
    """A name that does not exist fails when it is called, not when it is named."""
    assert (await caller.ask("POST", "/v2/publish/https://nowhere.invalid/")).status == 200


async def test_forwarded_headers_do_not_pass_for_qstash_s_own(engine: Embedded, caller: Caller):
    """What a consumer trusts once the signature holds cannot be forwarded by a publisher."""
    receiver = engine.receiver(URL)
    await caller.publish(URL, forward_upstash_message_id="msg_other", forward_upstash_retried=9)
    await engine.settle()
    (got,) = receiver.received
    assert [value for name, value in got.headers if name.lower() == "upstash-retried"] == ["0"]
