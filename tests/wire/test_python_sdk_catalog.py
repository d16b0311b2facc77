"""The official SDK's queues, URL groups, schedules and flow control: what it sends we read, what it reads we write."""

from hypothesis import given
from qstash.flow_control_api import FlowControlApi, parse_flow_control_info
from qstash.queue import QueueApi, parse_queue_response
from qstash.schedule import ScheduleApi, parse_schedule_response
from qstash.url_group import UrlGroupApi, parse_url_group_response

from qsops.models import (
    Endpoint,
    FlowKey,
    FlowPin,
    FlowUnpin,
    Publish,
    Queue,
    QueueSpec,
    Schedule,
    ScheduleSpec,
    UrlGroup,
)
from qsops.wire.flow import flow_key_json, parse_flow_action, parse_flow_key_name, parse_flow_pin, parse_flow_unpin
from qsops.wire.groups import group_json, parse_group_add, parse_group_name, parse_group_remove
from qsops.wire.queues import parse_queue_name, parse_queue_upsert, queue_json
from qsops.wire.schedules import parse_schedule_create, parse_schedule_id, schedule_created_json, schedule_json
from tests.wire.recording import EXPECTED, MORE, MORE_EXPECTED, OPTIONS, URL, Recording
from tests.wire.strategies import FLOW_KEYS, GROUPS, QUEUES, SCHEDULES


def test_its_queues_are_read():
    """It always says whether one is paused."""
    http = Recording(queue_json(Queue("q", 1, 2)))
    QueueApi(http).upsert("q", parallelism=3)
    assert parse_queue_upsert(http.sent()) == QueueSpec("q", 3, paused=False)
    for call in (QueueApi(http).get, QueueApi(http).pause, QueueApi(http).resume, QueueApi(http).delete):
        call("q")
        assert parse_queue_name(http.sent()) == "q"


def test_its_url_groups_are_read():
    """Endpoints by URL, with a name or without; a name alone removes."""
    http = Recording(group_json(UrlGroup("g", 1, 2)))
    UrlGroupApi(http).upsert_endpoints("g", [{"url": URL}, {"url": URL, "name": "n"}])
    assert parse_group_add(http.sent()) == ("g", (Endpoint(URL), Endpoint(URL, "n")))
    UrlGroupApi(http).remove_endpoints("g", [{"name": "n"}])
    assert parse_group_remove(http.sent()) == ("g", (Endpoint("", "n"),))
    for call in (UrlGroupApi(http).get, UrlGroupApi(http).delete):
        call("g")
        assert parse_group_name(http.sent()) == "g"


def test_its_schedules_are_read():
    """Every option that it offers for one; it has no deduplication there."""
    http = Recording(schedule_created_json("s"))
    options = {name: value for name, value in OPTIONS.items() if "dedup" not in name}
    expected = {name: value for name, value in EXPECTED.items() if "dedup" not in name}
    schedule_id = ScheduleApi(http).create_json(
        destination=URL, cron="0 12 * * *", body={"a": 1}, schedule_id="s", queue="q", **options, **MORE
    )
    publish = Publish(URL, b'{"a": 1}', queue="q", **expected, **MORE_EXPECTED)
    assert parse_schedule_create(http.sent()) == ScheduleSpec("0 12 * * *", publish, "s")
    assert schedule_id == "s"
    http.answer = schedule_json(Schedule("s", "* * * * *", Publish(URL), 1))
    schedules = ScheduleApi(http)
    for call in (schedules.get, schedules.pause, schedules.resume, schedules.delete):
        call("s")
        assert parse_schedule_id(http.sent()) == "s"


def test_its_flow_control_is_read():
    """A key with a slash and a space, as it stands in the path."""
    http = Recording(flow_key_json(FlowKey("k")))
    flow = FlowControlApi(http)
    flow.pin("a b/c", {"parallelism": 2, "rate": 3, "period": 60})
    assert parse_flow_pin(http.sent()) == ("a b/c", FlowPin(2, 3, 60))
    flow.unpin("a b/c", {"rate": True, "parallelism": False})
    assert parse_flow_unpin(http.sent()) == ("a b/c", FlowUnpin(rate=True))
    for call in (flow.pause, flow.resume, flow.reset_rate):
        call("a b/c")
        assert parse_flow_action(http.sent()) == "a b/c"
    flow.get("a b/c")
    assert parse_flow_key_name(http.sent()) == "a b/c"


@given(QUEUES, GROUPS, FLOW_KEYS)
def test_it_reads_our_catalog(queue: Queue, group: UrlGroup, key: FlowKey):
    """Queues, URL groups and flow-control keys; a limit that is not set is 0 for it."""
    assert parse_queue_response(queue_json(queue)).lag == queue.lag
    assert [one.name for one in parse_url_group_response(group_json(group)).endpoints] == [
        endpoint.name for endpoint in group.endpoints
    ]
    read = parse_flow_control_info(flow_key_json(key))
    assert (read.key, read.rate_max, read.is_pinned_rate) == (key.key, key.rate_max or 0, key.pinned_rate)


@given(SCHEDULES)
def test_it_reads_our_schedules(schedule: Schedule):
    """All that it requires is there, under the names that it reads."""
    read = parse_schedule_response(schedule_json(schedule))
    publish = schedule.publish
    assert (read.schedule_id, read.cron, read.paused) == (schedule.schedule_id, schedule.cron, schedule.paused)
    assert (read.queue, read.delay, read.timeout) == (publish.queue, publish.delay_s, publish.timeout_s)
    assert (read.caller_ip, read.next_schedule_time) == (schedule.caller_ip, schedule.next_at_ms)
    assert set(read.last_schedule_states or {}) == {message_id for message_id, _ in schedule.last_states}
