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


def holds_and_frees_a_queue(qs: Session) -> None:
    received = qs.receiver(URL).received
    qs.queues.upsert("orders", paused=True)
    for n in range(3):
        qs.publish(URL, json=n, queue="orders")
    qs.settle()
    assert (received, qs.queues.get("orders").lag) == ([], 3)
    qs.queues.resume("orders")
    qs.settle()
    assert [one.body for one in received] == [b"0", b"1", b"2"]
    qs.queues.pause("orders")
    assert list(qs.queues.list()["paused"]) == [True]
    qs.queues.delete("orders")
    assert qs.queues.list().empty


def publishes_by_a_schedule(qs: Session) -> None:
    received = qs.receiver(URL).received
    made = qs.schedules.upsert("*/5 * * * *", URL, json={"tick": True}, label="tick")
    qs.advance("12m")
    assert [one.body for one in received] == [b'{"tick":true}'] * 2
    (row,) = qs.schedules.list().to_dict("records")
    assert (row["schedule_id"], row["last_states"], row["labels"]) == (made, "1 SUCCESS", "tick")
    qs.schedules.pause(made)
    qs.advance("1h")
    qs.schedules.resume(made)
    assert qs.schedules.upsert("0 0 * * *", URL, schedule_id=made) == made
    qs.advance("1h")
    assert len(received) == 2
    assert qs.schedules.get(made).cron == "0 0 * * *"
    qs.schedules.delete(made)
    assert qs.schedules.list().empty


def publishes_to_each_endpoint_of_a_group(qs: Session) -> None:
    blue, green = (qs.receiver(f"https://{name}.example/", "500,500").received for name in ("blue", "green"))
    qs.groups.upsert("mirrors", {"blue": "https://blue.example/"})
    qs.groups.upsert("mirrors", "https://green.example/")
    qs.groups.set_defaults("mirrors", {"Upstash-Retries": "1", "Upstash-Retry-Delay": "1000"})
    assert len(qs.publish(group="mirrors", json=1)) == 2
    qs.settle()
    assert (len(blue), len(green)) == (2, 2)
    qs.groups.remove("mirrors", "blue")
    assert list(qs.groups.list()["url"]) == ["https://green.example/"]
    assert qs.groups.get("mirrors").endpoints[0].name is None
    qs.groups.delete("mirrors")
    assert qs.groups.list().empty


def holds_and_limits_a_flow(qs: Session) -> None:
    received = qs.receiver(URL).received
    for n in range(4):
        qs.publish(URL, json=n, flow_control={"key": "meta/1", "rate": 1, "period_s": 60})
    qs.flow.pause("meta/1")
    qs.advance("10m")
    held = len(received)
    (row,) = qs.flow.list("meta").to_dict("records")
    assert (row["paused"], row["waiting"] + held) == (True, 4)
    qs.flow.pin("meta/1", rate=2, period="1h")
    qs.flow.resume("meta/1")
    qs.advance("1m")
    assert len(received) == held + 2
    qs.flow.reset_rate("meta/1")
    qs.advance("1m")
    assert len(received) == 4
    qs.flow.unpin("meta/1")
    assert not qs.flow.get("meta/1").pinned_rate
    assert qs.flow.account().limit > 0


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
    holds_and_frees_a_queue,
    publishes_by_a_schedule,
    publishes_to_each_endpoint_of_a_group,
    holds_and_limits_a_flow,
)
