import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected
from qsops.models import ItemError, Publish, Trigger, Triggered
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.triggers import (
    batch_trigger_request,
    batch_triggered_json,
    parse_batch_trigger,
    parse_batch_triggered,
    parse_trigger,
    parse_triggered,
    trigger_request,
    triggered_json,
)
from tests.wire.strategies import TEXT_BODIES, TRIGGERED, WORDS, triggers

URL = "https://a.test/flow"


@given(triggers())
def test_a_trigger_arrives_as_it_was_sent(trigger: Trigger):
    """The first message of a run with its options, and the run's id if it has one."""
    assert parse_trigger(trigger_request(trigger)) == trigger


@given(st.lists(triggers(TEXT_BODIES), max_size=2))
def test_a_batch_of_triggers_arrives_as_it_was_sent(wanted: list[Trigger]):
    """Several runs through one JSON array, in order."""
    assert parse_batch_trigger(batch_trigger_request(wanted)) == wanted


def test_a_run_starts_at_a_url():
    """A group has no run; in a batch the others stand."""
    with pytest.raises(Rejected) as raised:
        parse_trigger(Request("POST", "/v2/trigger/my-group"))
    assert (raised.value.status, raised.value.text) == (400, texts.INVALID_SCHEME)
    body = json.dumps(
        [{"destination": "g"}, {"destination": URL, "headers": {"upstash-workflow-runid": " wfr_1 "}}, 1]
    ).encode()
    assert parse_batch_trigger(Request("POST", "/v2/batch/trigger", body=body)) == [
        ItemError(texts.INVALID_SCHEME),
        Trigger(Publish(URL), "wfr_1"),
        ItemError(texts.invalid_field("message", 1, "one of a batch is an object with a destination")),
    ]


def test_a_run_s_id_has_its_bounds():
    """None of over 1,024 characters; an empty one is none."""
    long = "r" * 1_025
    with pytest.raises(Rejected) as raised:
        parse_trigger(Request("POST", f"/v2/trigger/{URL}", headers=(("Upstash-Workflow-RunId", long),)))
    assert (raised.value.status, raised.value.text) == (400, texts.invalid_event(long, 1_024))
    empty = Request("POST", f"/v2/trigger/{URL}", "x=1", (("Upstash-Workflow-RunId", " "),))
    assert parse_trigger(empty) == Trigger(Publish(f"{URL}?x=1"))


@given(st.lists(TRIGGERED | st.builds(ItemError, WORDS), max_size=3))
def test_what_was_triggered_reads_as_it_was_written(answers: list[Triggered | ItemError]):
    """A run, or why there is none; ``deduplicated`` only where it is so."""
    response = Response.of_json(201, batch_triggered_json(answers))
    assert parse_batch_triggered(response, len(answers)) == answers
    for one in answers:
        if isinstance(one, Triggered):
            assert parse_triggered(Response.of_json(200, triggered_json(one))) == one
            assert ("deduplicated" in triggered_json(one)) == one.deduplicated


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[{}]", b"[1,2]"])
def test_what_names_no_run_is_corrupt(body: bytes):
    """A trigger whose run is not known is not taken for done."""
    with pytest.raises(Corrupt):
        parse_triggered(Response(200, body=body))
    with pytest.raises(Corrupt):
        parse_batch_triggered(Response(201, body=body), 1)
