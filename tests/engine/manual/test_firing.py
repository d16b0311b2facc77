import sqlite3
from datetime import UTC, datetime

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.core import firing
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from qsops.wire.http import header
from tests.engine.caller import Caller

URL = "https://shop.test/hook"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


async def test_each_due_time_makes_a_message(engine: Embedded, caller: Caller):
    """Moving the clock by six hours delivers every minute's message, each at its own time and in order."""
    receiver = engine.receiver(URL)
    await caller.schedule(body=b"tick")
    await engine.advance(6 * HOUR)
    assert [got.at_ms for got in receiver.received] == [EPOCH_MS + n * MINUTE for n in range(1, 361)]
    assert {got.body for got in receiver.received} == {b"tick"}
    ids = [header(got.headers, "Upstash-Message-Id") for got in receiver.received]
    assert len(set(ids)) == 360


async def test_a_message_tells_of_its_schedule(engine: Embedded, caller: Caller):
    """Its id goes with each delivery, and log and messages are found by it."""
    receiver = engine.receiver(URL)
    schedule_id = await caller.schedule(method="PUT", forward_x_key="k", label="nightly")
    await caller.schedule("*/2 * * * *")
    await engine.advance(2 * MINUTE)
    assert schedule_id.startswith("scd_")
    own = [got for got in receiver.received if header(got.headers, "Upstash-Schedule-Id") == schedule_id]
    assert [(got.method, header(got.headers, "X-Key")) for got in own] == [("PUT", "k")] * 2
    assert header(own[0].headers, "Upstash-Caller-Ip") == "127.0.0.1"
    entries = await caller.logs(scheduleId=schedule_id, state="DELIVERED")
    assert [(entry["scheduleId"], entry["label"]) for entry in entries] == [(schedule_id, "nightly")] * 2


async def test_what_falls_due_during_a_pause_is_skipped(engine: Embedded, caller: Caller):
    """A paused schedule makes nothing, also not afterwards; resumed, it goes on with what falls due next."""
    receiver = engine.receiver(URL)
    schedule_id = await caller.schedule()
    await engine.advance(MINUTE)
    assert (await caller.ask("PATCH", f"/v2/schedules/{schedule_id}/pause")).status == 200
    paused = await caller.read_schedule(schedule_id)
    assert (paused["isPaused"], paused.get("nextScheduleTime")) == (True, None)
    await engine.advance(10 * MINUTE + 1)
    for _ in range(2):
        assert (await caller.ask("POST", f"/v2/schedules/{schedule_id}/resume")).status == 200
    assert (await caller.read_schedule(schedule_id))["nextScheduleTime"] == EPOCH_MS + 12 * MINUTE
    await engine.advance(MINUTE)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [MINUTE, 12 * MINUTE]


async def test_resuming_what_runs_skips_nothing(engine: Embedded, caller: Caller, clock: ManualClock):
    """A resume of a schedule that is not paused leaves what has fallen due to be sent."""
    receiver = engine.receiver(URL)
    schedule_id = await caller.schedule()
    clock.advance(MINUTE)
    await caller.ask("POST", f"/v2/schedules/{schedule_id}/resume")
    await engine.advance(0)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [MINUTE]


async def test_the_last_run_is_told(engine: Embedded, caller: Caller):
    """When it was, and what became of each of its messages: under way, delivered, or failed."""
    engine.receiver(f"{URL}/good")
    engine.receiver(f"{URL}/bad", "500")
    await caller.ask(
        "POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": f"{URL}/good"}, {"url": f"{URL}/bad"}]}
    )
    schedule_id = await caller.schedule("0 * * * *", "shops", retries=1, retry_delay="60000")
    assert "lastScheduleTime" not in await caller.read_schedule(schedule_id)
    await engine.advance(HOUR)
    first = await caller.read_schedule(schedule_id)
    assert (first["lastScheduleTime"], first["nextScheduleTime"]) == (EPOCH_MS + HOUR, EPOCH_MS + 2 * HOUR)
    assert sorted(first["lastScheduleStates"].values()) == ["IN_PROGRESS", "SUCCESS"]
    await engine.advance(MINUTE)
    assert sorted((await caller.read_schedule(schedule_id))["lastScheduleStates"].values()) == ["FAIL", "SUCCESS"]
    await engine.advance(HOUR)
    assert (
        (await caller.read_schedule(schedule_id))["lastScheduleStates"].keys().isdisjoint(first["lastScheduleStates"])
    )


async def test_a_message_that_was_taken_back_has_failed(engine: Embedded, caller: Caller):
    """In the states of the last run, a message that was cancelled is no success."""
    schedule_id = await caller.schedule("0 * * * *", delay="1m")
    await engine.advance(HOUR)
    assert (await caller.ask("DELETE", "/v2/messages", scheduleId=schedule_id)).json == {"cancelled": 1}
    await engine.advance(MINUTE)
    assert [*(await caller.read_schedule(schedule_id))["lastScheduleStates"].values()] == ["FAIL"]


async def test_a_delay_holds_for_each_message(engine: Embedded, caller: Caller):
    """Each is delivered that much later than the schedule falls due."""
    receiver = engine.receiver(URL)
    await caller.schedule("0 * * * *", delay="90s")
    await engine.advance(2 * HOUR + 90_000)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [HOUR + 90_000, 2 * HOUR + 90_000]


async def test_a_group_gets_one_message_for_each_endpoint(engine: Embedded, caller: Caller):
    """The endpoints are those of the moment at which it falls due, with the options that the group lends then."""
    receivers = [engine.receiver(f"{URL}/{name}") for name in "ab"]
    for name in "ab":
        await caller.ask("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": f"{URL}/{name}", "name": name}]})
        if name == "a":
            await caller.schedule(to="shops", body=b"\xff\x00")
            await engine.advance(MINUTE)
    await caller.ask("PATCH", "/v2/topics/shops", {"headers": {"Upstash-Method": "PUT"}})
    await engine.advance(MINUTE)
    assert [[got.method for got in receiver.received] for receiver in receivers] == [["POST", "PUT"], ["PUT"]]
    assert receivers[1].received[0].body == b"\xff\x00"
    entries = await caller.logs(state="DELIVERED", topicName="shops")
    assert [entry["endpointName"] for entry in entries] == ["b", "a", "a"]


async def test_messages_of_a_schedule_stand_in_its_queue(engine: Embedded, caller: Caller):
    """They go one behind the other, and the queue keeps the parallelism that it was given."""
    receiver = engine.receiver(URL, "200 after=90s")
    await caller.ask("POST", "/v2/queues", {"queueName": "q", "parallelism": 2})
    await caller.schedule(queue_name="q")
    await engine.advance(MINUTE)
    assert (await caller.ask("GET", "/v2/queues/q")).json["parallelism"] == 2
    await caller.ask("POST", "/v2/queues", {"queueName": "q", "parallelism": 1})
    await engine.advance(4 * MINUTE)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [MINUTE, 150_000, 240_000]
    assert (await caller.ask("GET", "/v2/queues/q")).json["parallelism"] == 1


async def test_a_queue_too_many_is_the_schedules_error(clock: ManualClock):
    """A run whose queue the plan has no room for is not sent, and says so."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    for number in range(10):
        await caller.ask("POST", "/v2/queues", {"queueName": f"q{number}"})
    schedule_id = await caller.schedule(queue_name="more")
    await engine.advance(MINUTE)
    told = await caller.read_schedule(schedule_id)
    assert told["error"] == texts.quota_exceeded("maxQueues", 10)
    assert await caller.logs() == []
    await engine.aclose()


async def test_flow_control_holds_for_schedules(engine: Embedded, caller: Caller):
    """Two schedules with one key share its rate: what is over it waits for the next period."""
    receiver = engine.receiver(URL)
    limits = {"flow_control_key": "key", "flow_control_value": "rate=1, period=10s"}
    await caller.schedule(**limits)
    await caller.schedule(**limits)
    await engine.advance(MINUTE + 10_000)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [MINUTE, MINUTE + 10_000]


async def test_a_run_that_cannot_be_is_told_and_the_next_one_tried(engine: Embedded, caller: Caller):
    """A group that is gone is the schedule's error until the group is back; the schedule goes on meanwhile."""
    receiver = engine.receiver(URL)
    group = {"endpoints": [{"url": URL}]}
    await caller.ask("POST", "/v2/topics/shops/endpoints", group)
    schedule_id = await caller.schedule(to="shops")
    await caller.ask("DELETE", "/v2/topics/shops")
    await engine.advance(2 * MINUTE)
    failed = await caller.read_schedule(schedule_id)
    assert (failed["error"], failed.get("lastScheduleStates")) == (texts.url_group_not_found("shops"), None)
    assert failed["nextScheduleTime"] == EPOCH_MS + 3 * MINUTE
    await caller.ask("POST", "/v2/topics/shops/endpoints", group)
    await engine.advance(MINUTE)
    assert "error" not in await caller.read_schedule(schedule_id)
    assert len(receiver.received) == 1


async def test_the_days_messages_hold_for_schedules_too(clock: ManualClock):
    """Over the day's limit a run is not sent, in part neither, and says why; the next day's is."""
    engine = Embedded(clock=clock, daily_limit=3)
    caller, receiver = Caller(engine.send), engine.receiver(URL)
    await caller.ask("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": f"{URL}/a"}, {"url": f"{URL}/b"}]})
    schedule_id = await caller.schedule("0 */12 * * *", "shops")
    await engine.advance(13 * HOUR)
    assert len(receiver.received) == 2
    await caller.ask("PATCH", f"/v2/schedules/{schedule_id}/pause")
    await caller.schedule("0 */2 * * *", "shops")
    await engine.advance(10 * HOUR)
    assert len(receiver.received) == 2
    told = (await caller.ask("GET", "/v2/schedules")).json[1]
    assert told["error"] == texts.quota_exceeded("maxMessagesPerDay", 3)
    await engine.advance(2 * HOUR)
    assert len(receiver.received) == 4
    await engine.aclose()


async def test_what_falls_due_together_keeps_an_order(engine: Embedded, caller: Caller):
    """Schedules of one instant fire in the order in which they were made."""
    receiver = engine.receiver(URL)
    for name in ("c", "a", "b"):
        await caller.schedule(to=f"{URL}/{name}", schedule_id=name)
    await engine.advance(2 * MINUTE)
    assert [got.url[-1] for got in receiver.received] == ["c", "a", "b"] * 2


async def test_more_than_one_commit_holds_fire_at_the_same_instant(engine: Embedded, caller: Caller):
    """Fifty schedules of one minute are fired in portions, and none is late."""
    receiver = engine.receiver(URL)
    for number in range(50):
        await caller.schedule(to=f"{URL}/{number}")
    await engine.advance(MINUTE)
    assert [got.url for got in receiver.received] == [f"{URL}/{number}" for number in range(50)]
    assert {got.at_ms for got in receiver.received} == {EPOCH_MS + MINUTE}


async def test_settling_waits_for_messages_alone(engine: Embedded, caller: Caller):
    """Who waits until nothing is pending does not wait for what a schedule will make some day."""
    await caller.schedule()
    await caller.schedule("0 0 29 2 *")
    assert await engine.settle()
    assert (engine.clock.now_ms(), engine.next_due_ms()) == (EPOCH_MS, None)
    await engine.advance(MINUTE)
    assert engine.clock.now_ms() == EPOCH_MS + MINUTE


@pytest.mark.parametrize(
    ("start", "cron", "days", "due"),
    [
        # The clock jumps from 2:00 to 3:00 on 29 March: what would be at 2:30 happens then, once.
        ("2026-03-28T12:00", "30 2 * * *", 3, ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"]),
        # On 25 October 2:30 comes twice: it happens the first time.
        ("2026-10-24T12:00", "30 2 * * *", 2, ["2026-10-25T00:30", "2026-10-26T01:30"]),
    ],
)
async def test_where_the_clock_is_changed(clock: ManualClock, start: str, cron: str, days: int, due: list[str]):
    """A time of day that is skipped is not lost, and one that comes twice is not doubled."""
    clock.move_to(int(datetime.fromisoformat(f"{start}+00:00").timestamp() * 1000))
    engine = Embedded(clock=clock)
    receiver = engine.receiver(URL)
    await Caller(engine.send).schedule(f"CRON_TZ=Europe/Berlin {cron}")
    await engine.advance(days * DAY)
    seen = [datetime.fromtimestamp(got.at_ms / 1000, UTC) for got in receiver.received]
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in seen] == due
    await engine.aclose()


async def test_a_schedule_survives_a_restart(tmp_path, clock: ManualClock):
    """The next engine on the same file goes on where the last one stood, with body and options."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    first.receiver(URL)
    schedule_id = await Caller(first.send).schedule(body=b"\x00kept", method="PUT")
    await first.advance(MINUTE)
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL)
    assert (await Caller(second.send).read_schedule(schedule_id))["nextScheduleTime"] == EPOCH_MS + 2 * MINUTE
    await second.advance(MINUTE)
    assert [(got.at_ms, got.method, got.body) for got in receiver.received] == [
        (EPOCH_MS + 2 * MINUTE, "PUT", b"\x00kept")
    ]
    await second.aclose()


async def test_what_was_missed_is_made_up_once(tmp_path, clock: ManualClock):
    """After hours without an engine one run stands for all that were missed, and then each minute has its own."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    await Caller(first.send).schedule()
    await first.aclose()
    clock.advance(6 * HOUR + 10_000)
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL)
    await second.advance(2 * MINUTE)
    late = 6 * HOUR + 10_000
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [late, 6 * HOUR + MINUTE, 6 * HOUR + 2 * MINUTE]
    await second.aclose()


async def test_a_crash_neither_loses_nor_doubles_a_run(tmp_path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    """Messages and next due time are one commit: what fails half-way leaves nothing, and happens once afterwards."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    schedule_id = await Caller(first.send).schedule()
    # It fails at its last statement, when its messages were written.
    monkeypatch.setattr(firing, "_FIRED", "insert into no_such_table values (?, ?, ?, ?, ?)")
    with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        await first.advance(MINUTE)
    assert await Caller(first.send).logs() == []
    await first.aclose()
    monkeypatch.undo()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(URL)
    await second.advance(0)
    await second.aclose()
    third = Embedded(clock=clock, db=tmp_path / "engine.db")
    await third.advance(0)
    assert [got.at_ms for got in receiver.received] == [EPOCH_MS + MINUTE]
    assert len(await Caller(third.send).logs(scheduleId=schedule_id, state="CREATED")) == 1
    await third.aclose()
