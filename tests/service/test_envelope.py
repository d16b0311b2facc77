import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt
from service.envelope import Event, decode, encode, event_of
from service.errors import NewerEnvelope

FIXTURES = sorted((Path(__file__).parent / "envelopes" / "v1").glob("*.json"))
AT = datetime(2026, 1, 1, tzinfo=UTC)
VALID = json.loads(FIXTURES[0].read_text())


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_version_1_stays_readable(path: Path):
    """Messages outlive deploys: each envelope that version 1 ever wrote is read, whatever was added to it."""
    written = json.loads(path.read_text())
    event = decode(path.read_bytes())
    assert (event.id, event.kind, event.account) == (written["id"], written["kind"], written["account"])
    assert event.payload == written["payload"]
    assert event.received_at == AT
    assert decode(encode(event)) == event


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_any_payload_comes_back_as_it_went(value: object):
    """Encoding and decoding are opposites, for accents, emoji and lone surrogates too; the wire is pure ASCII."""
    event = Event("id-1", "message", "1", AT, AT, {"value": value})
    assert encode(event).isascii()
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"v": None}, "version"),
        ({"v": "1"}, "version"),
        ({"v": True}, "version"),
        ({"v": 0}, "version"),
        ({"id": ""}, "id"),
        ({"id": "grüße"}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"kind": "a,b"}, "kind"),
        ({"kind": 7}, "kind"),
        ({"account": ""}, "account"),
        ({"account": "\ud800"}, "account"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 1767225600}, "occurred_at"),
        ({"received_at": "2026-01-01T00:00:00"}, "received_at"),
        ({"received_at": None}, "received_at"),
        ({"payload": []}, "payload"),
    ],
)
def test_a_malformed_envelope_is_named_by_its_field(change: dict[str, object], named: str):
    """No retry mends a malformed envelope, so the error says which field is at fault."""
    with pytest.raises(Corrupt, match=named):
        decode(json.dumps({**VALID, **change}).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"NaN", b'{"a": Infinity}', b'{"a": 1e999}', b"[" * 100_000, b"1" * 5_000, b"null", b"[]"],
    ids=["empty", "cut", "no utf-8", "nan", "infinity", "overflow", "deep", "long number", "null", "list"],
)
def test_what_is_no_envelope_is_corrupt(body: bytes):
    """Whatever bytes come, the answer is one error of ours."""
    with pytest.raises(Corrupt):
        decode(body)


def test_a_newer_version_is_told_apart():
    """An older build may be rolled back onto a newer build's messages: they are not malformed."""
    with pytest.raises(NewerEnvelope, match="version 2"):
        decode(json.dumps({**VALID, "v": 2, "id": None}).encode())


def test_other_producers_may_leave_the_times_out():
    """What an event does not say of its time is when it was received."""
    event = event_of({"id": "order-1", "kind": "order", "account": "shop", "payload": {}}, AT)
    assert event.occurred_at == event.received_at == AT
