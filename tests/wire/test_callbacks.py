import json

import pytest
from hypothesis import given

from qsops.errors import Corrupt
from qsops.models import CallbackReport
from qsops.wire.callbacks import callback_body, parse_callback
from tests.wire.strategies import REPORTS


@given(REPORTS)
def test_a_report_reads_as_it_was_written(report: CallbackReport):
    """The body of a callback, both ways."""
    assert parse_callback(callback_body(report)) == report


def test_the_documented_forms_are_read():
    """The documents print header values as texts and times in quotes (reference, section 7)."""
    body = {
        "status": "500",
        "header": {"A": ["1", "2"]},
        "body": "aGVsbG8=",
        "retried": 2,
        "maxRetries": "3",
        "sourceMessageId": "msg_1",
        "url": "https://a.test",
        "method": "PUT",
        "sourceHeader": {"B": "1"},
        "sourceBody": "aGVsbG8",
        "notBefore": "1701198458025",
        "createdAt": "1701198447054",
        "callerIP": "10.0.0.1",
        "workflowRunId": "wfr_1",
    }
    report = parse_callback(json.dumps(body).encode())
    assert (report.status, report.retried, report.max_retries) == (500, 2, 3)
    assert (report.headers, report.source_headers) == ((("A", "1"), ("A", "2")), (("B", "1"),))
    assert (report.body, report.source_body) == (b"hello", b"hello")
    assert (report.not_before_ms, report.created_at_ms) == (1_701_198_458_025, 1_701_198_447_054)


def test_a_redacted_body_is_given_as_it_stands():
    """What is no base64 is the text itself."""
    body = b'{"sourceMessageId":"m","sourceBody":"REDACTED:ab"}'
    assert parse_callback(body).source_body == b"REDACTED:ab"


def test_lists_and_numbers_are_written():
    """Both parsers of the failure callback take header values for lists (reference, section 7)."""
    report = CallbackReport("m", 500, "u", "POST", 0, 3, headers=(("A", "1"),), created_at_ms=7)
    value = json.loads(callback_body(report))
    assert (value["header"], value["createdAt"]) == ({"A": ["1"]}, 7)
    assert "dlqId" not in value


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"sourceMessageId":7}', b"\xff", b"[" * 100_000])
def test_a_body_that_names_no_message_is_corrupt(body: bytes):
    """A report must be about something."""
    with pytest.raises(Corrupt):
        parse_callback(body)
