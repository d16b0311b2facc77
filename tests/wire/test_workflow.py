import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import Notification, Notified, Step, Waiter, WaitSpec
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.waits import DEFAULT_TIMEOUT_S
from qsops.wire.workflow import (
    notified_json,
    notify_request,
    parse_notified,
    parse_notify,
    parse_wait,
    parse_waiters,
    parse_waiters_request,
    wait_request,
    waiter_json,
    waiters_json,
    waiters_request,
)
from tests.wire.strategies import ANYTHING, BODIES, NAMES, NOTIFIED, WAITERS, WAITS

URL = "https://a.test/flow"


def waited(body: object, *headers: tuple[str, str], query: str = "") -> WaitSpec:
    return parse_wait(Request("POST", "/v2/wait/e", query, headers, json.dumps(body).encode()))


@given(WAITS)
def test_a_wait_arrives_as_it_was_sent(spec: WaitSpec):
    """Event, URL, timeout and what is to happen then, the run and its step."""
    assert parse_wait(wait_request(spec)) == spec


def test_the_javascript_workflow_s_wait_is_read():
    """As its ``context.waitForEvent`` writes it: the run's id in both places, telemetry that belongs to nobody."""
    body = {
        "url": URL,
        "timeout": "10d",
        "timeoutUrl": URL,
        "timeoutHeaders": {
            "Upstash-Workflow-Init": ["false"],
            "Upstash-Workflow-Runid": ["wfr_1"],
            "Upstash-Workflow-CallType": ["step"],
        },
        "step": {"stepId": 2, "stepType": "Wait", "stepName": "my wait", "concurrent": 1},
    }
    headers = (
        ("authorization", "Bearer t"),
        ("content-type", "application/json"),
        ("upstash-workflow-runid", "wfr_1"),
        ("upstash-forward-x-a", "1"),
        ("upstash-telemetry-sdk", "workflow-js"),
    )
    assert waited(body, *headers) == WaitSpec(
        event="e",
        url=URL,
        timeout_s=864_000,
        headers=(("Content-Type", "application/json"), ("Upstash-Forward-X-A", "1")),
        timeout_url=URL,
        timeout_headers=(
            ("Upstash-Workflow-Init", "false"),
            ("Upstash-Workflow-Runid", "wfr_1"),
            ("Upstash-Workflow-CallType", "step"),
        ),
        run_id="wfr_1",
        step=Step(2, "Wait", "my wait"),
    )


def test_what_a_wait_does_not_say_has_its_default():
    """Seven days, no timeout's URL, no step; seconds may be a number; the timeout's headers may name the run."""
    assert waited({"url": URL}) == WaitSpec("e", URL, DEFAULT_TIMEOUT_S)
    assert waited({"url": URL, "timeout": 90}).timeout_s == 90
    assert waited({"url": URL, "timeoutHeaders": {"upstash-workflow-runid": "wfr_2"}}).run_id == "wfr_2"
    assert waited({"url": URL, "timeoutBody": "YQ"}).timeout_body == b"a"
    assert waited({"url": URL, "timeoutBody": "data"}).timeout_body == b"\x75\xab\x5a"


LINES = "each is a name, and a list of one line each"
MOST = 2**53


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"url": None}, texts.invalid_field("url", None, "it is who is told of the event")),
        ({"url": "a.test"}, texts.invalid_field("url", "a.test", "add http:// or https://")),
        ({"timeoutUrl": "a.test"}, texts.invalid_field("timeoutUrl", "a.test", "add http:// or https://")),
        (
            {"timeout": "soon"},
            texts.invalid_field("timeout", "soon", "it is no duration; write <number><s|m|h|d>, e.g. 90s or 1d10h30m"),
        ),
        ({"timeout": "0s"}, texts.invalid_field("timeout", "0s", "it is at least a second")),
        ({"timeout": 0}, texts.invalid_field("timeout", 0, f"it is a whole number from 1 to {MOST}")),
        ({"timeout": []}, texts.invalid_field("timeout", [], "it is a text")),
        ({"timeoutBody": "hello world"}, texts.invalid_field("timeoutBody", "hello world", "it is base64")),
        ({"timeoutBody": "{}"}, texts.invalid_field("timeoutBody", "{}", "it is base64")),
        (
            {"timeoutHeaders": []},
            texts.invalid_field("timeoutHeaders", [], "it is an object of header names and values"),
        ),
        ({"timeoutHeaders": {"X": [1]}}, texts.invalid_header("'X'", "1", LINES)),
        ({"timeoutHeaders": {"X": "a\nY: b"}}, texts.invalid_header("'X'", r"'a\nY: b'", LINES)),
        ({"step": "Wait"}, texts.invalid_field("step", "Wait", "it is an object")),
        (
            {"step": {"stepType": "Wait"}},
            texts.invalid_field("stepName", None, "it is a text that is not empty"),
        ),
        (
            {"step": {"stepType": "Wait", "stepName": "n", "stepId": "1"}},
            texts.invalid_field("stepId", "1", f"it is a whole number from 0 to {MOST}"),
        ),
    ],
)
def test_a_field_of_a_wait_that_cannot_be_read_is_named(fields: dict[str, Any], text: str):
    """A 400 that names the field and its value."""
    with pytest.raises(Rejected) as raised:
        waited({"url": URL, **fields})
    assert (raised.value.status, raised.value.text) == (400, text)


@given(st.lists(WAITERS, max_size=2))
def test_waiters_read_as_they_were_written(waiters: list[Waiter]):
    """A bare array, empty where nobody waits; run and step are not shown."""
    assert parse_waiters(Response.of_json(200, waiters_json(waiters))) == tuple(waiters)


def test_what_a_waiter_does_not_have_is_absent():
    """Its URL, deadline and headers are always there."""
    assert waiter_json(Waiter(URL, 7, run_id="r", step=Step(1, "Wait", "n"))) == {
        "url": URL,
        "deadline": 7,
        "headers": {},
    }


@given(ANYTHING, BODIES, st.none() | NAMES.filter(lambda name: name.strip(".")))
def test_a_notification_arrives_as_it_was_sent(event: str, body: bytes, run_id: str | None):
    """For all who wait, or for one run; an event may be any text."""
    notification = Notification(event, body, run_id)
    assert parse_notify(notify_request(notification)) == notification
    assert parse_waiters_request(waiters_request(event)) == event


def test_two_steps_name_a_run_first():
    """``/v2/notify/{runId}/{eventId}``; what follows is the event's, slashes and all."""
    assert parse_notify(Request("POST", "/v2/notify/wfr_1/a/b")) == Notification("a/b", run_id="wfr_1")
    assert parse_notify(Request("POST", "/v2/notify/a%2Fb")) == Notification("a/b")


@pytest.mark.parametrize(
    ("parse", "path"),
    [
        (parse_notify, "/v2/notify/"),
        (parse_notify, "/v2/notify/run/"),
        (parse_notify, "/v2/notify//event"),
        (parse_waiters_request, f"/v2/waiters/{'e' * 1_025}"),
        (parse_wait, "/v2/wait/"),
    ],
)
def test_an_event_has_its_bounds(parse, path: str):
    """None of no characters, and none of over 1,024."""
    with pytest.raises(Rejected) as raised:
        parse(Request("POST", path, body=b"{}"))
    given_id = "e" * 1_025 if "waiters" in path else ""
    assert (raised.value.status, raised.value.text) == (400, texts.invalid_event(given_id, 1_024))


def test_a_slip_in_the_query_is_refused():
    """What is not known selects nothing here."""
    for parse in (parse_notify, parse_waiters_request, parse_wait):
        with pytest.raises(Rejected, match="unknown query parameter: run"):
            parse(Request("POST", "/v2/notify/e", "run=1"))
    with pytest.raises(SettingsError, match="is no id"):
        waiters_request("")


@given(st.lists(NOTIFIED, max_size=2))
def test_what_was_notified_reads_as_it_was_written(notified: list[Notified]):
    """An array for an event, a single object for a run."""
    assert parse_notified(Response.of_json(201, notified_json(notified, run=False))) == tuple(notified)
    for one in notified:
        answer = notified_json([one], run=True)
        assert isinstance(answer, dict)
        assert parse_notified(Response.of_json(201, answer)) == (one,)


@pytest.mark.parametrize("body", [b"", b'"x"', b"[1]"])
def test_what_tells_of_no_waiter_is_corrupt(body: bytes):
    """An answer of something else is no event that nobody waits for."""
    for parse in (parse_notified, parse_waiters):
        with pytest.raises(Corrupt):
            parse(Response(201, body=body))
    with pytest.raises(Corrupt):
        parse_waiters(Response(200, body=b"[{}]"))
