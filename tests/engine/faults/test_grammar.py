import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.engine.faults.fault import Fault
from qsops.engine.faults.grammar import MAX_LENGTH, fault_json, fault_of_json, format_fault, parse_fault
from qsops.errors import SettingsError

patterns = st.text(alphabet="abz.-*=%/:?&1äÄ", min_size=1, max_size=12)
spans_ms = st.one_of(st.integers(1, 86_400_000), st.integers(1, 86_400).map(lambda seconds: seconds * 1000))


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    of_engine = draw(st.booleans())
    kind = draw(st.sampled_from(["status", "latency", *(["unreachable"] if of_engine else ["reset", "timeout"])]))
    maybe = st.none() if of_engine else st.one_of(st.none(), patterns)
    host, url = draw(maybe), draw(maybe)
    path = draw(st.one_of(st.none(), patterns.map(lambda text: f"/{text}")))
    return Fault(
        kind,
        of_engine=of_engine,
        status=draw(st.integers(400, 599)) if kind == "status" else 0,
        latency_ms=draw(spans_ms) if kind == "latency" else 0,
        percent=draw(st.integers(1, 100_000)) / 1000,
        host=host.lower() if host else None,
        url=url,
        path=path,
        method=draw(st.sampled_from([None, "POST", "DELETE"])),
        after=draw(st.booleans()),
        from_ms=draw(st.one_of(st.just(0), spans_ms)),
        for_ms=draw(st.one_of(st.none(), spans_ms)),
    )


@given(faults())
def test_a_fault_is_read_as_it_was_written(fault: Fault):
    """Text and JSON name the same fault, and both come back as they went."""
    assert parse_fault(format_fault(fault)) == fault
    assert fault_of_json(json.loads(json.dumps(fault_json(fault)))) == fault
    assert fault_of_json({"fault": format_fault(fault)}) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("500", Fault("status", status=500)),
        (
            "503 30% host=Consumer.example from=10m for=5m",
            Fault("status", status=503, percent=30.0, host="consumer.example", from_ms=600_000, for_ms=300_000),
        ),
        (
            "latency=2s 10% url=https://a.test/hook*",
            Fault("latency", latency_ms=2000, percent=10.0, url="https://a.test/hook*"),
        ),
        ("latency=250ms", Fault("latency", latency_ms=250)),
        ("  reset   0.5%  after=true ", Fault("reset", percent=0.5, after=True)),
        ("reset for=1d after=false", Fault("reset", for_ms=86_400_000)),
        ("timeout path=/slow method=post 100%", Fault("timeout", path="/slow", method="POST")),
        ("engine 429 20%", Fault("status", of_engine=True, status=429, percent=20.0)),
        ("engine 500 1% path=/v2/dlq*", Fault("status", of_engine=True, status=500, percent=1.0, path="/v2/dlq*")),
        ("engine slow=1.5s", Fault("latency", of_engine=True, latency_ms=1500)),
        ("engine unreachable for=1m", Fault("unreachable", of_engine=True, for_ms=60_000)),
    ],
)
def test_what_a_text_means(text: str, fault: Fault):
    """The examples of the documentation, and that neither spaces nor the order of the words count."""
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is neither a status from 400 to 599 nor one of latency=<duration>, reset, timeout"),
        ("200", "'200' is neither a status"),
        ("5xx", "'5xx' is neither a status"),
        ("50٣", "'50٣' is neither a status"),
        ("unreachable", "'unreachable' is neither a status"),
        ("slow=2s", "'slow=2s' is neither a status"),
        ("engine reset", "'reset' is neither a status from 400 to 599 nor one of slow=<duration>, unreachable"),
        ("engine", "'' is neither a status"),
        ("latency", "'latency' is neither a status"),
        ("latency=2", "latency: '2' is no duration such as 200ms"),
        ("latency=0s", "latency: '0s' is not from 1ms to 1d"),
        ("latency=2d", "latency: '2d' is not from 1ms to 1d"),
        ("500 0%", "0% is not over 0% and at most 100%"),
        ("500 101%", "101% is not over 0%"),
        ("500 -5%", "-5% is not over 0%"),
        ("500 nan%", "nan% is not over 0%"),
        ("500 30", "'30' is none of its words"),
        ("500 colour=red", "'colour=red' is none of its words"),
        ("500 what=reset", "'what=reset' is none of its words"),
        ("500 10% 20%", "percent is said twice"),
        ("500 host=a host=b", "host is said twice"),
        ("500 host=", "host: '' is empty"),
        ("500 path=slow", "path: 'slow' begins with no /"),
        ("500 after=yes", "after: 'yes' is neither true nor false"),
        ("500 for=0s", "for: '0s' is not from 1ms"),
        ("500 from=soon", "from: 'soon' is no duration"),
        ("engine 500 host=a", "host: a fault of the engine has no such word"),
        ("500 url=" + "x" * MAX_LENGTH, f"and at most {MAX_LENGTH}"),
    ],
)
def test_what_is_no_fault(text: str, why: str):
    """It is refused by its text, by what is wrong with it, and with what to write instead."""
    with pytest.raises(SettingsError) as refused:
        parse_fault(text)
    message = str(refused.value)
    assert why in message
    assert repr(text)[:100] in message
    assert ("write e.g. 'engine 429 20%'" if text.startswith("engine") else "write e.g. '503 30%") in message


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "expected an object"),
        ([], "expected an object"),
        ({}, "'' is neither a status"),
        ({"what": 503, "percent": True}, "true% is not over 0%"),
        ({"what": 503, "percent": 1e400}, "inf% is not over 0%"),
        ({"what": "503", "host": ["a"]}, "host: expected text, got ['a']"),
        ({"what": "503", "host": "a b"}, "host: 'a b' is empty, too long, or has a space in it"),
        ({"what": "503", "hots": "a"}, "hots: a fault has no such word"),
        ({"what": "503", "engine": True, "url": "a"}, "url: a fault of the engine has no such word"),
        ({"fault": 503}, "as text it stands alone"),
        ({"fault": "503", "percent": 5}, "as text it stands alone"),
        ({"fault": "oops"}, "'oops' is neither a status"),
    ],
)
def test_what_is_no_fault_as_json(value: object, why: str):
    """JSON is refused by the same rules and in the same words."""
    with pytest.raises(SettingsError) as refused:
        fault_of_json(value)
    assert why in str(refused.value)


@given(st.text(alphabet="engi 0459%=.resttimeoutlaycy=/*msfor", max_size=30))
def test_whatever_is_typed_is_a_fault_or_a_settings_error(text: str):
    """No text makes the reading fail in another way."""
    try:
        fault = parse_fault(text)
    except SettingsError:
        return
    assert parse_fault(format_fault(fault)) == fault
