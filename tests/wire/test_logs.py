import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected
from qsops.models import LogEntry, LogFilter, Page
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.logs import (
    EVENTS_PATH,
    LOGS_PATH,
    log_json,
    logs_json,
    logs_request,
    parse_log,
    parse_logs,
    parse_logs_request,
)
from tests.wire.strategies import LOG_FILTERS, LOGS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
FIELDS = st.sampled_from(
    [*log_json(LogEntry(1, "m", "ERROR", labels=("a",))), "responseStatus", "header", "body", "time"]
)


@given(LOGS)
def test_an_entry_reads_as_it_was_written(entry: LogEntry):
    """Every field both ways, those of a later version among them."""
    assert parse_log(log_json(entry)) == entry


@given(LOGS)
def test_either_spelling_will_do(entry: LogEntry):
    """The documents and the SDKs spell two fields differently: we write both and need one (reference 0.4)."""
    value = log_json(entry)
    for one, other in (("retryDelayExpr", "retryDelayExpression"), ("responseHeader", "responseHeaders")):
        assert value.get(one) == value.get(other)
        for left_out in (one, other):
            assert parse_log({name: given for name, given in value.items() if name != left_out}) == entry


@pytest.mark.parametrize("state", ["CANCELED", "CANCELLED", "A_NEW_ONE"])
def test_a_state_is_kept_as_it_came(state: str):
    """The service writes the first, its documents the second (reference 0.3), and nobody knows the next."""
    assert parse_log({"time": 1, "messageId": "m", "state": state}).state == state


def test_what_the_python_sdk_demands_is_always_there():
    """It raises for the whole page where one of the four is missing (reference, section 2.9)."""
    assert log_json(LogEntry(0, "", "")) == {"time": 0, "messageId": "", "state": "", "url": ""}


@given(st.dictionaries(FIELDS | st.text(max_size=4), JSON, max_size=6))
def test_nothing_in_an_entry_raises(value: dict[str, object]):
    """One odd entry must not hide the rest of a page, and what could not be read is kept beside it."""
    entry = parse_log(value)
    for name, given_value in entry.extra.items():
        assert value[name] is given_value


def test_a_field_of_another_type_is_kept_beside():
    """Nothing that came is lost."""
    entry = parse_log({"time": "7", "messageId": "m", "state": "ERROR", "responseStatus": "teapot", "new": None})
    assert (entry.time_ms, entry.response_status) == (7, None)
    assert entry.extra == {"responseStatus": "teapot", "new": None}


def test_a_limit_without_a_key_is_kept_beside():
    """A rate belongs to a flow-control key; without one it is kept as it came."""
    assert parse_log({"rate": 3, "period": 60}).extra == {"rate": 3, "period": 60}
    assert parse_log({"flowControlKey": "k", "rate": 3}).extra == {}


@pytest.mark.parametrize("value", [None, 1, "text", []])
def test_what_is_no_object_is_corrupt(value: object):
    """The only thing that an entry must be."""
    with pytest.raises(Corrupt):
        parse_log(value)


def test_a_body_that_is_no_base64_is_taken_as_it_stands():
    """Bodies are base64, redacted ones say so in plain text."""
    entry = parse_log({"body": base64.b64encode(b"\xff").decode(), "responseBody": "REDACTED:ab"})
    assert (entry.body, entry.response_body) == (b"\xff", b"REDACTED:ab")


@pytest.mark.parametrize("key", ["events", "logs"])
@given(entries=st.lists(LOGS, max_size=2), cursor=st.none() | st.just("1725323658779-0"))
def test_a_page_reads_as_it_was_written(key: str, entries: list[LogEntry], cursor: str | None):
    """Both shapes (reference 0.2); the cursor is absent at the end, never empty (reference 0.12)."""
    page = Page(tuple(entries), cursor)
    value = logs_json(page, key)
    assert value.keys() == ({key} if cursor is None else {key, "cursor"})
    assert parse_logs(Response.of_json(200, value)) == page


@pytest.mark.parametrize(
    ("value", "cursor"),
    [({"events": [], "cursor": ""}, None), ({"logs": None}, None), ({"events": [], "cursor": 2**60}, str(2**60))],
)
def test_an_empty_page_has_several_forms(value: object, cursor: str | None):
    """An empty cursor is the end, null is an empty list, and a cursor may be a number past 2^53."""
    assert parse_logs(Response.of_json(200, value)) == Page((), cursor)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events":{"a":1}}', b'{"events":{}}', b'{"logs":0}', b"<html>"])
def test_what_is_no_page_is_corrupt(body: bytes):
    """An answer of something else is not an empty log."""
    with pytest.raises(Corrupt):
        parse_logs(Response(200, body=body))


@given(LOG_FILTERS, st.none() | st.just("1-2"), st.none() | st.integers(1, 1000))
def test_a_listing_reads_as_it_was_written(which: LogFilter, cursor: str | None, count: int | None):
    """Every filter, cursor and count."""
    assert parse_logs_request(logs_request(which, cursor, count)) == (which, cursor, count)


def test_both_paths_are_asked_alike():
    """The SDKs' path is the default (reference 0.2)."""
    assert logs_request(LogFilter()).target == EVENTS_PATH == "/v2/events"
    assert logs_request(LogFilter(), path=LOGS_PATH).target == "/v2/logs"


def test_one_message_is_asked_for_by_the_documented_name():
    """``messageId`` is in the documents, ``messageIds`` only in the SDKs (reference, section 2.9)."""
    assert logs_request(LogFilter(message_ids=("a",))).query == "messageId=a"
    assert logs_request(LogFilter(message_ids=("a", "b"))).query == "messageIds=a&messageIds=b"


def test_reading_passes_over_what_it_does_not_know():
    """Workflow's parameters and empty filters choose nothing and break nothing."""
    asked = Request("GET", EVENTS_PATH, "trimBody=-1&groupBy=x&label=&cursor=&state=ERROR")
    assert parse_logs_request(asked) == (LogFilter(states=("ERROR",)), None, None)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("order=up", texts.invalid_parameter("order", "up", "it is one of earliestFirst, latestFirst")),
        ("count=many", texts.invalid_parameter("count", "many", f"it is a whole number from 1 to {2**53}")),
        ("toDate=-1", texts.invalid_parameter("toDate", "-1", f"it is a whole number from 0 to {2**53}")),
    ],
)
def test_a_value_that_cannot_be_read_is_named(query: str, text: str):
    """A 400 names the parameter and its value."""
    with pytest.raises(Rejected) as raised:
        parse_logs_request(Request("GET", EVENTS_PATH, query))
    assert (raised.value.status, raised.value.text) == (400, text)
