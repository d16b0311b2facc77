from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.deliveries.scripted import ScriptedReceiver
from qsops.engine.embedded import Embedded
from tests.engine.caller import TOKENS, Caller, option_headers

URL = "https://shop.test/hook"
BACK = "https://shop.test/back"
FAILED = "https://shop.test/failed"
QUEUE = "orders"


async def enqueue(caller: Caller, body: bytes = b"", queue: str = QUEUE, url: str = URL, **options: Any) -> str:
    answer = await caller.ask("POST", f"/v2/enqueue/{queue}/{url}", body, option_headers(**options))
    assert answer.status == 200, answer
    return answer.json["messageId"]


async def enqueue_numbers(caller: Caller, count: int, **options: Any) -> list[str]:
    return [await enqueue(caller, b"%d" % number, **options) for number in range(count)]


async def upsert(caller: Caller, queue: str = QUEUE, **fields: Any) -> None:
    answer = await caller.ask("POST", "/v2/queues", {"queueName": queue, **fields})
    assert answer.status == 200, answer


async def queue_of(caller: Caller, queue: str = QUEUE) -> dict[str, Any]:
    answer = await caller.ask("GET", f"/v2/queues/{queue}")
    assert answer.status == 200, answer
    return answer.json


async def act(caller: Caller, verb: str, queue: str = QUEUE) -> int:
    return (await caller.ask("POST", f"/v2/queues/{queue}/{verb}")).status


def arrivals(receiver: ScriptedReceiver) -> list[str]:
    return [got.body.decode() for got in receiver.received]


async def test_enqueue_makes_the_queue(engine: Embedded, caller: Caller):
    """A queue that nobody made is there with the first message: one at a time, not paused."""
    engine.receiver(URL)
    message_id = await enqueue(caller, b"x")
    assert await queue_of(caller) == {
        "name": QUEUE,
        "createdAt": EPOCH_MS,
        "updatedAt": EPOCH_MS,
        "parallelism": 1,
        "paused": False,
        "lag": 1,
    }
    message = (await caller.ask("GET", f"/v2/messages/{message_id}")).json
    assert message["queueName"] == QUEUE
    await engine.settle()
    assert await caller.states(message_id) == ["CREATED", "ACTIVE", "DELIVERED"]
    assert (await queue_of(caller))["lag"] == 0


async def test_messages_go_one_after_the_other(engine: Embedded, caller: Caller):
    """The next is called when the one before has been answered, in the order in which they came."""
    receiver = engine.receiver(URL, "200 after=2s")
    await enqueue_numbers(caller, 5)
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2", "3", "4"]
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [0, 2_000, 4_000, 6_000, 8_000]


async def test_a_failing_message_holds_its_place(engine: Embedded, caller: Caller):
    """Its retries come before the next message; when it has failed for good, that one goes."""
    receiver = engine.receiver(URL, "500,500,500,200")
    await enqueue_numbers(caller, 2, retries=2)
    await engine.settle()
    assert arrivals(receiver) == ["0", "0", "0", "1"]
    (letter,) = await caller.dead_letters()
    assert (letter["body"], letter["queueName"]) == ("0", QUEUE)


async def test_the_next_waits_for_the_callbacks(engine: Embedded, caller: Caller):
    """A place is held until callback and failure callback have ended, with the retries of both."""
    receiver = engine.receiver(URL, "500,200")
    back = engine.receiver(BACK, "500,200 after=1s")
    failed = engine.receiver(FAILED, "500,500,200")
    options = {"callback_retries": 1, "failure_callback_retries": 2, "retry_delay": "10000"}
    await enqueue(caller, b"0", retries=0, callback=BACK, failure_callback=FAILED, **options)
    await enqueue(caller, b"1")
    await engine.settle()
    ended_ms = max(got.at_ms for got in (*back.received, *failed.received))
    assert (len(back.received), len(failed.received)) == (2, 3)
    assert arrivals(receiver) == ["0", "1"]
    assert receiver.received[1].at_ms >= ended_ms
    assert (await queue_of(caller))["lag"] == 0


async def test_a_callback_after_each_attempt_holds_nobody_up_but_its_queue(engine: Embedded, caller: Caller):
    """A retry does not wait for the callback of the attempt before; only the next message does."""
    receiver = engine.receiver(URL, "500,200")
    engine.receiver(BACK, "200 after=1h")
    await enqueue(caller, b"0", callback=BACK, retry_delay="1000")
    await enqueue(caller, b"1")
    await engine.settle()
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [0, 1_000, 3_601_000]
    assert arrivals(receiver) == ["0", "0", "1"]


async def test_a_pause_does_not_hold_what_was_taken_back(engine: Embedded, caller: Caller):
    """Who had its turn, and was then taken back, is closed at once, and is no part of the queue any more."""
    engine.receiver(URL)
    message_id = await enqueue(caller)
    await caller.ask("DELETE", f"/v2/messages/{message_id}")
    assert await act(caller, "pause") == 200
    await engine.advance(0)
    assert await caller.states(message_id) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]
    assert (await queue_of(caller))["lag"] == 0


async def test_queues_do_not_wait_for_each_other(engine: Embedded, caller: Caller):
    """Order is kept within one queue; another one, and plain messages, go on."""
    receiver = engine.receiver(URL, "200 after=1s")
    await enqueue(caller, b"a0", queue="a")
    await enqueue(caller, b"a1", queue="a")
    await enqueue(caller, b"b0", queue="b")
    await caller.publish(URL, b"plain")
    await engine.advance(0)
    assert arrivals(receiver) == ["a0", "b0", "plain"]


async def test_accounts_have_queues_of_their_own(engine: Embedded, caller: Caller):
    """A name is one's own: neither read nor held up by another account."""
    other = Caller(engine.send, TOKENS[1])
    receiver = engine.receiver(URL, "200 after=1s")
    await enqueue(caller, b"mine")
    assert (await other.ask("GET", f"/v2/queues/{QUEUE}")).status == 404
    await enqueue(other, b"theirs")
    await engine.advance(0)
    assert arrivals(receiver) == ["mine", "theirs"]


async def test_parallelism_is_how_many_go_at_a_time(engine: Embedded, caller: Caller):
    """With parallelism p there are never more than p under way, and they start in order."""
    receiver = engine.receiver(URL, "200 after=1s")
    await upsert(caller, parallelism=3)
    await enqueue_numbers(caller, 7)
    await engine.settle()
    assert arrivals(receiver) == [str(number) for number in range(7)]
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [0, 0, 0, 1_000, 1_000, 1_000, 2_000]


async def test_more_parallelism_lets_those_go_who_wait(engine: Embedded, caller: Caller):
    """A change takes effect at once."""
    receiver = engine.receiver(URL, "200 after=10s")
    await enqueue_numbers(caller, 4)
    await engine.advance(1_000)
    await upsert(caller, parallelism=3)
    await engine.advance(0)
    assert arrivals(receiver) == ["0", "1", "2"]
    assert (await queue_of(caller))["updatedAt"] == EPOCH_MS + 1_000


async def test_less_parallelism_takes_nothing_back(engine: Embedded, caller: Caller):
    """What is under way goes on; the next goes when there is room again."""
    receiver = engine.receiver(URL, "200 after=10s")
    await upsert(caller, parallelism=3)
    await enqueue_numbers(caller, 5)
    await engine.advance(1_000)
    await upsert(caller, parallelism=1)
    await engine.advance(9_000)
    assert arrivals(receiver) == ["0", "1", "2", "3"]
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2", "3", "4"]


async def test_a_paused_queue_accepts_and_keeps(engine: Embedded, caller: Caller):
    """Nothing of it is called until it is resumed; then it goes on with the earliest."""
    receiver = engine.receiver(URL)
    await upsert(caller, paused=True)
    await enqueue_numbers(caller, 3)
    assert await engine.settle() is True
    assert receiver.received == []
    assert ((await queue_of(caller))["paused"], (await queue_of(caller))["lag"]) == (True, 3)
    assert await act(caller, "resume") == 200
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]


async def test_a_pause_holds_what_was_not_called_yet(engine: Embedded, caller: Caller):
    """A message that had its turn, and was not called, stays; it is the first when the queue goes on."""
    receiver = engine.receiver(URL)
    await enqueue_numbers(caller, 2)
    assert await act(caller, "pause") == 200
    await engine.advance(60_000)
    assert receiver.received == []
    await enqueue(caller, b"2")
    assert await act(caller, "resume") == 200
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]


async def test_a_pause_lets_a_call_end_but_not_be_repeated(engine: Embedded, caller: Caller):
    """What is under way may land. Its retry waits for the queue, and keeps its place before the others."""
    receiver = engine.receiver(URL, "500 after=5s,200")
    back = engine.receiver(BACK)
    await enqueue(caller, b"0", retry_delay="1000", callback=BACK)
    await enqueue(caller, b"1")
    await engine.advance(1_000)
    await act(caller, "pause")
    await engine.advance(60_000)
    assert (arrivals(receiver), len(back.received)) == (["0"], 1)
    await act(caller, "resume")
    await engine.settle()
    assert arrivals(receiver) == ["0", "0", "1"]


async def test_paused_is_left_as_it_is_where_an_upsert_does_not_name_it(engine: Embedded, caller: Caller):
    """Who changes the parallelism of a paused queue does not resume it."""
    await upsert(caller, paused=True, parallelism=2)
    await upsert(caller, parallelism=5)
    queue = await queue_of(caller)
    assert (queue["paused"], queue["parallelism"]) == (True, 5)
    await upsert(caller, paused=False)
    queue = await queue_of(caller)
    assert (queue["paused"], queue["parallelism"]) == (False, 1)


async def test_a_delayed_message_joins_when_its_delay_is_over(engine: Embedded, caller: Caller):
    """Until then it holds nobody up; then it stands behind those who were there before."""
    receiver = engine.receiver(URL, "200 after=20s")
    await enqueue(caller, b"late", delay="10s")
    await enqueue_numbers(caller, 3)
    assert (await queue_of(caller))["lag"] == 4
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2", "late"]


async def test_cancel_of_a_waiting_message_closes_it_at_once(engine: Embedded, caller: Caller):
    """The others keep their order, and the canceled one is never called."""
    receiver = engine.receiver(URL, "200 after=1s")
    ids = await enqueue_numbers(caller, 4)
    await engine.advance(0)
    assert (await caller.ask("DELETE", f"/v2/messages/{ids[2]}")).json == {"cancelled": 1}
    assert (await queue_of(caller))["lag"] == 3
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "3"]
    assert await caller.states(ids[2]) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]


async def test_cancel_of_a_retrying_message_frees_its_place(engine: Embedded, caller: Caller):
    """The next goes at once, not when the retry would have been due."""
    receiver = engine.receiver(URL, "500,200")
    ids = await enqueue_numbers(caller, 2, retry_delay="3600000")
    await engine.advance(1_000)
    await caller.ask("DELETE", f"/v2/messages/{ids[0]}")
    await engine.advance(0)
    assert arrivals(receiver) == ["0", "1"]
    await engine.settle()
    assert (await caller.states(ids[0]))[-2:] == ["CANCEL_REQUESTED", "CANCELED"]
    assert (await queue_of(caller))["lag"] == 0


async def test_cancel_during_a_call_frees_the_place_with_its_end(engine: Embedded, caller: Caller):
    """While it is under way the next waits; when it fails, there is no retry to wait for."""
    receiver = engine.receiver(URL, "500 after=5s,200")
    ids = await enqueue_numbers(caller, 2)
    await engine.advance(1_000)
    await caller.ask("DELETE", "/v2/messages", messageIds=ids[0])
    await engine.advance(0)
    assert arrivals(receiver) == ["0"]
    await engine.advance(4_000)
    assert arrivals(receiver) == ["0", "1"]


async def test_a_publish_that_names_a_queue_is_enqueued(engine: Embedded, caller: Caller):
    """``Upstash-Queue-Name`` is told of schedules; on a publish it does the same, and makes the queue."""
    message_id = await caller.publish(URL, queue_name="q", delay="1h")
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).json["queueName"] == "q"
    assert [queue["name"] for queue in (await caller.ask("GET", "/v2/queues")).json] == ["q"]


async def test_cancel_by_queue_name_empties_it(engine: Embedded, caller: Caller):
    """Waiting, paused, delayed: all are found by their queue."""
    receiver = engine.receiver(URL)
    await upsert(caller, paused=True)
    await enqueue_numbers(caller, 3)
    await enqueue(caller, delay="1h")
    await enqueue(caller, b"other", queue="other")
    assert (await caller.ask("DELETE", "/v2/messages", queueName=QUEUE)).json == {"cancelled": 4}
    assert (await queue_of(caller))["lag"] == 0
    await engine.settle()
    assert arrivals(receiver) == ["other"]


async def test_a_dlq_retry_goes_into_the_queue_again(engine: Embedded, caller: Caller):
    """The new message stands at the end of the queue that its first life was in."""
    receiver = engine.receiver(URL, "500,200 after=1s")
    await enqueue(caller, b"0", retries=0)
    await engine.settle()
    await enqueue_numbers(caller, 2)
    (letter,) = await caller.dead_letters()
    answer = await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")
    assert answer.status == 201
    again = (await caller.ask("GET", f"/v2/messages/{answer.json['messageId']}")).json
    assert again["queueName"] == QUEUE
    await engine.settle()
    assert arrivals(receiver) == ["0", "0", "1", "0"]


async def test_a_deleted_queue_loses_no_message(engine: Embedded, caller: Caller):
    """What it had accepted goes on in order, as if nothing were; the queue itself is gone."""
    receiver = engine.receiver(URL, "200 after=1s")
    await enqueue_numbers(caller, 3)
    assert (await caller.ask("DELETE", f"/v2/queues/{QUEUE}")).status == 200
    assert (await caller.ask("GET", f"/v2/queues/{QUEUE}")).status == 404
    assert (await caller.ask("GET", "/v2/queues")).json == []
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [0, 1_000, 2_000]


async def test_a_paused_queue_that_is_deleted_lets_its_messages_go(engine: Embedded, caller: Caller):
    """Nobody could resume it any more, so nothing may stay behind in it, retries and callbacks included."""
    receiver = engine.receiver(URL, "500,200")
    back = engine.receiver(BACK, "500,200")
    await enqueue(caller, b"0", callback=BACK, retry_delay="1000")
    await upsert(caller, paused=True)
    await enqueue(caller, b"1")
    await caller.ask("DELETE", f"/v2/queues/{QUEUE}")
    assert await engine.settle() is True
    assert (arrivals(receiver), len(back.received)) == (["0", "0", "1"], 3)


async def test_a_queue_that_is_made_again_keeps_the_order_of_its_name(engine: Embedded, caller: Caller):
    """New messages stand behind those that the deleted queue still had; its settings are the new ones."""
    receiver = engine.receiver(URL, "200 after=1s")
    await upsert(caller, parallelism=5, paused=True)
    await enqueue_numbers(caller, 2)
    await caller.ask("DELETE", f"/v2/queues/{QUEUE}")
    await engine.advance(500)
    await upsert(caller)
    queue = await queue_of(caller)
    assert (queue["parallelism"], queue["paused"], queue["createdAt"]) == (1, False, EPOCH_MS + 500)
    await enqueue(caller, b"2")
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]


async def test_unknown_queues(caller: Caller):
    """Deleting none is a success; reading, pausing or resuming one that is not there is a 404 that names it."""
    assert (await caller.ask("DELETE", "/v2/queues/none")).status == 200
    for method, path in (("GET", ""), ("POST", "/pause"), ("POST", "/resume")):
        answer = await caller.ask(method, f"/v2/queues/none{path}")
        assert (answer.status, answer.error) == (404, "queue not found: none")


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 257])
async def test_a_name_is_checked(caller: Caller, name: str):
    """Letters, digits, hyphens, underscores and dots: anything else is a 400, wherever it is given."""
    assert (await caller.ask("POST", "/v2/queues", {"queueName": name})).status == 400
    assert (await caller.ask("POST", f"/v2/enqueue/{quote(name)}/{URL}")).status == 400
    assert (await caller.ask("GET", "/v2/queues")).json == []


async def test_the_plan_bounds_queues(clock: ManualClock):
    """One queue over the plan is refused, also where enqueueing would make it; those that are there can be changed."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    for number in range(10):
        await upsert(caller, queue=f"q{number}")
    refused = await caller.ask("POST", "/v2/queues", {"queueName": "q10"})
    assert (refused.status, refused.error) == (412, "quota maxQueues exceeded, current limit: 10")
    assert (await caller.ask("POST", f"/v2/enqueue/q10/{URL}")).status == 412
    await upsert(caller, queue="q9", parallelism=2)
    refused = await caller.ask("POST", "/v2/queues", {"queueName": "q9", "parallelism": 3})
    assert (refused.status, refused.error) == (412, "quota maxParallelism exceeded, current limit: 2")
    await caller.ask("DELETE", "/v2/queues/q0")
    await upsert(caller, queue="q10")
    assert len((await caller.ask("GET", "/v2/queues")).json) == 10
    await engine.aclose()


async def test_one_item_over_the_plan_does_not_hold_up_its_batch(clock: ManualClock):
    """The item that would need one queue too many is refused by itself; the others are accepted."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    for number in range(9):
        await upsert(caller, queue=f"q{number}")
    items = [{"destination": URL, "queue": queue} for queue in ("q0", "new", "newer", "new")]
    answer = await caller.ask("POST", "/v2/batch", items)
    assert answer.status == 200
    assert answer.json[2] == {"error": "quota maxQueues exceeded, current limit: 10"}
    assert ["messageId" in item for item in answer.json] == [True, True, False, True]
    await engine.aclose()


async def test_a_restart_repeats_what_was_under_way_before_the_next(clock: ManualClock, tmp_path: Path):
    """An attempt of unknown outcome is made again first, and the queue goes on behind it in its order."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller = Caller(first.send)
    first.receiver(URL, "200,hang")
    await enqueue_numbers(caller, 4)
    await first.advance(1_000)
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL, "200 after=1s")
    await second.settle()
    assert arrivals(receiver) == ["1", "2", "3"]
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [1_000, 2_000, 3_000]
    await second.aclose()


async def test_a_restart_keeps_a_pause(clock: ManualClock, tmp_path: Path):
    """What was under way when the engine ended waits with the others if the queue is paused."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller = Caller(first.send)
    first.receiver(URL, "hang")
    await enqueue_numbers(caller, 2)
    await first.advance(0)
    await act(caller, "pause")
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller, receiver = Caller(second.send), second.receiver(URL)
    await second.advance(60_000)
    assert receiver.received == []
    await act(caller, "resume")
    await second.settle()
    assert arrivals(receiver) == ["0", "1"]
    await second.aclose()


async def test_lines_of_a_queue_are_found_in_the_log(engine: Embedded, caller: Caller):
    """Filters by queue name show its messages alone."""
    engine.receiver(URL, "500")
    await enqueue(caller, b"0", retries=0)
    await enqueue(caller, b"1", queue="other", retries=0)
    await engine.settle()
    assert {entry["queueName"] for entry in await caller.logs(queueName=QUEUE)} == {QUEUE}
    assert [letter["body"] for letter in await caller.dead_letters(queueName=QUEUE)] == ["0"]


async def test_batch_items_stand_in_the_order_of_the_batch(engine: Embedded, caller: Caller):
    """Items with a queue are enqueued one after the other, as they stand."""
    receiver = engine.receiver(URL, "200 after=1s")
    items = [{"destination": URL, "body": str(number), "queue": QUEUE} for number in range(4)]
    assert (await caller.ask("POST", "/v2/batch", items)).status == 200
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2", "3"]


async def test_a_dlq_retry_makes_no_queue_over_the_plan(clock: ManualClock):
    """Where its queue is gone, and there are as many others as may be, the dead letter stays and says why."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    engine.receiver(URL, "500")
    await enqueue(caller, retries=0)
    await engine.settle()
    await caller.ask("DELETE", f"/v2/queues/{QUEUE}")
    for number in range(10):
        await upsert(caller, queue=f"q{number}")
    (letter,) = await caller.dead_letters()
    assert (await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")).status == 412
    assert len(await caller.dead_letters()) == 1
    await caller.ask("DELETE", "/v2/queues/q0")
    assert (await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")).status == 201
    await engine.aclose()
