import json

import pytest
from hypothesis import given

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import CancelFilter, FlowControl, Message
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.messages import (
    CANCEL_LIMIT,
    bulk_cancel_request,
    cancel_request,
    message_json,
    message_request,
    parse_bulk_cancel,
    parse_cancelled,
    parse_message,
    parse_message_response,
)
from tests.wire.strategies import CANCEL_FILTERS, MESSAGES

MESSAGE = Message("msg_1", "https://a.test", 1, 2)


def bulk(query: str = "", body: bytes = b"") -> tuple[CancelFilter, int | None]:
    return parse_bulk_cancel(Request("DELETE", "/v2/messages", query, body=body))


@given(MESSAGES)
def test_a_message_reads_as_it_was_written(message: Message):
    """What QStash shows of a message, both ways."""
    assert parse_message(message_json(message)) == message
    assert parse_message_response(Response.of_json(200, message_json(message))) == message


def test_what_is_not_set_is_absent():
    """Only what the Python SDK demands is always there (reference, section 2.4)."""
    required = {"messageId", "url", "method", "maxRetries", "notBefore", "createdAt"}
    assert message_json(MESSAGE).keys() == required


def test_a_body_that_is_no_text_is_base64():
    """``body`` for UTF-8, ``bodyBase64`` for the rest."""
    assert message_json(Message("m", "u", 1, 1, body="é".encode()))["body"] == "é"
    assert message_json(Message("m", "u", 1, 1, body=b"\xff"))["bodyBase64"] == "/w=="


def test_limits_that_were_not_given_are_absent():
    """A period is always reported, a rate that was not given never as 0 (reference 0.11)."""
    value = message_json(Message("m", "u", 1, 1, flow_control=FlowControl("k", parallelism=2)))
    assert (value["parallelism"], value["period"]) == (2, 1)
    assert "rate" not in value
    assert parse_message({**value, "rate": 0}).flow_control == FlowControl("k", 2)


def test_labels_come_as_one_and_as_all():
    """``label`` is the first and ``labels`` are all (reference 0.16); one alone is read too."""
    value = message_json(Message("m", "u", 1, 1, labels=("a", "b")))
    assert (value["label"], value["labels"]) == ("a", ["a", "b"])
    assert parse_message({"messageId": "m", "label": "a"}).labels == ("a",)


@pytest.mark.parametrize("name", ["callerIP", "callerIp"])
def test_the_callers_address_is_spelled_two_ways(name: str):
    """The wire has the first, the JavaScript SDK's type the second."""
    assert parse_message({"messageId": "m", name: "10.0.0.1"}).caller_ip == "10.0.0.1"


@pytest.mark.parametrize("value", [None, [], "text", {}, {"messageId": 7}])
def test_what_is_no_message_is_corrupt(value: object):
    """A message has an id."""
    with pytest.raises(Corrupt):
        parse_message(value)


@pytest.mark.parametrize("message_id", ["", "  ", ".", ".."])
def test_no_id_is_no_message(message_id: str):
    """``DELETE /v2/messages/`` would cancel everything, as it does with the Python SDK (reference, section 15)."""
    for request in (message_request, cancel_request):
        with pytest.raises(SettingsError, match="is no id"):
            request(message_id)


def test_an_id_stays_one_step_of_the_path():
    """What is in an id cannot become another path or a query."""
    assert cancel_request("a/b?c").target == "/v2/messages/a%2Fb%3Fc"


@given(CANCEL_FILTERS.filter(lambda which: which != CancelFilter()))
def test_a_bulk_cancel_reads_as_it_was_written(which: CancelFilter):
    """Every filter, and the count; with ids the others are ignored, and so is the count (reference, section 2.4)."""
    ids_only = CancelFilter(message_ids=which.message_ids)
    expected = (ids_only, None) if which.message_ids else (which, 7)
    assert parse_bulk_cancel(bulk_cancel_request(which, 7)) == expected


def test_ids_come_in_the_query_or_in_a_body():
    """JavaScript repeats a parameter, Python sends JSON on a DELETE (reference 0.6)."""
    both = (CancelFilter(message_ids=("a", "b")), None)
    assert bulk("messageIds=a&messageIds=b") == both
    assert bulk("messageIds=a,%20b") == both
    assert bulk(body=json.dumps({"messageIds": ["a", "b"]}).encode()) == both


def test_nothing_at_all_cancels_everything():
    """Python's ``cancel_all`` is a bare DELETE; of ours it has to be said."""
    assert bulk() == (CancelFilter(), None)
    with pytest.raises(SettingsError, match="everything"):
        bulk_cancel_request(CancelFilter())
    assert bulk_cancel_request(CancelFilter(from_ms=0)).query == "fromDate=0"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("labeel=x", texts.unknown_parameter("labeel")),
        ("label=", texts.invalid_parameter("label", "", "it has no value")),
        ("label=a&label=", texts.invalid_parameter("label", "", "it has no value")),
        ("messageIds=%20,", texts.invalid_parameter("messageIds", "", "it has no value")),
        ("count=0", texts.invalid_parameter("count", "0", f"it is a whole number from 1 to {CANCEL_LIMIT}")),
        ("count=501", texts.invalid_parameter("count", "501", f"it is a whole number from 1 to {CANCEL_LIMIT}")),
        ("fromDate=today", texts.invalid_parameter("fromDate", "today", f"it is a whole number from 0 to {2**53}")),
        ("&".join(["label=a"] * 10_001), "invalid query: it has over 10000 parameters"),
    ],
)
def test_a_slip_cancels_nothing(query: str, text: str):
    """A misspelt filter, or an empty one, would choose everything: it is refused."""
    with pytest.raises(Rejected) as raised:
        bulk(query)
    assert (raised.value.status, raised.value.text) == (400, text)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b"{}", b'{"messageIds":[]}', b'{"messageIds":[""]}', b'{"messageIds":["a"],"x":1}', b'{"ids":["a"]}'],
)
def test_a_body_without_ids_cancels_nothing(body: bytes):
    """An empty list must not mean "all"."""
    why = "it is an object with messageIds alone, a list of ids that is not empty"
    with pytest.raises(Rejected) as raised:
        bulk(body=body)
    assert raised.value.text == texts.invalid_body(why)


def test_the_token_is_no_filter():
    """It may stand in any query (reference, section 1)."""
    assert bulk("qstash_token=t&label=a") == (CancelFilter(labels=("a",)), None)


def test_a_comma_parts_what_it_can_part():
    """URLs, paths and keys may hold commas themselves (reference, section 2.4)."""
    which, _ = bulk(
        "url=https://a.test/1,2,https://b.test&path=/a,b,/c&label=a,b&flowControlKey=x,y&callerIP=1.1.1.1&callerIp=2.2.2.2"
    )
    assert which == CancelFilter(
        urls=("https://a.test/1,2", "https://b.test"),
        paths=("/a,b", "/c"),
        labels=("a", "b"),
        flow_control_keys=("x,y",),
        caller_ips=("2.2.2.2", "1.1.1.1"),
    )


def test_how_many_were_cancelled_is_never_guessed():
    """An answer that does not say is no zero."""
    assert parse_cancelled(Response(200, body=b'{"cancelled":2}')) == 2
    for body in (b"", b"{}", b"[]"):
        with pytest.raises(Corrupt):
            parse_cancelled(Response(200, body=body))
