import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import Queue, QueueSpec
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.queues import (
    parse_queue,
    parse_queue_name,
    parse_queue_response,
    parse_queue_upsert,
    parse_queues,
    queue_delete_request,
    queue_json,
    queue_pause_request,
    queue_request,
    queue_resume_request,
    queue_upsert_request,
    queues_json,
    queues_request,
)
from tests.wire.strategies import QUEUE_SPECS, QUEUES


def upsert(body: object, query: str = "") -> QueueSpec:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_queue_upsert(Request("POST", "/v2/queues", query, body=raw))


@given(st.lists(QUEUES, max_size=2))
def test_queues_read_as_they_were_written(queues: list[Queue]):
    """One, and a bare array of all."""
    assert [parse_queue(queue_json(queue)) for queue in queues] == queues
    assert parse_queues(Response.of_json(200, queues_json(queues))) == tuple(queues)


def test_all_six_fields_are_always_there():
    """The Python SDK demands each (reference, section 2.5)."""
    fields = queue_json(Queue("q", 0, 0))
    assert fields == {"name": "q", "createdAt": 0, "updatedAt": 0, "parallelism": 1, "paused": False, "lag": 0}
    assert parse_queue_response(Response.of_json(200, fields)) == Queue("q", 0, 0)


@given(QUEUE_SPECS)
def test_an_upsert_arrives_as_it_was_sent(spec: QueueSpec):
    """Name, parallelism, and paused or not, or neither."""
    assert parse_queue_upsert(queue_upsert_request(spec)) == spec


def test_what_is_not_said_has_its_default():
    """One consumer; whether a queue is paused stays as it is, since the document has no such field."""
    assert upsert({"queueName": "q"}) == QueueSpec("q", 1, None)
    assert upsert({"queueName": "q", "parallelism": None, "paused": None, "lag": "passed over"}) == QueueSpec("q")
    assert upsert({"queueName": "q", "paused": False}) == QueueSpec("q", 1, False)


WHOLE = "it is a whole number from 1 to 1000000"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", texts.invalid_body("it is not JSON")),
        (b"[]", texts.invalid_body("it is an object")),
        ({}, texts.invalid_field("queueName", None, "it is a text that is not empty")),
        ({"queueName": ""}, texts.invalid_field("queueName", "", "it is a text that is not empty")),
        ({"queueName": 7}, texts.invalid_field("queueName", 7, "it is a text")),
        ({"queueName": "a/b"}, texts.invalid_name("queue", "a/b")),
        ({"queueName": "q" * 257}, texts.invalid_name("queue", "q" * 257)),
        ({"queueName": "q", "parallelism": 0}, texts.invalid_field("parallelism", 0, WHOLE)),
        ({"queueName": "q", "parallelism": "2"}, texts.invalid_field("parallelism", "2", WHOLE)),
        ({"queueName": "q", "parallelism": True}, texts.invalid_field("parallelism", True, WHOLE)),
        ({"queueName": "q", "parallelism": 1.5}, texts.invalid_field("parallelism", 1.5, WHOLE)),
        ({"queueName": "q", "paused": "yes"}, texts.invalid_field("paused", "yes", "it is true or false")),
        (
            b'{"queueName":"\\ud800"}',
            texts.invalid_field("queueName", r"'\ud800'", "it holds half of a surrogate pair"),
        ),
    ],
)
def test_a_field_that_cannot_be_read_is_named(body: Any, text: str):
    """A 400 that names the field and its value."""
    with pytest.raises(Rejected) as raised:
        upsert(body)
    assert (raised.value.status, raised.value.text) == (400, text)


def test_each_call_names_its_queue():
    """An empty name would be the path of all of them."""
    for request in (queue_request, queue_delete_request, queue_pause_request, queue_resume_request):
        assert parse_queue_name(request("my.queue")) == "my.queue"
        with pytest.raises(SettingsError, match="is no id"):
            request("")
    assert queue_pause_request("q").target == "/v2/queues/q/pause"
    assert queue_resume_request("q").target == "/v2/queues/q/resume"
    assert (queues_request().method, queues_request().target) == ("GET", "/v2/queues")


def test_a_slip_in_a_path_or_query_is_refused():
    """A name outside the alphabet, and a parameter that is not known; the token may stand in the query."""
    with pytest.raises(Rejected, match="invalid queue name: 'a b'"):
        parse_queue_name(Request("GET", "/v2/queues/a%20b"))
    with pytest.raises(Rejected, match="unknown query parameter: force"):
        parse_queue_name(Request("DELETE", "/v2/queues/q", "force=true"))
    with pytest.raises(Rejected, match="unknown query parameter: paused"):
        upsert({"queueName": "q"}, "paused=true")
    assert upsert({"queueName": "q"}, "qstash_token=t") == QueueSpec("q")


@pytest.mark.parametrize("body", [b"", b"{}", b'[{"lag":1}]', b"[1]", b'"q"'])
def test_what_is_no_list_of_queues_is_corrupt(body: bytes):
    """An answer of something else is no account without queues; null is, as a Go server writes it."""
    with pytest.raises(Corrupt):
        parse_queues(Response(200, body=body))
    assert parse_queues(Response(200, body=b"null")) == ()
