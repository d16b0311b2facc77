import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import DeadLetter, DlqFilter, Message, Page, Receipt
from qsops.wire import texts
from qsops.wire.dlq import (
    dead_letter_json,
    deleted_json,
    dlq_bulk_delete_request,
    dlq_bulk_retry_request,
    dlq_delete_request,
    dlq_get_request,
    dlq_json,
    dlq_request,
    dlq_retry_request,
    parse_bulk_retried,
    parse_dead_letter,
    parse_dead_letter_response,
    parse_deleted,
    parse_dlq,
    parse_dlq_bulk_request,
    parse_dlq_request,
    parse_retried,
    retried_json,
)
from qsops.wire.http import Request, Response
from tests.wire.strategies import DEAD_LETTERS, DLQ_FILTERS

EVERYTHING = (DlqFilter(), DlqFilter(earliest_first=True))
BULK = (dlq_bulk_delete_request, dlq_bulk_retry_request)


@given(DEAD_LETTERS)
def test_a_dead_letter_reads_as_it_was_written(letter: DeadLetter):
    """A message, and the answer that decided it."""
    assert parse_dead_letter(dead_letter_json(letter)) == letter


def test_a_status_is_always_there():
    """The Python SDK requires it: 0 is no answer (reference, section 2.8)."""
    assert dead_letter_json(DeadLetter("1-0", Message("m", "u", 1, 1)))["responseStatus"] == 0


def test_a_single_answer_may_lack_its_id():
    """The Python SDK fills in the id that was asked for, too (reference, section 2.8)."""
    answer = Response.of_json(200, {"messageId": "m"})
    assert parse_dead_letter_response(answer, "1-0").dlq_id == "1-0"


@given(st.lists(DEAD_LETTERS, max_size=2), st.none() | st.just("1-0"))
def test_a_page_reads_as_it_was_written(letters: list[DeadLetter], cursor: str | None):
    """The cursor is absent at the end (reference 0.12)."""
    page = Page(tuple(letters), cursor)
    value = dlq_json(page)
    assert ("cursor" in value) == (cursor is not None)
    assert parse_dlq(Response.of_json(200, value)) == page


def test_an_empty_page_may_be_null():
    """A Go server writes null for an empty list."""
    assert parse_dlq(Response.of_json(200, {"messages": None, "cursor": ""})) == Page(())


@given(DLQ_FILTERS, st.none() | st.just("1-2"), st.none() | st.integers(1, 100))
def test_a_listing_reads_as_it_was_written(which: DlqFilter, cursor: str | None, count: int | None):
    """Every filter, cursor and count; for one page and for a bulk call."""
    assert parse_dlq_request(dlq_request(which, cursor, count)) == (which, cursor, count)
    if which not in EVERYTHING:
        for bulk in BULK:
            assert parse_dlq_bulk_request(bulk(which, cursor, count)) == (which, cursor, count)


@pytest.mark.parametrize("bulk", BULK)
@pytest.mark.parametrize("which", EVERYTHING)
def test_everything_has_to_be_said(bulk, which: DlqFilter):
    """A bulk call without a filter takes the whole DLQ."""
    with pytest.raises(SettingsError, match="whole DLQ"):
        bulk(which)
    assert bulk(DlqFilter(from_ms=0)).query == "fromDate=0"


@pytest.mark.parametrize("method", ["DELETE", "POST"])
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("labeel=x", texts.unknown_parameter("labeel")),
        ("host=a", texts.unknown_parameter("host")),
        ("path=/a", texts.unknown_parameter("path")),
        ("label=", texts.invalid_parameter("label", "", "it has no value")),
        ("dlqIds=", texts.invalid_parameter("dlqIds", "", "it has no value")),
        ("responseStatus=x", texts.invalid_parameter("responseStatus", "x", f"it is a whole number from 0 to {2**53}")),
    ],
)
def test_a_slip_takes_nothing(method: str, query: str, text: str):
    """A misspelt filter would delete or send everything (reference 0.7)."""
    with pytest.raises(Rejected) as raised:
        parse_dlq_bulk_request(Request(method, "/v2/dlq", query))
    assert (raised.value.status, raised.value.text) == (400, text)


def test_ids_come_in_the_query_or_in_a_body():
    """JavaScript repeats a parameter, Python sends JSON on a DELETE (reference 0.6)."""
    both = (DlqFilter(dlq_ids=("1-0", "2-0")), None, None)
    assert parse_dlq_bulk_request(Request("DELETE", "/v2/dlq", "dlqIds=1-0&dlqIds=2-0")) == both
    assert parse_dlq_bulk_request(Request("DELETE", "/v2/dlq", body=b'{"dlqIds":["1-0","2-0"]}')) == both
    with pytest.raises(Rejected, match="not empty"):
        parse_dlq_bulk_request(Request("DELETE", "/v2/dlq", body=b'{"dlqIds":[]}'))


def test_an_empty_cursor_is_the_beginning():
    """JavaScript loops with the cursor as it came, and a bulk retry ends with an empty one."""
    assert parse_dlq_bulk_request(Request("POST", "/v2/dlq/retry", "label=a&cursor=&count=1")) == (
        DlqFilter(labels=("a",)), None, 1,
    )  # fmt: skip


def test_a_listing_refuses_what_the_service_refuses():
    """``host`` and ``path`` are no filters of the DLQ, ``api`` once was (reference, section 2.8)."""
    assert parse_dlq_request(Request("GET", "/v2/dlq", "api=x&label="))[0] == DlqFilter()
    with pytest.raises(Rejected, match="unknown query parameter: host"):
        parse_dlq_request(Request("GET", "/v2/dlq", "host=a"))


def test_an_entry_is_asked_for_by_its_id():
    """An empty id would reach the bulk call."""
    for request in (dlq_get_request, dlq_delete_request, dlq_retry_request):
        assert request("1-0").path.endswith("/1-0")
        with pytest.raises(SettingsError, match="is no id"):
            request("")
    assert dlq_retry_request("1-0", (("Upstash-Retries", "0"),)).headers == (("Upstash-Retries", "0"),)


def test_how_many_were_deleted_is_never_guessed():
    """An answer that does not say is no zero."""
    assert deleted_json(3, None) == {"deleted": 3}
    assert parse_deleted(Response.of_json(200, deleted_json(3, "1-0"))) == (3, "1-0")
    for body in (b"", b"{}", b"[]"):
        with pytest.raises(Corrupt):
            parse_deleted(Response(200, body=body))


def test_a_bulk_retry_ends_with_an_empty_cursor():
    """Here alone (reference 0.12); for us the end is the end."""
    receipts = (Receipt("a"), Receipt("b"))
    assert retried_json(receipts, None)["cursor"] == ""
    assert parse_bulk_retried(Response.of_json(201, retried_json(receipts, None))) == (receipts, None)
    assert parse_bulk_retried(Response.of_json(201, retried_json(receipts, "1-0"))) == (receipts, "1-0")


def test_a_retry_names_its_message():
    """A retry whose new id is not known is not taken for done."""
    assert parse_retried(Response.of_json(201, {"messageId": "m"})) == Receipt("m")
    for body in (b"", b"{}", b"[]", b'{"responses":[]}'):
        with pytest.raises(Corrupt):
            parse_retried(Response(201, body=body))
    with pytest.raises(Corrupt):
        parse_bulk_retried(Response(201, body=b'{"messageId":"m"}'))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":{"a":1}}', b'{"messages":{}}', b'{"messages":[{}]}'])
def test_what_is_no_page_is_corrupt(body: bytes):
    """An answer of something else is not an empty DLQ."""
    with pytest.raises(Corrupt):
        parse_dlq(Response(200, body=body))
