import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import FlowKey, FlowPin, FlowUnpin, GlobalParallelism
from qsops.wire import texts
from qsops.wire.flow import (
    flow_key_json,
    flow_key_request,
    flow_keys_json,
    flow_keys_request,
    flow_pause_request,
    flow_pin_request,
    flow_reset_rate_request,
    flow_resume_request,
    flow_unpin_request,
    global_parallelism_json,
    global_parallelism_request,
    parse_flow_action,
    parse_flow_key,
    parse_flow_key_name,
    parse_flow_key_response,
    parse_flow_keys,
    parse_flow_pin,
    parse_flow_search,
    parse_flow_unpin,
    parse_global_parallelism,
)
from qsops.wire.http import Request, Response
from tests.wire.strategies import ANYTHING, FLOW_KEYS, FLOW_PINS


@given(st.lists(FLOW_KEYS, max_size=2))
def test_keys_read_as_they_were_written(keys: list[FlowKey]):
    """One, and a bare array of all."""
    assert [parse_flow_key(flow_key_json(key)) for key in keys] == keys
    assert parse_flow_keys(Response.of_json(200, flow_keys_json(keys))) == tuple(keys)


def test_a_limit_that_is_not_set_is_absent():
    """Absent, not 0; the period is always there, and a second by default (reference 0.11)."""
    fields = flow_key_json(FlowKey("k"))
    assert fields.keys().isdisjoint({"parallelismMax", "rateMax"})
    assert (fields["ratePeriod"], fields["rateCount"], fields["waitListSize"]) == (1, 0, 0)
    zeros = {**fields, "parallelismMax": 0, "rateMax": 0}
    assert parse_flow_key_response(Response.of_json(200, zeros)) == FlowKey("k")


def test_the_wait_list_has_two_spellings():
    """One of the documents has a small letter in it (reference, section 2.10)."""
    assert parse_flow_key({"flowControlKey": "k", "waitlistSize": 3}).wait_list == 3


@given(ANYTHING)
def test_a_key_may_be_any_text(key: str):
    """Slashes and all, also where the Python SDK does not escape it."""
    assert parse_flow_key_name(flow_key_request(key)) == key
    for action in (flow_pause_request, flow_resume_request, flow_reset_rate_request):
        assert parse_flow_action(action(key)) == key


def test_a_key_may_hold_what_is_a_call_elsewhere():
    """The last step of a POST is what to do, and what is before it is the key."""
    assert parse_flow_key_name(Request("GET", "/v2/flowControl/a/b/pause")) == "a/b/pause"
    assert parse_flow_action(Request("POST", "/v2/flowControl/a/b/pause")) == "a/b"
    assert parse_flow_action(Request("POST", "/v2/flowControl/a%2Fpin/resetRate")) == "a/pin"


@given(ANYTHING, FLOW_PINS)
def test_a_pin_arrives_as_it_was_sent(key: str, pin: FlowPin):
    """Any of the limits, a period only with a rate."""
    assert parse_flow_pin(flow_pin_request(key, pin)) == (key, pin)


@pytest.mark.parametrize("unpin", [FlowUnpin(), FlowUnpin(True), FlowUnpin(rate=True), FlowUnpin(True, True)])
def test_an_unpin_arrives_as_it_was_sent(unpin: FlowUnpin):
    """False where it is not named; the SDKs may say so."""
    assert parse_flow_unpin(flow_unpin_request("k", unpin)) == ("k", unpin)
    spelled = f"parallelism={str(unpin.parallelism).lower()}&rate={str(unpin.rate).lower()}"
    assert parse_flow_unpin(Request("POST", "/v2/flowControl/k/unpin", spelled)) == ("k", unpin)


MOST = f"it is a whole number from 1 to {2**53}"


@pytest.mark.parametrize(
    ("parse", "query", "text"),
    [
        (parse_flow_pin, "", texts.NOTHING_TO_PIN),
        (parse_flow_pin, "period=10", texts.PERIOD_WITHOUT_RATE),
        (parse_flow_pin, "parallelism=2&period=10", texts.PERIOD_WITHOUT_RATE),
        (parse_flow_pin, "rate=0", texts.invalid_parameter("rate", "0", MOST)),
        (parse_flow_pin, "parallelism=many", texts.invalid_parameter("parallelism", "many", MOST)),
        (
            parse_flow_pin,
            "rate=1&period=604801",
            texts.invalid_parameter("period", "604801", "it is a whole number from 1 to 604800"),
        ),
        (parse_flow_pin, "speed=1", texts.unknown_parameter("speed")),
        (parse_flow_unpin, "rate=yes", texts.invalid_parameter("rate", "yes", "it is one of true, false")),
        (parse_flow_unpin, "period=true", texts.unknown_parameter("period")),
        (parse_flow_action, "rate=1", texts.unknown_parameter("rate")),
        (parse_flow_key_name, "rate=1", texts.unknown_parameter("rate")),
        (parse_flow_search, "find=a", texts.unknown_parameter("find")),
    ],
)
def test_a_limit_that_cannot_be_read_is_named(parse, query: str, text: str):
    """A 400 that names the parameter and its value; nothing is pinned then."""
    with pytest.raises(Rejected) as raised:
        parse(Request("POST", "/v2/flowControl/k/pin", query))
    assert (raised.value.status, raised.value.text) == (400, text)


@pytest.mark.parametrize("key", ["", "k" * 1_025])
def test_a_key_has_its_bounds(key: str):
    """None of no characters, and none of over 1,024."""
    for parse, path in ((parse_flow_key_name, ""), (parse_flow_action, "/pause")):
        with pytest.raises(Rejected) as raised:
            parse(Request("GET", f"/v2/flowControl/{key}{path}"))
        assert (raised.value.status, raised.value.text) == (400, texts.invalid_flow_key(key, 1_024))
    with pytest.raises(SettingsError, match="is no id"):
        flow_key_request("")


def test_keys_can_be_searched():
    """By what they hold."""
    assert parse_flow_search(flow_keys_request("a b&c")) == "a b&c"
    assert parse_flow_search(flow_keys_request()) is None
    assert flow_keys_request().target == "/v2/flowControl"


def test_the_global_parallelism_reads_as_it_was_written():
    """Both numbers; absent is 0, as for the SDKs."""
    parallelism = GlobalParallelism(10, 3)
    assert parse_global_parallelism(Response.of_json(200, global_parallelism_json(parallelism))) == parallelism
    assert parse_global_parallelism(Response.of_json(200, {})) == GlobalParallelism(0, 0)
    assert global_parallelism_request().target == "/v2/globalParallelism"


@pytest.mark.parametrize("body", [b"", b"{}", b"[{}]"])
def test_what_is_no_list_of_keys_is_corrupt(body: bytes):
    """An answer of something else is no account without keys."""
    with pytest.raises(Corrupt):
        parse_flow_keys(Response(200, body=body))
    with pytest.raises(Corrupt):
        parse_global_parallelism(Response(200, body=b"[]"))
