import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qsops import signing
from qsops.clock import ManualClock
from qsops.errors import Corrupt, SignatureRefused
from qsops.models import KeyPair
from qsops.receive import Verifier
from qsops.wire.header_text import to_wire
from service import envelope
from service.envelope import Event, decode, encode, event_of, parse_json
from service.errors import NewerEnvelope
from service.instagram import item_of, mid_of, signature_holds
from service.webhook import events_of
from tests.service.attack.bodies import AT_MS, damaged, fuzzed, json_values, posts, written
from tests.service.rig import event_of as sample_event

KEYS = KeyPair("sig_current", "sig_next")
T = TypeVar("T")
URL = "https://service.example/api/qstash/instagram-ingestion"
ENVELOPE = json.loads(encode(sample_event("message", "mid-1", AT_MS)))
TOKEN = signing.sign(KEYS.current, url=URL, body=b"{}", now_s=AT_MS // 1000, jti="jwt_1")
#: Header and claims in any JSON, signed with our own key: what is behind the signature is checked all the same.
PARTS = st.tuples(json_values, json_values)


def attempt(call: Callable[[], T], *declared: type[Exception]) -> tuple[T | None, str]:
    """What ``call`` gives, or the words of one of the errors that it may raise; any other comes through."""
    try:
        return call(), ""
    except declared as error:
        return None, str(error)


def read(body: bytes) -> list[Event]:
    """The events of a body, each as it is after its way through QStash."""
    return [decode(encode(event)) for event in events_of(body, AT_MS)]


@fuzzed
@given(body=st.binary(max_size=400) | written(json_values) | damaged(written(posts())))
@example(body=b"[" * 100_000)
@example(body=b'{"entry":' + b"[" * 990 + b"]" * 990 + b"}")
@example(body=b'{"entry":[{"messaging":[{"message":{"mid":1e400}}]}]}')
@example(body=b'{"entry":[{"id":' + b"9" * 5_000 + b"}]}")
def test_no_post_is_a_fault(body: bytes):
    """A POST of any bytes is events, or Corrupt: nothing else comes out of the parser."""
    events, told = attempt(lambda: read(body), Corrupt)
    assert len(told) < 300
    assert all(event.id and event.kind for event in events or ())


@fuzzed
@given(post=posts())
def test_what_looks_like_metas_is_kept(post: Any):
    """Whatever stands in a post, each event has an identity, and the consumer can read it and store it as it was."""
    try:
        events = read(json.dumps(post, allow_nan=False).encode())
    except (Corrupt, ValueError, OverflowError):
        return
    for event in events:
        item_of(event.kind, event.account, event.payload)
        mid_of(event.kind, event.payload)
        assert event.id
        assert json.loads(json.dumps(event.payload)) == event.payload


@fuzzed
@given(
    body=st.binary(max_size=400)
    | written(json_values)
    | damaged(st.just(json.dumps(ENVELOPE).encode()))
    | written(st.dictionaries(st.sampled_from([*ENVELOPE, "extra"]), json_values).map(lambda some: ENVELOPE | some))
)
@example(body=b'{"v":' + b"1" * 5_000 + b"}")
@example(body=json.dumps(ENVELOPE | {"v": True}).encode())
@example(body=json.dumps(ENVELOPE | {"received_at": "9999-12-31T23:59:59-23:59"}).encode())
def test_no_envelope_is_a_fault(body: bytes):
    """Any bytes are an event, Corrupt or NewerEnvelope; what was read is written again as the same event."""
    event, told = attempt(lambda: decode(body), Corrupt, NewerEnvelope)
    assert len(told) < 300
    again, _ = attempt(lambda: decode(encode(event)), Corrupt) if event else (None, "")
    if event and again:
        assert (again.id, again.kind, again.payload) == (event.id, event.kind, event.payload)


@fuzzed
@given(value=json_values)
def test_no_ingested_envelope_is_a_fault(value: Any):
    """What another producer hands in is an event, or Corrupt."""
    for candidate in (value, ENVELOPE | value if isinstance(value, dict) else ENVELOPE):
        try:
            event = event_of(
                parse_json(json.dumps(candidate).encode()), sample_event("message", "m", AT_MS).received_at
            )
        except Corrupt:
            continue
        assert event.id == candidate["id"]


@fuzzed
@given(
    members=st.dictionaries(
        st.sampled_from(["v", "id", "kind", "account", "occurred_at", "received_at", "payload", "more"]),
        json_values
        | st.datetimes().map(lambda at: at.isoformat() + "Z")
        | st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    ),
    wound=st.none() | st.binary(max_size=4),
    at=st.integers(0, 400),
)
def test_both_ways_to_read_an_envelope_agree(members: dict[str, Any], wound: bytes | None, at: int):
    """What is read at once is the same event, and what is refused is refused in the same words, as field by field."""
    body = json.dumps({**ENVELOPE, **members}, separators=(",", ":")).encode()
    if wound is not None:
        body = body[:at] + wound + body[at + len(wound) :]
    at_once = attempt(lambda: decode(body), Corrupt, NewerEnvelope)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(envelope, "_written_by_us", lambda _: None)
        assert attempt(lambda: decode(body), Corrupt, NewerEnvelope) == at_once


def forged(head: Any, claims: Any) -> str:
    """A token whose signature holds, whatever it says."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    signed = b".".join(parts)
    mac = signing._mac(KEYS.current, signed)
    return (signed + b"." + mac).decode()


@fuzzed
@given(
    token=st.text(max_size=200)
    | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
    | damaged(st.just(TOKEN.encode())).map(lambda raw: raw.decode("latin-1"))
    | PARTS.map(lambda parts: forged(*parts))
    | json_values.map(lambda claims: forged({"alg": "HS256", "typ": "JWT"}, claims)),
    body=st.just(b"{}") | st.binary(max_size=20),
)
def test_no_token_is_a_fault(token: str, body: bytes):
    """Any signature header is verified or refused with a cause: the verifier raises nothing else."""
    verifier = Verifier(KEYS, clock=ManualClock(AT_MS))
    delivery, told = attempt(
        lambda: verifier.verify(((b"upstash-signature", to_wire(token)),), body, URL), SignatureRefused
    )
    assert KEYS.current not in told
    assert delivery is None or (delivery.url, body) == (URL, b"{}")


@fuzzed
@given(at=st.integers(0, len(TOKEN) - 1), character=st.characters(max_codepoint=0x2FF))
def test_a_token_with_one_other_character_does_not_hold(at: int, character: str):
    """No character of a token can be exchanged: each is covered by the signature, or is it."""
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(SignatureRefused):
        Verifier(KEYS, clock=ManualClock(AT_MS)).verify(((b"upstash-signature", to_wire(changed)),), b"{}", URL)


@fuzzed
@given(body=st.binary(max_size=64), given_header=st.text(max_size=90) | st.none())
def test_no_signature_of_metas_is_a_fault(body: bytes, given_header: str | None):
    """Any X-Hub-Signature-256 is a plain no."""
    assert signature_holds("app-secret", body, given_header) is False
