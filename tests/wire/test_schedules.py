from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import Callback, Publish, Schedule, ScheduleSpec
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.options import decode_options, encode_template
from qsops.wire.schedules import (
    parse_schedule,
    parse_schedule_create,
    parse_schedule_created,
    parse_schedule_id,
    parse_schedule_response,
    parse_schedules,
    schedule_create_request,
    schedule_created_json,
    schedule_delete_request,
    schedule_json,
    schedule_pause_request,
    schedule_request,
    schedule_resume_request,
    schedules_json,
    schedules_request,
)
from tests.wire.strategies import SCHEDULE_SPECS, SCHEDULES, templates

URL = "https://a.test/hook"
CRON = ("Upstash-Cron", "0 12 * * *")


def created(*headers: tuple[str, str], path: str = URL, query: str = "", body: bytes = b"") -> ScheduleSpec:
    return parse_schedule_create(Request("POST", f"/v2/schedules/{path}", query, headers, body))


@given(st.lists(SCHEDULES, max_size=2))
def test_schedules_read_as_they_were_written(schedules: list[Schedule]):
    """All that is shown of one, and a bare array of all."""
    assert [parse_schedule(schedule_json(schedule)) for schedule in schedules] == schedules
    assert parse_schedules(Response.of_json(200, schedules_json(schedules))) == tuple(schedules)


def test_what_is_always_there():
    """The document and the Python SDK demand these seven; what is not set is absent (reference, section 2.6)."""
    schedule = Schedule("scd_1", "* * * * *", Publish(URL), 0)
    assert schedule_json(schedule) == {
        "scheduleId": "scd_1",
        "cron": "* * * * *",
        "destination": URL,
        "createdAt": 0,
        "method": "POST",
        "retries": 3,
        "isPaused": False,
    }
    assert schedule_json(replace(schedule, publish=Publish(URL, retries=0)))["retries"] == 0


def test_headers_are_those_of_the_destination_and_nothing_else():
    """JavaScript compares the map: content type and what is forwarded, in canonical case (reference 0.15)."""
    spec = created(
        CRON,
        ("content-type", "application/json"),
        ("upstash-forward-test-header", "1"),
        ("upstash-telemetry-sdk", "js"),
        ("authorization", "Bearer x"),
    )
    shown = schedule_json(Schedule("s", spec.cron, spec.publish, 1))
    assert shown["header"] == {"Content-Type": ["application/json"], "Test-Header": ["1"]}


def test_some_fields_come_twice():
    """``label`` is the first and ``labels`` all (reference 0.16); the caller's address has two spellings."""
    shown = schedule_json(Schedule("s", "c", Publish(URL, labels=("a", "b")), 1, caller_ip="10.0.0.1"))
    assert (shown["label"], shown["labels"]) == ("a", ["a", "b"])
    assert shown["callerIP"] == shown["callerIp"] == "10.0.0.1"


def test_a_body_is_text_or_base64():
    """As of a message; a schedule without one has neither (reference 0.14)."""
    for body, name in ((b"text", "body"), (b"\xff", "bodyBase64"), (b"", None)):
        shown = schedule_json(Schedule("s", "c", Publish(URL, body), 1))
        assert {"body", "bodyBase64"} & shown.keys() == ({name} if name else set())


@given(SCHEDULE_SPECS)
def test_a_schedule_arrives_as_it_was_sent(spec: ScheduleSpec):
    """Its cron, its id if it has one, its queue, and each option of the message that it makes."""
    assert parse_schedule_create(schedule_create_request(spec)) == spec


@given(templates())
def test_a_template_makes_the_same_message_each_time(publish: Publish):
    """What a schedule keeps is read as any publish; deduplication is of its making alone (reference, section 8)."""
    again = decode_options(publish.destination, encode_template(publish), publish.body)
    assert again == msgspec.structs.replace(publish, deduplication_id=None, content_based_deduplication=False)


def test_a_template_leaves_a_default_method_to_the_group():
    """JavaScript names no method for a schedule unless it is told to, and a group may have one."""
    assert encode_template(Publish("g")) == ()
    assert encode_template(Publish("g", method="PUT")) == (("Upstash-Method", "PUT"),)


def test_a_cron_is_trimmed():
    """It is stored so (reference, section 9); a time zone stands in front."""
    spec = created(("Upstash-Cron", "  CRON_TZ=Europe/Berlin 0 4 * * * "), body=b"x")
    assert spec == ScheduleSpec("CRON_TZ=Europe/Berlin 0 4 * * *", Publish(URL, b"x"))


def test_a_destination_is_a_url_or_a_group():
    """Byte for byte, without the parameters that are QStash's: these may be options."""
    assert created(CRON, query="x=1&qstash_token=t&upstash-retries=1").publish == Publish(f"{URL}?x=1", retries=1)
    assert created(path="g", query="upstash-cron=*%20*%20*%20*%20*").cron == "* * * * *"
    with pytest.raises(SettingsError, match="would not reach it"):
        schedule_create_request(ScheduleSpec("c", Publish(f"{URL}?upstash-x=1")))


def test_callbacks_and_queue_belong_to_what_is_made():
    """Each message that is made goes into the queue, and reports as the options say."""
    spec = created(
        CRON, ("Upstash-Queue-Name", "q"), ("Upstash-Callback", "https://c.test"), ("Upstash-Schedule-Id", "my.id")
    )
    assert spec == ScheduleSpec("0 12 * * *", Publish(URL, queue="q", callback=Callback("https://c.test")), "my.id")


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ((), texts.CRON_MISSING),
        ((("Upstash-Cron", "  "),), texts.CRON_MISSING),
        ((CRON, ("Upstash-Not-Before", "1")), texts.NOT_BEFORE_ON_SCHEDULE),
        ((CRON, ("Upstash-Schedule-Id", "a/b")), texts.invalid_name("schedule", "a/b")),
        ((CRON, ("Upstash-Queue-Name", "a b")), texts.invalid_name("queue", "a b")),
        (
            (CRON, ("Upstash-Retries", "x")),
            texts.invalid_header("Upstash-Retries", "x", "it is a whole number, 0 or more"),
        ),
    ],
)
def test_what_makes_no_schedule_is_named(headers: tuple[tuple[str, str], ...], text: str):
    """A 400 with the header and its value."""
    with pytest.raises(Rejected) as raised:
        created(*headers)
    assert (raised.value.status, raised.value.text) == (400, text)


def test_a_cron_still_makes_no_message():
    """On a publish it is refused: passed over, it would send one message, and never again."""
    with pytest.raises(Rejected, match="makes a schedule, not a message"):
        decode_options(URL, (CRON,))


def test_each_call_names_its_schedule():
    """An empty id would be the path of all of them."""
    for request in (schedule_request, schedule_delete_request, schedule_pause_request, schedule_resume_request):
        assert parse_schedule_id(request("scd_1")) == "scd_1"
        with pytest.raises(SettingsError, match="is no id"):
            request("")
    assert (schedule_pause_request("s").method, schedule_pause_request("s").target) == (
        "PATCH",
        "/v2/schedules/s/pause",
    )
    assert schedule_resume_request("s").target == "/v2/schedules/s/resume"
    assert schedules_request().target == "/v2/schedules"
    with pytest.raises(Rejected, match="invalid schedule name: 'a b'"):
        parse_schedule_id(Request("GET", "/v2/schedules/a%20b"))
    with pytest.raises(Rejected, match="unknown query parameter: x"):
        parse_schedule_id(Request("DELETE", "/v2/schedules/s", "x=1"))


def test_a_new_schedule_is_named():
    """An answer without its id is no success."""
    assert parse_schedule_created(Response.of_json(200, schedule_created_json("s"))) == "s"
    for body in (b"", b"{}", b"[]"):
        with pytest.raises(Corrupt):
            parse_schedule_created(Response(200, body=body))


@pytest.mark.parametrize("body", [b"{}", b"[{}]", b"[1]"])
def test_what_is_no_list_of_schedules_is_corrupt(body: bytes):
    """An answer of something else is no account without schedules."""
    with pytest.raises(Corrupt):
        parse_schedules(Response(200, body=body))
    with pytest.raises(Corrupt):
        parse_schedule_response(Response(200, body=body))
