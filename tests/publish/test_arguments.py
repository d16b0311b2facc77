from datetime import UTC, datetime, timedelta, timezone

import pytest

from qsops.errors import SettingsError
from qsops.models import Callback, FlowControl, Publish
from qsops.publish import OPTIONS, message

URL = "https://app.example/hook"


def test_a_message_carries_every_option():
    """Each argument has its place in the message, in the unit of the protocol."""
    made = message(
        URL,
        json={"grüße": "🎉"},
        queue="orders",
        delay="1h30m",
        retries=5,
        retry_delay="1000 * pow(2, retried)",
        timeout=timedelta(seconds=30),
        callback="https://app.example/done",
        failure_callback=Callback("https://app.example/failed", retries=1),
        deduplication_id="order-17",
        label=["campaign", "spring"],
        flow_control={"key": "app", "parallelism": 3},
        headers={"X-Trace": "17"},
        method="put",
        redact="header[Authorization]",
    )
    assert made == Publish(
        destination=URL,
        body='{"grüße":"🎉"}'.encode(),
        method="PUT",
        headers=(("Content-Type", "application/json"), ("X-Trace", "17")),
        delay_s=5400,
        timeout_s=30,
        retries=5,
        retry_delay="1000 * pow(2, retried)",
        callback=Callback("https://app.example/done"),
        failure_callback=Callback("https://app.example/failed", retries=1),
        deduplication_id="order-17",
        labels=("campaign", "spring"),
        queue="orders",
        flow_control=FlowControl("app", parallelism=3),
        redact=("header[Authorization]",),
    )


@pytest.mark.parametrize(
    ("arguments", "body", "headers"),
    [
        ({"json": None}, b"null", (("Content-Type", "application/json"),)),
        ({"json": [1]}, b"[1]", (("Content-Type", "application/json"),)),
        (
            {"json": 1, "headers": {"content-type": "application/x+json"}},
            b"1",
            (("content-type", "application/x+json"),),
        ),
        ({"json": datetime(2026, 1, 1, tzinfo=UTC)}, b'"2026-01-01T00:00:00+00:00"', None),
        ({"body": "é"}, "é".encode(), ()),
        ({"body": b"\xff"}, b"\xff", ()),
        ({}, b"", ()),
    ],
)
def test_a_body_is_json_or_as_it_is(arguments: dict, body: bytes, headers: tuple | None):
    """JSON says so in its content type unless told otherwise; anything else goes out byte for byte."""
    made = message(URL, **arguments)
    assert made.body == body
    if headers is not None:
        assert made.headers == headers


@pytest.mark.parametrize(("delay", "seconds"), [(0, 0), (1.2, 2), ("2m", 120), (timedelta(milliseconds=1), 1)])
def test_a_delay_is_never_shorter_than_asked(delay: object, seconds: int):
    """The protocol knows whole seconds: parts are rounded up."""
    assert message(URL, delay=delay).delay_s == seconds


def test_not_before_is_a_moment_whatever_its_zone():
    """A datetime of any zone is the same moment."""
    moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert message(URL, not_before=moment).not_before_s == 1_767_225_600
    assert message(URL, not_before=1_767_225_600).not_before_s == 1_767_225_600


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"url": None}, "url or group"),
        ({"group": "g"}, "url or group"),
        ({"url": "app.example/hook"}, "app.example/hook"),
        ({"url": "ftp://app.example"}, "ftp://"),
        ({"url": "https://"}, "host"),
        ({"url": "https://app.example/a b"}, "a b"),
        ({"url": "https://app.example/é"}, "escaped"),
        ({"url": "https://app.example/#top"}, "#fragment"),
        ({"url": "https://[broken"}, "broken"),
        ({"url": 17}, "17"),
        ({"url": None, "group": "a b"}, "'a b'"),
        ({"queue": "a:b"}, "'a:b'"),
        ({"json": 1, "body": b"x"}, "json and body"),
        ({"json": {1, 2}}, "set"),
        ({"json": float("nan")}, "JSON"),
        ({"body": {"a": 1}}, "json="),
        ({"delay": "soon"}, "'soon'"),
        ({"delay": -1}, "-1"),
        ({"delay": True}, "True"),
        ({"delay": 1, "not_before": 2}, "delay and not_before"),
        ({"not_before": datetime(2026, 1, 1)}, "time zone"),
        ({"not_before": "tomorrow"}, "'tomorrow'"),
        ({"retries": -1}, "-1"),
        ({"retries": 1.5}, "1.5"),
        ({"retry_delay": "retried **"}, "retry_delay"),
        ({"timeout": 0}, "timeout"),
        ({"callback": "nowhere"}, "callback"),
        ({"failure_callback": Callback("https://app.example", retries=-1)}, "failure_callback.retries"),
        ({"deduplication_id": "a:b"}, "deduplication_id"),
        ({"deduplication_id": " "}, "deduplication_id"),
        ({"label": "a,b"}, "'a,b'"),
        ({"label": ["a", ""]}, "label"),
        ({"flow_control": {"key": "k"}}, "parallelism, rate"),
        ({"flow_control": {"key": "k", "speed": 1}}, "flow_control"),
        ({"flow_control": FlowControl("k", rate=0)}, "flow_control.rate"),
        ({"headers": {"Upstash-Delay": "1s"}}, "Upstash-Delay"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "X-A"),
        ({"headers": {"a b": "c"}}, "'a b'"),
        ({"method": "FETCH"}, "FETCH"),
        ({"redact": "url"}, "'url'"),
        ({"redact": 5}, "redact: expected"),
        ({"label": 5}, "label: expected"),
        ({"label": b"no"}, "label: 110"),
        ({"headers": 5}, "headers: expected"),
        ({"headers": "no"}, "headers: expected"),
        ({"headers": [("a",)]}, "headers: expected"),
        ({"callback": Callback("https://app.example", timeout_s=-1)}, "callback.timeout_s"),
        ({"callback": Callback("https://app.example", delay_s=5)}, "callback.delay_s"),
        ({"flow_control": FlowControl(5, rate=1)}, "key 5"),  # type: ignore[arg-type]
        ({"flow_control": FlowControl("a\nb", rate=1)}, "flow_control: key"),
        ({"body": "\ud800"}, "body: character 0"),
        ({"json": "\ud800"}, "json: character 1"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict, named: str):
    """Bad input is refused before anything is sent, by one line that names the argument and the value."""
    with pytest.raises(SettingsError) as refused:
        message(**{"url": URL, **arguments})
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_text_of_a_body_is_in_no_error():
    """Bodies are private: an error about one does not quote it."""
    with pytest.raises(SettingsError) as refused:
        message(URL, json={"secret-text": {1}})
    assert "secret-text" not in str(refused.value)


def test_every_option_may_be_a_column():
    """What a row may set is what the function takes: neither list goes without the other."""
    assert set(OPTIONS) | {"json", "body"} == set(message.__annotations__) - {"return"}
