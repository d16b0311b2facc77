"""The official SDK on the other side: what it sends we read, what it reads we write."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from qstash.dlq import DlqApi, parse_dlq_message_response
from qstash.errors import DailyMessageLimitExceededError, RateLimitExceededError
from qstash.http import raise_for_non_ok_status
from qstash.log import LogApi, LogState, parse_logs_response
from qstash.message import MessageApi, parse_batch_response, parse_message_response, parse_publish_response
from qstash.signing_key import parse_signing_key_response

from qsops.errors import RateLimited
from qsops.models import (
    CancelFilter,
    DeadLetter,
    DlqFilter,
    KeyPair,
    LogEntry,
    LogFilter,
    Message,
    Publish,
    Receipt,
    State,
)
from qsops.wire.dlq import dead_letter_json, parse_dlq_bulk_request, parse_dlq_request
from qsops.wire.failures import raise_for_status
from qsops.wire.http import Response
from qsops.wire.keys import keys_json
from qsops.wire.logs import log_json, parse_logs_request
from qsops.wire.messages import message_json, parse_bulk_cancel
from qsops.wire.publishing import batch_json, parse_batch, parse_publish, receipt_json
from tests.wire.recording import EXPECTED, MORE, MORE_EXPECTED, OPTIONS, URL, Recording
from tests.wire.strategies import DEAD_LETTERS, LOGS, MESSAGES


def test_its_publish_is_read():
    """Every option that it offers, ``True`` with a capital and ``Upstash-Forward-content-type`` among them."""
    http = Recording({"messageId": "m"})
    MessageApi(http).publish_json(url=URL, body={"a": 1}, **OPTIONS, **MORE)
    assert parse_publish(http.sent()) == Publish(URL, b'{"a": 1}', **EXPECTED, **MORE_EXPECTED)


def test_its_enqueue_is_read():
    """Into a queue; a body that was not given is ``null``."""
    http = Recording({"messageId": "m"})
    MessageApi(http).enqueue_json(queue="q", url=URL, **OPTIONS)
    assert parse_publish(http.sent()) == Publish(URL, b"null", queue="q", **EXPECTED)


def test_its_batch_is_read():
    """``"queue": null`` and ``"body": null`` are nothing (reference 0.10)."""
    http = Recording([{"messageId": "m"}] * 2)
    MessageApi(http).batch([{"url": URL, **OPTIONS, **MORE}, {"url_group": "g", "body": "b", "queue": "q"}])
    assert parse_batch(http.sent()) == [
        Publish(URL, **EXPECTED, **MORE_EXPECTED),
        Publish("g", b"b", queue="q"),
    ]


def test_its_cancels_are_read():
    """Ids in a JSON body, all of them by nothing at all (reference, section 15)."""
    http = Recording({"cancelled": 2})
    MessageApi(http).cancel_many(["a", "b"])
    assert parse_bulk_cancel(http.sent()) == (CancelFilter(message_ids=("a", "b")), None)
    MessageApi(http).cancel_all()
    assert parse_bulk_cancel(http.sent()) == (CancelFilter(), None)


def test_its_listings_are_read(capsys: pytest.CaptureFixture[str]):
    """Every filter that it knows; the listing of the log prints the answer, which is why ours goes by the wire."""
    http = Recording({"events": []})
    times = {"from_time": 1, "to_time": 2, "label": "l", "queue": "q", "url_group": "g", "schedule_id": "s", "url": URL}
    shared: dict[str, Any] = {
        "from_ms": 1, "to_ms": 2, "labels": ("l",), "queues": ("q",), "url_groups": ("g",), "schedule_ids": ("s",),
        "urls": (URL,),
    }  # fmt: skip
    LogApi(http).list(cursor="c", count=7, filter={**times, "message_ids": ["a", "b"], "state": LogState.CANCELED})
    assert parse_logs_request(http.sent()) == (
        LogFilter(**shared, message_ids=("a", "b"), states=(State.CANCELED,)), "c", 7,
    )  # fmt: skip
    assert capsys.readouterr().out
    http.answer = {"messages": []}
    wanted = {**times, "message_id": "a", "response_status": 500, "caller_ip": "10.0.0.1"}
    DlqApi(http).list(cursor="c", count=7, filter=wanted)
    assert parse_dlq_request(http.sent()) == (
        DlqFilter(**shared, message_ids=("a",), response_statuses=(500,), caller_ips=("10.0.0.1",)), "c", 7,
    )  # fmt: skip


def test_its_deletes_are_read():
    """Ids of dead letters in a JSON body (reference 0.6)."""
    http = Recording({"deleted": 2})
    DlqApi(http).delete_many(["1-0", "2-0"])
    assert parse_dlq_bulk_request(http.sent()) == (DlqFilter(dlq_ids=("1-0", "2-0")), None, None)


def test_it_reads_our_receipts():
    """Objects for URLs and bare arrays for URL groups, alone and in a batch (reference 0.1)."""
    group = [Receipt("a", "u"), Receipt("b", "v", deduplicated=True)]
    assert parse_publish_response(receipt_json([Receipt("m", deduplicated=True)], group=False)).deduplicated
    assert [one.url for one in parse_publish_response(receipt_json(group, group=True))] == ["u", "v"]
    single, many = parse_batch_response(batch_json([Receipt("m"), group]))
    assert (single.message_id, [one.message_id for one in many]) == ("m", ["a", "b"])


@given(MESSAGES)
def test_it_reads_our_messages(message: Message):
    """All that it requires is there, under the names that it reads."""
    read = parse_message_response(message_json(message))
    assert (read.message_id, read.url, read.created_at) == (message.message_id, message.url, message.created_at_ms)
    assert (read.caller_ip, read.retry_delay_expression) == (message.caller_ip, message.retry_delay)
    assert (read.body or "").encode() == message.body or read.body_base64 is not None


@given(DEAD_LETTERS)
def test_it_reads_our_dead_letters(letter: DeadLetter):
    """The status is always there."""
    read = parse_dlq_message_response(dead_letter_json(letter))
    assert (read.dlq_id, read.response_status) == (letter.dlq_id, letter.response_status)


@given(LOGS.filter(lambda entry: entry.state in {state.value for state in LogState}))
def test_it_reads_our_log(entry: LogEntry):
    """The two fields that it spells its own way are there (reference 0.4)."""
    (read,) = parse_logs_response([log_json(entry)])
    assert (read.retry_delay_expression, read.time) == (entry.retry_delay, entry.time_ms)
    assert bool(read.response_headers) == bool(entry.response_headers)


def test_it_reads_our_keys():
    """Both of them, also where there is no next one."""
    assert parse_signing_key_response(keys_json(KeyPair("a", "b"))).next == "b"
    assert parse_signing_key_response(keys_json(KeyPair("a"))).current == "a"


@pytest.mark.parametrize(
    ("name", "theirs", "kind"),
    [("RateLimit-Limit", DailyMessageLimitExceededError, "daily"), ("X", RateLimitExceededError, "burst")],
)
def test_it_tells_a_429_apart_as_we_do(name: str, theirs: type[Exception], kind: str):
    """The same answer is the same error on both sides (reference, section 1.1)."""
    with pytest.raises(theirs):
        raise_for_non_ok_status(httpx.Response(429, headers={name: "1"}))
    with pytest.raises(RateLimited) as raised:
        raise_for_status(Response(429, ((name, "1"),)))
    assert raised.value.kind == kind
