import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected
from qsops.models import DeadLetter, DlqFilter, LogEntry, LogFilter, Message, Page
from qsops.wire import texts
from qsops.wire.dlq import parse_dlq_bulk_request, parse_dlq_request
from qsops.wire.http import Request, Response
from qsops.wire.log_groups import is_grouped, log_groups_json, parse_log_groups
from qsops.wire.logs import parse_logs_request
from qsops.wire.trimming import parse_trim, trimmed_letter, trimmed_log
from tests.wire.strategies import LOGS


def logs(query: str) -> Request:
    return Request("GET", "/v2/logs", query)


@given(st.lists(st.lists(LOGS, min_size=1, max_size=2).map(tuple), max_size=2), st.none() | st.just("1-2"))
def test_a_page_by_message_reads_as_it_was_written(groups: list[tuple[LogEntry, ...]], cursor: str | None):
    """Messages, each with its entries, as the vendor's MCP server reads them; no cursor at the end."""
    page = Page(tuple(groups), cursor)
    value = log_groups_json(page)
    assert value.keys() == ({"messages"} if cursor is None else {"messages", "cursor"})
    assert [group["messageId"] for group in value["messages"]] == [entries[0].message_id for entries in groups]
    assert parse_log_groups(Response.of_json(200, value)) == page


def test_a_listing_says_whether_it_is_by_message():
    """By nothing else: the answer would have another form than was asked for."""
    assert is_grouped(logs("groupBy=messageId&count=5"))
    assert not is_grouped(logs("count=5&groupBy="))
    with pytest.raises(Rejected) as raised:
        is_grouped(logs("groupBy=workflowRunId"))
    expected = texts.invalid_parameter("groupBy", "workflowRunId", "it is one of messageId")
    assert (raised.value.status, raised.value.text) == (400, expected)
    assert parse_logs_request(logs("groupBy=messageId&trimBody=0")) == (LogFilter(), None, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":{}}', b'{"messages":[{}]}', b'{"messages":[1]}'])
def test_what_is_no_page_by_message_is_corrupt(body: bytes):
    """An answer of something else is not an empty log; null is."""
    with pytest.raises(Corrupt):
        parse_log_groups(Response(200, body=body))
    assert parse_log_groups(Response(200, body=b'{"messages":null,"cursor":""}')) == Page(())


@pytest.mark.parametrize(("query", "size"), [("", None), ("trimBody=-1", None), ("trimBody=0", 0), ("trimBody=9", 9)])
def test_bodies_are_shown_as_far_as_is_asked(query: str, size: int | None):
    """All of each by default, which the document calls -1; 0 shows none."""
    assert parse_trim(logs(query)) == size
    entry = LogEntry(1, "m", "ERROR", body=b"1234567890", response_body=b"1")
    letter = DeadLetter("1-0", Message("m", "u", 1, 1, body=b"1234567890"), response_body=b"1")
    shown = {None: (b"1234567890", b"1"), 0: (None, None), 9: (b"123456789", b"1")}[size]
    assert (trimmed_log(entry, size).body, trimmed_log(entry, size).response_body) == shown
    trimmed = trimmed_letter(letter, size)
    assert (trimmed.message.body or None, trimmed.response_body or None) == shown


def test_a_size_that_cannot_be_read_is_named():
    """A 400 with the value."""
    for value in ("-2", "some"):
        with pytest.raises(Rejected) as raised:
            parse_trim(logs(f"trimBody={value}"))
        why = f"it is a whole number from 0 to {2**53}"
        assert raised.value.text == texts.invalid_parameter("trimBody", value, why)


def test_the_dlq_takes_a_size_where_it_only_reads():
    """The vendor's MCP server sends it with each listing; a bulk call knows no such thing."""
    assert parse_dlq_request(Request("GET", "/v2/dlq", "trimBody=0")) == (DlqFilter(), None, None)
    with pytest.raises(Rejected, match="unknown query parameter: trimBody"):
        parse_dlq_bulk_request(Request("DELETE", "/v2/dlq", "label=a&trimBody=0"))
