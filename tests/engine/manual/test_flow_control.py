from pathlib import Path
from typing import Any

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.core.agenda import next_gate_ms, run_chores
from qsops.engine.core.attempts import Attempt
from qsops.engine.core.due import due
from qsops.engine.core.settlement import start
from qsops.engine.core.terms import Terms
from qsops.engine.deliveries.scripted import ScriptedReceiver
from qsops.engine.embedded import Embedded
from tests.engine.caller import TOKENS, Caller, option_headers

URL = "https://shop.test/hook"
KEY = "user-1"
EPOCH_S = EPOCH_MS // 1000


async def publish(
    caller: Caller, limits: str, body: bytes = b"", key: str = KEY, url: str = URL, **options: Any
) -> str:
    return await caller.publish(url, body, flow_control_key=key, flow_control_value=limits, **options)


async def publish_numbers(caller: Caller, count: int, limits: str, **options: Any) -> list[str]:
    return [await publish(caller, limits, b"%d" % number, **options) for number in range(count)]


async def key_of(caller: Caller, key: str = KEY) -> dict[str, Any]:
    answer = await caller.ask("GET", f"/v2/flowControl/{key}")
    assert answer.status == 200, answer
    return answer.json


async def act(caller: Caller, verb: str, key: str = KEY, **query: Any) -> None:
    answer = await caller.ask("POST", f"/v2/flowControl/{key}/{verb}", **query)
    assert answer.status == 200, answer


def times(receiver: ScriptedReceiver) -> list[int]:
    return [got.at_ms - EPOCH_MS for got in receiver.received]


def arrivals(receiver: ScriptedReceiver) -> list[str]:
    return [got.body.decode() for got in receiver.received]


async def full(clock: ManualClock, until: str) -> Embedded:
    """An engine whose account has as much under way as it may."""
    engine = Embedded(clock=clock, quota="free")
    engine.receiver("https://slow.test/", f"200 after={until}")
    for _ in range(10):
        await Caller(engine.send).publish("https://slow.test/")
    await engine.advance(0)
    return engine


def next_look_ms(engine: Embedded) -> int | None:
    """When time alone changes something for whoever waits at a gate."""
    at_ms = engine._engine.database.read(next_gate_ms)
    return None if at_ms is None else at_ms - EPOCH_MS


def attempts_due(engine: Embedded) -> list[Attempt]:
    """Those that a driver may start, or has started."""
    at_ms = engine.clock.now_ms()
    return engine._engine.database.read(lambda connection: due(connection, at_ms, limit=10, in_flight={})).attempts


async def look_around(engine: Embedded) -> None:
    """What a driver does when something falls due."""
    own, at_ms = engine._engine, engine.clock.now_ms()
    await own.database.submit(
        lambda connection: run_chores(connection, at_ms, Terms(own.plan, own.ids, own.daily_limit))
    )


async def write_down(engine: Embedded, attempts: list[Attempt], at_ms: int) -> None:
    """They were started ``at_ms``."""
    await engine._engine.database.submit(lambda connection: start(connection, attempts, EPOCH_MS + at_ms))


async def test_no_period_sees_more_calls_than_the_rate(engine: Embedded, caller: Caller):
    """What is over the rate waits, and goes in the order in which it came."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 7, "rate=3, period=10s")
    assert await engine.settle() is True
    assert times(receiver) == [0, 0, 0, 10_000, 10_000, 10_000, 20_000]
    assert arrivals(receiver) == [str(number) for number in range(7)]


async def test_a_period_is_a_second_unless_it_is_told(engine: Embedded, caller: Caller):
    """And it is shown, whatever the limits."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 3, "rate=1")
    await engine.settle()
    assert times(receiver) == [0, 1_000, 2_000]
    await publish(caller, "parallelism=1", key="other")
    assert (await key_of(caller, "other"))["ratePeriod"] == 1


async def test_a_window_begins_with_the_first_call_after_the_last(engine: Embedded, caller: Caller):
    """It is not aligned to the clock, nor does it begin before somebody is called."""
    receiver = engine.receiver(URL)
    await publish(caller, "rate=2, period=10")
    await engine.advance(25_000)
    await publish_numbers(caller, 3, "rate=2, period=10")
    await engine.settle()
    assert times(receiver) == [0, 25_000, 25_000, 35_000]


async def test_no_more_calls_are_under_way_than_the_parallelism(engine: Embedded, caller: Caller):
    """A call counts until its answer; then the next one goes."""
    receiver = engine.receiver(URL, "200 after=4s,200 after=1s")
    await publish_numbers(caller, 4, "parallelism=2")
    await engine.settle()
    assert times(receiver) == [0, 0, 1_000, 2_000]


async def test_both_limits_hold_together(engine: Embedded, caller: Caller):
    """Whichever is the narrower at the time."""
    receiver = engine.receiver(URL, "200 after=3s,200 after=3s,200")
    await publish_numbers(caller, 8, "rate=3, parallelism=2, period=5s")
    await engine.settle()
    assert times(receiver) == [0, 0, 3_000, 5_000, 5_000, 5_000, 10_000, 10_000]


async def test_a_key_is_shared_across_urls_and_not_across_accounts(engine: Embedded, caller: Caller):
    """Limits are of a key, not of a destination; another account's key of that name is another key."""
    receiver, elsewhere = engine.receiver(URL), engine.receiver("https://b.test/")
    other = Caller(engine.send, TOKENS[1])
    await publish(caller, "rate=1, period=1m", b"mine")
    await publish(caller, "rate=1, period=1m", url="https://b.test/")
    await publish(other, "rate=1, period=1m", b"theirs")
    await engine.advance(0)
    assert (arrivals(receiver), elsewhere.received) == (["mine", "theirs"], [])


async def test_a_retry_passes_the_key_again(engine: Embedded, caller: Caller):
    """Each attempt counts, and stands behind those who wait already."""
    receiver = engine.receiver(URL, "500,200")
    await publish_numbers(caller, 3, "rate=1, period=10s", retry_delay="1000")
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["0", "1", "2", "0"], [0, 10_000, 20_000, 30_000])


async def test_a_call_that_failed_makes_room(engine: Embedded, caller: Caller):
    """While a message waits for its retry, it is not under way."""
    receiver = engine.receiver(URL, "500,200")
    await publish_numbers(caller, 2, "parallelism=1", retry_delay="3600000")
    await engine.advance(0)
    assert arrivals(receiver) == ["0", "1"]


async def test_a_delayed_message_comes_to_the_key_when_it_is_due(engine: Embedded, caller: Caller):
    """Until then it neither waits nor counts."""
    receiver = engine.receiver(URL)
    await publish(caller, "rate=1, period=10s", b"late", delay="5s")
    await publish(caller, "rate=1, period=10s", b"now")
    key = await key_of(caller)
    assert (key["waitListSize"], key["rateCount"]) == (0, 1)
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["now", "late"], [0, 10_000])


async def test_a_key_as_it_stands(engine: Embedded, caller: Caller):
    """Waiting, under way, counted; a limit that is not set is absent."""
    engine.receiver(URL, "200 after=1m")
    await publish_numbers(caller, 5, "rate=2, parallelism=4, period=30s")
    await engine.advance(1_000)
    assert await key_of(caller) == {
        "flowControlKey": KEY,
        "waitListSize": 3,
        "parallelismMax": 4,
        "parallelismCount": 2,
        "rateMax": 2,
        "rateCount": 2,
        "ratePeriod": 30,
        "ratePeriodStart": EPOCH_S,
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }
    await engine.advance(30_000)
    key = await key_of(caller)
    assert (key["waitListSize"], key["parallelismCount"], key["ratePeriodStart"]) == (1, 4, EPOCH_S + 30)
    await engine.settle()
    key = await key_of(caller)
    assert (key["waitListSize"], key["parallelismCount"], key["rateCount"]) == (0, 0, 0)
    await publish(caller, "rate=1", key="bare")
    assert "parallelismMax" not in await key_of(caller, "bare")


async def test_each_message_brings_its_limits(engine: Embedded, caller: Caller):
    """The latest message decides, for those who wait already, too; a limit that it does not name is none."""
    receiver = engine.receiver(URL, "200 after=1m")
    await publish_numbers(caller, 4, "parallelism=1")
    await engine.advance(0)
    assert len(receiver.received) == 1
    await publish(caller, "parallelism=3", b"4")
    await engine.advance(0)
    assert arrivals(receiver) == ["0", "1", "2"]
    await publish(caller, "rate=100", b"5", delay="1h")
    key = await key_of(caller)
    assert ("parallelismMax" in key, key["rateMax"]) == (False, 100)
    await engine.advance(0)
    assert arrivals(receiver) == ["0", "1", "2", "3", "4"]


async def test_a_paused_key_keeps_new_and_waiting_messages(engine: Embedded, caller: Caller):
    """None is called until it is resumed, in the order in which they came; what is under way ends."""
    receiver = engine.receiver(URL, "200 after=2s,200")
    await publish_numbers(caller, 2, "parallelism=1")
    await engine.advance(1_000)
    await act(caller, "pause")
    await publish(caller, "parallelism=1", b"2")
    assert await engine.settle() is True
    assert arrivals(receiver) == ["0"]
    key = await key_of(caller)
    assert (key["isPaused"], key["waitListSize"], key["parallelismCount"]) == (True, 2, 0)
    await act(caller, "resume")
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]


async def test_a_pause_holds_what_was_not_called_yet(engine: Embedded, caller: Caller):
    """Who had passed, and was not called, goes back before the others."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 3, "parallelism=2")
    await act(caller, "pause")
    await engine.advance(60_000)
    assert receiver.received == []
    assert (await key_of(caller))["waitListSize"] == 3
    await act(caller, "resume")
    await engine.settle()
    assert arrivals(receiver) == ["0", "1", "2"]


async def test_a_pause_does_not_hold_what_was_taken_back(engine: Embedded, caller: Caller):
    """Who had passed, and was then taken back, is closed at once: it waits for nobody."""
    engine.receiver(URL)
    message_id = await publish(caller, "parallelism=2")
    await caller.ask("DELETE", f"/v2/messages/{message_id}")
    await act(caller, "pause")
    await engine.advance(0)
    assert await caller.states(message_id) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]


async def test_the_period_goes_on_during_a_pause(engine: Embedded, caller: Caller):
    """What was called before still counts until its period is over."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 2, "rate=1, period=10s")
    await engine.advance(1_000)
    await act(caller, "pause")
    await engine.advance(4_000)
    await act(caller, "resume")
    await engine.settle()
    assert times(receiver) == [0, 10_000]


async def test_a_pin_holds_against_messages(engine: Embedded, caller: Caller):
    """What is pinned stays, the other limit follows the messages."""
    engine.receiver(URL)
    await publish(caller, "rate=5, parallelism=5, period=1m")
    await act(caller, "pin", parallelism=2)
    await publish(caller, "rate=7, parallelism=7, period=2m")
    key = await key_of(caller)
    assert (key["parallelismMax"], key["rateMax"], key["ratePeriod"]) == (2, 7, 120)
    assert (key["isPinnedParallelism"], key["isPinnedRate"]) == (True, False)
    await act(caller, "pin", rate=3, period=20)
    await publish(caller, "rate=9, parallelism=9, period=3m")
    key = await key_of(caller)
    assert (key["parallelismMax"], key["rateMax"], key["ratePeriod"]) == (2, 3, 20)
    assert (key["isPinnedParallelism"], key["isPinnedRate"]) == (True, True)


async def test_a_pin_begins_a_new_period(engine: Embedded, caller: Caller):
    """The count is 0 and the period begins now, so those who waited for it go on."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 4, "rate=2, period=1h")
    await engine.advance(60_000)
    await act(caller, "pin", rate=1, period=10)
    key = await key_of(caller)
    assert (key["ratePeriodStart"], key["rateCount"], key["waitListSize"]) == (EPOCH_S + 60, 1, 1)
    await engine.settle()
    assert times(receiver) == [0, 0, 60_000, 70_000]


async def test_unpin_keeps_the_values_until_a_message_brings_others(engine: Embedded, caller: Caller):
    """Only what is named is let go."""
    engine.receiver(URL)
    await publish(caller, "rate=5, parallelism=5")
    await act(caller, "pin", parallelism=2, rate=3)
    await act(caller, "unpin", rate="true")
    key = await key_of(caller)
    assert (key["rateMax"], key["isPinnedRate"], key["isPinnedParallelism"]) == (3, False, True)
    await publish(caller, "rate=8, parallelism=8")
    key = await key_of(caller)
    assert (key["rateMax"], key["parallelismMax"]) == (8, 2)
    await act(caller, "unpin")
    assert (await key_of(caller))["isPinnedParallelism"] is True


@pytest.mark.parametrize("verb", ["resetRate", "reset"])
async def test_reset_begins_a_new_period(engine: Embedded, caller: Caller, verb: str):
    """Those who waited for the end of the last one go at once."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 3, "rate=1, period=1h")
    await engine.advance(90_000)
    await act(caller, verb)
    assert (await key_of(caller))["ratePeriodStart"] == EPOCH_S + 90
    await engine.settle()
    assert times(receiver) == [0, 90_000, 90_000 + 3_600_000]


async def test_keys_are_listed_by_name_and_searched(engine: Embedded, caller: Caller):
    """``search`` is any part of a key, as it is spelled: a percent sign is one."""
    for key in ("user/2", "user/1", "100%", "User"):
        await publish(caller, "rate=1", key=key)
    assert [key["flowControlKey"] for key in (await caller.ask("GET", "/v2/flowControl")).json] == [
        "100%",
        "User",
        "user/1",
        "user/2",
    ]
    for search, found in (("user", ["user/1", "user/2"]), ("%", ["100%"]), ("x", [])):
        listed = (await caller.ask("GET", "/v2/flowControl", search=search)).json
        assert [key["flowControlKey"] for key in listed] == found
    assert (await key_of(caller, "user/1"))["flowControlKey"] == "user/1"
    assert (await key_of(caller, "100%25"))["flowControlKey"] == "100%"
    await act(caller, "pause", key="user%2F2")
    assert (await key_of(caller, "user/2"))["isPaused"] is True


async def test_unknown_keys(caller: Caller):
    """A key that no message has brought is a 404 that names it, for whoever reads or changes it."""
    for method, rest in (
        ("GET", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/pin?rate=1"),
        ("POST", "/unpin?rate=true"),
        ("POST", "/resetRate"),
    ):
        answer = await caller.ask(method, f"/v2/flowControl/none{rest}")
        assert (answer.status, answer.error) == (404, "flow control key not found: none"), rest


async def test_a_message_passes_its_queue_first(engine: Embedded, caller: Caller):
    """With both, a message waits for its turn in the queue, and only then for its key; so its order is the queue's."""
    receiver = engine.receiver(URL, "200 after=1s")
    headers = option_headers(flow_control_key=KEY, flow_control_value="rate=1, period=10s")
    for number in range(3):
        await caller.ask("POST", f"/v2/enqueue/q/{URL}", b"q%d" % number, headers)
    await publish(caller, "rate=1, period=10s", b"plain")
    assert (await key_of(caller))["waitListSize"] == 1
    await engine.settle()
    assert arrivals(receiver) == ["q0", "plain", "q1", "q2"]
    assert times(receiver) == [0, 10_000, 20_000, 30_000]


async def test_cancel_takes_a_message_out_of_the_wait_list(engine: Embedded, caller: Caller):
    """It is closed at once, and those behind it keep their order."""
    receiver = engine.receiver(URL)
    ids = await publish_numbers(caller, 4, "rate=1, period=10s")
    await caller.ask("DELETE", f"/v2/messages/{ids[1]}")
    assert (await key_of(caller))["waitListSize"] == 2
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["0", "2", "3"], [0, 10_000, 20_000])
    assert await caller.states(ids[1]) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]


async def test_what_was_taken_back_counts_in_no_later_window(clock: ManualClock, tmp_path: Path):
    """Who had passed, was taken back and is not closed yet will not be called, so it takes nobody's call."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller = Caller(first.send)
    message_id = await publish(caller, "rate=1, period=10s", b"back")
    await publish(caller, "rate=1, period=10s", b"stays")
    await caller.ask("DELETE", f"/v2/messages/{message_id}")
    await first.aclose()
    clock.advance(60_000)
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL)
    await publish(Caller(second.send), "rate=1, period=10s", b"new")
    await second.settle()
    assert (arrivals(receiver), times(receiver)) == (["stays", "new"], [60_000, 70_000])
    await second.aclose()


async def test_cancel_by_key(engine: Embedded, caller: Caller):
    """All that wait for a key can be taken back by it."""
    receiver = engine.receiver(URL, "200 after=1m")
    await publish_numbers(caller, 3, "parallelism=1")
    await publish(caller, "parallelism=1", b"other", key="other")
    await engine.advance(0)
    assert (await caller.ask("DELETE", "/v2/messages", flowControlKey=KEY)).json == {"cancelled": 3}
    await engine.settle()
    assert arrivals(receiver) == ["0", "other"]


async def test_a_dlq_retry_passes_the_key_again(engine: Embedded, caller: Caller):
    """The new message has the limits of the old one."""
    receiver = engine.receiver(URL, "500,200")
    await publish(caller, "rate=1, period=1m", retries=0)
    await engine.advance(1_000)
    (letter,) = await caller.dead_letters(flowControlKey=KEY)
    await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")
    await engine.settle()
    assert times(receiver) == [0, 60_000]


async def test_limits_hold_across_a_restart(clock: ManualClock, tmp_path: Path):
    """A call of unknown outcome is repeated when its key admits it, before those who wait; windows are remembered."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    first.receiver(URL, "200,hang")
    await publish_numbers(Caller(first.send), 4, "rate=2, parallelism=1, period=10s")
    await first.advance(1_000)
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL, "200")
    await second.settle()
    assert (arrivals(receiver), times(receiver)) == (["1", "2", "3"], [10_000, 10_000, 20_000])
    await second.aclose()


async def test_who_is_called_late_counts_in_the_window_of_the_call(clock: ManualClock):
    """Where the account has no room, passing is not being called: no period sees more calls than the rate."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    engine.receiver("https://slow.test/", "200 after=35s")
    receiver = engine.receiver(URL)
    for _ in range(10):
        await caller.publish("https://slow.test/")
    await engine.advance(0)
    await publish_numbers(caller, 9, "rate=3, period=10s")
    await engine.settle()
    assert arrivals(receiver) == [str(number) for number in range(9)]
    for first_ms in times(receiver):
        assert sum(first_ms <= at_ms < first_ms + 10_000 for at_ms in times(receiver)) <= 6
    assert times(receiver)[:3] == [35_000] * 3
    assert times(receiver)[3] >= 40_000
    await engine.aclose()


async def test_a_late_call_begins_a_window(clock: ManualClock):
    """Who passed in a window that is over, and is called now, is the first of the next: nobody else goes with it."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    engine.receiver("https://slow.test/", "200 after=15s")
    receiver = engine.receiver(URL)
    for _ in range(10):
        await caller.publish("https://slow.test/")
    await engine.advance(0)
    await publish(caller, "rate=1, period=10s")
    await engine.advance(16_000)
    await publish(caller, "rate=1, period=10s")
    await engine.settle()
    assert times(receiver) == [15_000, 25_000]
    await engine.aclose()


async def test_nobody_is_called_in_a_window_that_has_not_begun(clock: ManualClock):
    """While nobody of those who have passed is called, no window ends: the next one goes a period after the first."""
    engine = await full(clock, until="15s")
    receiver = engine.receiver(URL, "200 after=10m")
    await publish_numbers(Caller(engine.send), 4, "rate=2, period=10s")
    await engine.settle()
    assert times(receiver) == [15_000, 15_000, 25_000, 25_000]
    await engine.aclose()


async def test_who_has_passed_and_is_taken_back_gives_his_call_back(engine: Embedded, caller: Caller):
    """He is not called, so the window has seen no call, and the next one waits for nothing."""
    receiver = engine.receiver(URL)
    ids = await publish_numbers(caller, 3, "rate=1, period=10s")
    await caller.ask("DELETE", f"/v2/messages/{ids[0]}")
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["1", "2"], [0, 10_000])


async def test_who_is_taken_back_while_there_is_no_room_gives_his_call_back(clock: ManualClock):
    """The next one goes as soon as there is room, however often the period has passed without a call."""
    engine = await full(clock, until="25s")
    receiver, caller = engine.receiver(URL), Caller(engine.send)
    ids = await publish_numbers(caller, 2, "rate=1, period=10s")
    await engine.advance(22_000)
    await caller.ask("DELETE", f"/v2/messages/{ids[0]}")
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["1"], [25_000])
    await engine.aclose()


async def test_a_reset_window_begins_without_a_call(engine: Embedded, caller: Caller):
    """Its period starts with the reset, and a call in it does not move it."""
    receiver = engine.receiver(URL)
    await publish(caller, "rate=1, period=10s")
    await engine.advance(5_000)
    await act(caller, "resetRate")
    await engine.advance(4_000)
    await publish_numbers(caller, 2, "rate=1, period=10s")
    await engine.settle()
    assert times(receiver) == [0, 9_000, 15_000]


async def test_a_first_call_that_is_known_late_begins_its_window(engine: Embedded, caller: Caller, clock: ManualClock):
    """A driver writes down what he has started a moment later: the window is that of the call, and ends in time."""
    await publish_numbers(caller, 2, "rate=1, period=10s")
    (called,) = attempts_due(engine)
    clock.advance(10_000)
    await look_around(engine)
    assert next_look_ms(engine) is None
    await write_down(engine, [called], 9_000)
    assert (attempts_due(engine)[1:], next_look_ms(engine)) == ([], 19_000)
    clock.advance(9_000)
    await look_around(engine)
    assert [attempt.message.body for attempt in attempts_due(engine)] == [b"0", b"1"]


async def test_a_last_call_that_is_known_late_takes_none_of_the_next_window(
    engine: Embedded, caller: Caller, clock: ManualClock
):
    """Until it is known it counts in both; then somebody else goes in its stead, and waits for no other period."""
    await publish_numbers(caller, 5, "rate=2, period=10s")
    first, last = attempts_due(engine)
    await write_down(engine, [first], 0)
    clock.advance(10_000)
    await look_around(engine)
    assert [attempt.message.body for attempt in attempts_due(engine)] == [b"0", b"1", b"2"]
    await write_down(engine, [last], 9_999)
    assert [attempt.message.body for attempt in attempts_due(engine)] == [b"0", b"1", b"2", b"3"]
    assert next_look_ms(engine) == 20_000


async def test_no_time_is_noted_for_a_window_that_has_not_begun(clock: ManualClock):
    """While none of those who have passed is called, time alone changes nothing: the first call tells when it will."""
    engine = await full(clock, until="10m")
    await publish_numbers(Caller(engine.send), 2, "rate=1, period=10s")
    assert next_look_ms(engine) == 10_000
    await engine.advance(10_000)
    assert next_look_ms(engine) is None
    await engine.advance(590_000)
    assert next_look_ms(engine) == 610_000
    await engine.aclose()


async def test_a_pause_gives_back_what_was_not_called_yet(engine: Embedded, caller: Caller):
    """Who had passed passes anew, and takes one call of the window, not two."""
    receiver = engine.receiver(URL)
    await publish_numbers(caller, 2, "rate=1, period=10s")
    await act(caller, "pause")
    await engine.advance(1_000)
    await act(caller, "resume")
    await engine.settle()
    assert (arrivals(receiver), times(receiver)) == (["0", "1"], [1_000, 11_000])


async def test_who_waits_for_a_pause_begins_no_window(engine: Embedded, caller: Caller):
    """A window begins with a call: one that was only wished for while its key was paused is none."""
    receiver = engine.receiver(URL)
    await publish(caller, "rate=1, period=10s")
    await engine.advance(20_000)
    await act(caller, "pause")
    await publish(caller, "rate=1, period=10s")
    await engine.advance(6_000)
    await act(caller, "resume")
    await publish(caller, "rate=1, period=10s")
    await engine.settle()
    assert times(receiver) == [0, 26_000, 36_000]


async def test_a_long_wait_list_goes_in_order(engine: Embedded, caller: Caller):
    """More than one commit may let pass: all go at the same instant, in their order."""
    receiver = engine.receiver(URL)
    items = [
        {
            "destination": URL,
            "body": str(number),
            "headers": {"Upstash-Flow-Control-Key": KEY, "Upstash-Flow-Control-Value": "rate=10000"},
        }
        for number in range(1_200)
    ]
    await publish(caller, "rate=10000", b"first")
    await act(caller, "pause")
    for first in range(0, len(items), 100):
        await caller.ask("POST", "/v2/batch", items[first : first + 100])
    await act(caller, "resume")
    await engine.settle()
    assert arrivals(receiver) == ["first", *(str(number) for number in range(1_200))]
    assert set(times(receiver)) == {0}


async def test_global_parallelism(clock: ManualClock):
    """The plan's limit, and how many calls of the account are under way, whatever their keys."""
    engine = Embedded(clock=clock, quota="free")
    caller, other = Caller(engine.send), Caller(engine.send, TOKENS[1])
    engine.receiver(URL, "200 after=1m")
    for _ in range(12):
        await caller.publish(URL)
    await other.publish(URL)
    assert (await caller.ask("GET", "/v2/globalParallelism")).json == {"parallelismMax": 10, "parallelismCount": 0}
    await engine.advance(0)
    assert (await caller.ask("GET", "/v2/globalParallelism")).json == {"parallelismMax": 10, "parallelismCount": 10}
    assert (await other.ask("GET", "/v2/globalParallelism")).json["parallelismCount"] == 1
    await engine.aclose()


async def test_a_key_that_nobody_names_any_more_is_forgotten(engine: Embedded, caller: Caller):
    """Keys may be as many as users: one is kept as long as the log, and for ever if it was pinned or paused."""
    engine.receiver(URL)
    for key in ("idle", "pinned", "paused", "waiting"):
        await publish(caller, "rate=1, period=7d", key=key)
    await publish(caller, "rate=1, period=7d", key="waiting", delay="60d")
    await act(caller, "pin", key="pinned", rate=1)
    await act(caller, "pause", key="paused")
    await engine.advance(20 * 86_400_000)
    await publish(caller, "rate=1", key="new")
    await engine.advance(0)
    listed = (await caller.ask("GET", "/v2/flowControl")).json
    assert [key["flowControlKey"] for key in listed] == ["new", "paused", "pinned", "waiting"]
