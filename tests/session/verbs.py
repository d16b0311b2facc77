"""What every sync verb must do, as functions of a session: run in plain Python, in a running loop, in a kernel."""

from __future__ import annotations

from qsops.errors import SettingsError
from qsops.session import Session

URL = "https://app.example/hook"


def publishes_and_settles(qs: Session) -> None:
    received = qs.receiver(URL, "500,200").received
    receipt = qs.publish(URL, json={"text": "héllo 🎉"}, label="greeting")
    qs.settle()
    assert [one.body.decode() for one in received] == ['{"text":"héllo 🎉"}'] * 2
    assert {dict(one.headers)["Upstash-Message-Id"] for one in received} == {receipt.message_id}


def publishes_many(qs: Session) -> None:
    received = qs.receiver(URL).received
    sent = qs.publish_many([{"id": n} for n in range(7)], key="id", url=URL)
    qs.settle()
    assert list(sent.columns) == ["key", "message_id", "deduplicated", "error"]
    assert list(sent["key"]) == [str(n) for n in range(7)]
    assert len(received) == 7


def reads_the_log(qs: Session) -> None:
    qs.receiver(URL, "500,200")
    receipt = qs.publish(URL, json=1, label="read")
    qs.settle()
    assert list(qs.logs(label="read")["state"]) == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]
    assert list(qs.logs(since="5s", state="delivered")["message_id"]) == [receipt.message_id]
    assert list(qs.attempts(message_id=receipt.message_id)["outcome"]) == ["error", "delivered"]
    (message,) = qs.messages(url=URL).to_dict("records")
    assert (message["state"], message["attempts"]) == ("DELIVERED", 2)
    both = qs.folded(since="5s", label="read")
    assert (len(both.attempts), both.messages["message_id"].tolist()) == (1, [receipt.message_id])
    assert len(qs.logs(bodies=True)["body"]) == 6


def traces_a_message(qs: Session) -> None:
    qs.receiver(URL)
    receipt = qs.publish(URL, json=1)
    qs.settle()
    assert receipt.message_id in set(qs.trace(receipt.message_id).frame["message_id"])


def mends_dead_letters(qs: Session) -> None:
    qs.receiver(URL, "489 Upstash-NonRetryable-Error=true, 489 Upstash-NonRetryable-Error=true, 200")
    qs.publish(URL, json={"order": 17})
    qs.settle()
    (letter,) = qs.dlq.list(bodies=True).to_dict("records")
    assert (letter["response_status"], letter["body"]) == (489, '{"order":17}')
    assert qs.dlq.get(letter["dlq_id"]).message.body == b'{"order":17}'
    (again,) = qs.dlq.retry(letter["dlq_id"], retries=0).to_dict("records")
    assert again["message_id"] != letter["message_id"]
    qs.settle()
    assert qs.dlq.delete(url=URL) == 1
    assert qs.dlq.list().empty
    (gone,) = qs.dlq.retry(letter["dlq_id"]).to_dict("records")
    assert "404" in gone["error"]


def cancels(qs: Session) -> None:
    received = qs.receiver(URL).received
    ids = [qs.publish(URL, json=n, delay="1h").message_id for n in range(3)]
    assert qs.cancel(ids[0]) == 1
    assert qs.cancel(url=URL) == 2
    qs.settle()
    assert received == []


def refuses_to_cancel_everything_by_mistake(qs: Session) -> None:
    for mistake in ({}, {"ids": []}, {"ids": [""]}, {"label": []}):
        try:
            qs.cancel(**mistake)
        except SettingsError:
            continue
        raise AssertionError(f"{mistake} was taken for everything")
    qs.publish(URL, json=1, delay="1h")
    assert qs.cancel(all=True) == 1


def shows_and_rotates_keys(qs: Session) -> None:
    before = qs.keys.show()
    after = qs.keys.rotate()
    assert after.current == before.next
    assert qs.keys.show() == after
    assert before.current not in repr(after)


def moves_time(qs: Session) -> None:
    received = qs.receiver(URL).received
    started_ms = qs.clock.now_ms()
    qs.publish(URL, json=1, delay="2h")
    qs.advance("1h59m")
    assert received == []
    qs.advance("6h")
    assert received[0].at_ms == started_ms + 7_200_000
    assert qs.clock.now_ms() == started_ms + 28_740_000


def asks_a_mounted_app(qs: Session) -> None:
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("none")
        message = await receive()
        await send({"type": "http.response.start", "status": 201, "headers": [(b"x-method", scope["method"].encode())]})
        await send({"type": "http.response.body", "body": message["body"] + scope["path"].encode()})

    qs.mount("https://shop.example", app)
    answer = qs.request("post", "https://shop.example/orders?x=1", content="né", headers={"X-A": "b"})
    assert (answer.status, answer.body.decode(), dict(answer.headers)["x-method"]) == (201, "né/orders", "POST")
    qs.publish("https://shop.example/orders", body=b"\xff")
    qs.settle()
    assert qs.logs(url="https://shop.example/orders")["state"].iloc[-1] == "DELIVERED"


def lends_its_transport_to_the_official_sdk(qs: Session) -> None:
    received = qs.receiver(f"{URL}?a=%7E&b=//c").received
    sent = qs.sdk.message.publish_json(url=f"{URL}?a=%7E&b=//c", body={"by": "sdk"}, retries=1)
    qs.settle()
    assert received[0].body == b'{"by": "sdk"}'
    assert set(qs.logs(message_id=sent.message_id)["max_retries"]) == {1}


CHECKS = (
    publishes_and_settles,
    publishes_many,
    reads_the_log,
    traces_a_message,
    mends_dead_letters,
    cancels,
    refuses_to_cancel_everything_by_mistake,
    shows_and_rotates_keys,
    moves_time,
    asks_a_mounted_app,
    lends_its_transport_to_the_official_sdk,
)
