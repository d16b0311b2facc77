import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstash import Receiver

from qsops import signing
from qsops.clock import SystemClock
from qsops.errors import SettingsError, SignatureRefused
from qsops.models import KeyPair

CURRENT = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
NEXT = "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"
ANOTHER = "sig_6jWGaWRxHsw4vMSPJprXadyvrybF"
KEYS = KeyPair(CURRENT, NEXT)
URL = "https://hooks.example.com/api/qstash/instagram-ingestion"
BODY = '{"text": "Grüße 👋"}'.encode()
NOW_S = 1_767_225_600

# What no text of a JWT can hold, and what a test framework cannot print, is left out.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def body_hash(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()


def token(key: str = CURRENT, body: bytes = BODY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token as the service makes it, by another library; a claim that is None is left out."""
    told = {
        "iss": "Upstash",
        "sub": URL,
        "exp": NOW_S + 300,
        "nbf": NOW_S,
        "iat": NOW_S,
        "jti": "jwt_1",
        "body": body_hash(body),
        **claims,
    }
    kept = {name: value for name, value in told.items() if value is not None}
    # PyJWT checks some claims of its own accord, so the payload is signed as bytes.
    return jwt.api_jws.encode(json.dumps(kept).encode(), key, "HS256", header)


def verify(text: str | bytes | None, **changed: Any) -> signing.Claims:
    return signing.verify(text, **{"keys": KEYS, "body": BODY, "url": URL, "now_s": NOW_S + 1, **changed})


def refusal(text: str | bytes | None, **changed: Any) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as caught:
        verify(text, **changed)
    assert CURRENT not in str(caught.value)
    assert NEXT not in str(caught.value)
    return caught.value


def spelled(header: dict[str, Any], payload: bytes) -> str:
    """A token with any header and payload, rightly signed with the current key."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), payload)]
    signed = b".".join(parts)
    mac = jwt.get_algorithm_by_name("HS256").sign(signed, CURRENT.encode())
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def unpadded_claims() -> bytes:
    told = {"iss": "Upstash", "sub": URL, "exp": NOW_S + 300, "nbf": NOW_S, "iat": NOW_S, "jti": "jwt_1"}
    return json.dumps({**told, "body": body_hash(BODY).rstrip("=")}).encode()


@given(url=TEXTS, body=st.binary(), now_s=st.integers(1, 2**40), jti=TEXTS, lifetime_s=st.integers(1, 10**6))
def test_what_is_signed_verifies(url: str, body: bytes, now_s: int, jti: str, lifetime_s: int):
    """Whatever is signed is accepted with either key, for its whole life, and says what was signed."""
    made = signing.sign(CURRENT, url=url, body=body, now_s=now_s, jti=jti, lifetime_s=lifetime_s)
    for keys in (KEYS, KeyPair(CURRENT), KeyPair(NEXT, CURRENT)):
        for at_s in (now_s, now_s + lifetime_s - 1):
            claims = signing.verify(made, keys=keys, body=body, url=url, now_s=at_s)
            assert claims == signing.Claims(url, now_s + lifetime_s, 0, now_s, jti)


@given(url=TEXTS, body=st.binary(), jti=TEXTS)
def test_another_library_reads_what_we_sign(url: str, body: bytes, jti: str):
    """PyJWT accepts our token, finds the documented header, and the claims of the reference, section 6."""
    made = signing.sign(CURRENT, url=url, body=body, now_s=NOW_S, jti=jti)
    timeless = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    options = {"require": ["iss", "sub", "exp", "nbf", "iat", "jti", "body"], **timeless}
    claims = jwt.decode(made, CURRENT, algorithms=["HS256"], issuer="Upstash", options=options)
    assert jwt.get_unverified_header(made) == {"alg": "HS256", "typ": "JWT"}
    assert claims == {
        "iss": "Upstash",
        "sub": url,
        "exp": NOW_S + 300,
        "nbf": 0,
        "iat": NOW_S,
        "jti": jti,
        "body": body_hash(body).rstrip("="),
    }


@pytest.mark.parametrize("body", ["", "{}", '{"text": "Grüße 👋"}', "x" * 100_000])
@pytest.mark.parametrize("keys", [(CURRENT, NEXT), (NEXT, CURRENT)])
def test_the_official_receiver_accepts_what_we_sign(body: str, keys: tuple[str, str]):
    """The vendor's own receiver takes our token by the real clock, whichever of its keys signed."""
    now_s = SystemClock().now_ms() // 1000
    made = signing.sign(CURRENT, url=URL, body=body.encode(), now_s=now_s, jti="jwt_1")
    assert Receiver(*keys).verify(signature=made, body=body, url=URL) is None


@pytest.mark.parametrize("changed", [{"body": "other"}, {"url": URL + "/"}, {"signature": "e30.e30.x"}])
def test_the_official_receiver_refuses_what_we_refuse(changed: dict[str, str]):
    """Where our verdict on a body, a URL or a form is no, so is the vendor's."""
    now_s = SystemClock().now_ms() // 1000
    made = signing.sign(CURRENT, url=URL, body=b"body", now_s=now_s, jti="jwt_1")
    asked = {"signature": made, "body": "body", "url": URL, **changed}
    with pytest.raises(Exception, match=r"Invalid|Error while decoding"):
        Receiver(CURRENT, NEXT).verify(**asked)
    with pytest.raises(SignatureRefused):
        signing.verify(asked["signature"], keys=KEYS, body=asked["body"].encode(), url=asked["url"], now_s=now_s)


@pytest.mark.parametrize("form", [lambda text: text, lambda text: text.encode()])
@pytest.mark.parametrize("key", [CURRENT, NEXT])
def test_both_keys_and_both_forms_are_taken(form: Callable[[str], str | bytes], key: str):
    """While keys rotate both are valid; frameworks hand headers over as text or as bytes."""
    assert verify(form(token(key))).url == URL


def test_padding_is_optional():
    """Verifiers strip the padding of the body's hash and of the signature, so both spellings hold."""
    assert body_hash(BODY).endswith("=")
    bare = spelled({"alg": "HS256"}, unpadded_claims())
    assert verify(token()) == verify(token() + "=") == verify(bare) == verify(bare + "=")


def test_without_a_url_the_url_is_not_checked():
    """A receiver that does not know its own address may leave the URL out; the claims tell it."""
    assert verify(token(sub="https://elsewhere.example"), url=None).url == "https://elsewhere.example"


@pytest.mark.parametrize(
    ("text", "cause", "detail"),
    [
        (None, "missing", "no signature"),
        ("", "missing", "no signature"),
        (b"", "missing", "no signature"),
        ("jwt", "malformed", "3 parts, this has 1"),
        ("a.b.c.d", "malformed", "3 parts, this has 4"),
        ("…" + token()[1:], "malformed", "characters that no JWT has"),
        ("\udcff" + token()[1:], "malformed", "characters that no JWT has"),
        (token()[:-1], "malformed", "42 of 43 characters"),
        (token()[:-20], "malformed", "cut off"),
        (token().rpartition(".")[0], "malformed", "cut off"),
        (token().rpartition(".")[0] + ".", "malformed", "0 of 43"),
        ("!" + token(), "key", "neither current nor next"),
        ("." + token().partition(".")[2], "malformed", "header cannot be read"),
        ("W10." + token().partition(".")[2], "malformed", "header is no object"),
        (base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30." + "x" * 43, "malformed", "header cannot be read"),
        ("x" * 16_385, "malformed", "at most 16384 are read"),
        (spelled({"alg": "HS256"}, b"[]"), "malformed", "claims is no object"),
        (spelled({"alg": "HS256"}, b"{"), "malformed", "claims cannot be read"),
        (spelled({"alg": "HS256"}, b"[" * 9000), "malformed", "claims cannot be read"),
        (spelled({"alg": "HS256"}, b"\xff"), "malformed", "claims cannot be read"),
        (token(sub=None), "malformed", "'sub' is missing"),
        (token(sub=7), "malformed", "'sub' is missing or no text"),
        (token(exp=None), "malformed", "'exp' is missing"),
        (token(exp="9999999999"), "malformed", "'exp' is missing or no time"),
        (token(exp=True), "malformed", "'exp' is missing or no time"),
        (token(exp=float("nan")), "malformed", "'exp' is missing or no time"),
        (token(exp=float("inf")), "malformed", "'exp' is missing or no time"),
        (token(exp=10**400), "malformed", "'exp' is missing or no time"),
        (token(exp=-(10**400)), "malformed", "'exp' is missing or no time"),
        (token(nbf=None), "malformed", "'nbf' is missing"),
        (token(iat="now"), "malformed", "'iat' is missing or no time"),
        (token(jti=7), "malformed", "'jti' is missing or no text"),
        (token(body=b""), "body", "is not the one that was signed"),
        (jwt.encode({"sub": URL}, None, "none"), "algorithm", "signed with 'none'"),
        (jwt.encode({"sub": URL}, CURRENT * 2, "HS512"), "algorithm", "signed with 'HS512'"),
        (spelled({"alg": "none"}, b"{}"), "algorithm", "'none'"),
        (spelled({"alg": "hs256"}, b"{}"), "algorithm", "'hs256'"),
        (spelled({"alg": ["HS256"]}, b"{}"), "algorithm", "only HS256 is accepted"),
        (spelled({"alg": "x" * 5000}, b"{}"), "algorithm", "signed with 'xxxxxxxxxx"),
        (spelled({"typ": "JWT"}, b"{}"), "algorithm", "None"),
        (spelled({"alg": "HS256", "crit": ["b64"], "b64": False}, b"{}"), "algorithm", "extensions"),
        (token(ANOTHER), "key", "neither current nor next"),
        (token(ANOTHER)[:-43] + "A" * 43, "key", "neither current nor next"),
        (token(iss="upstash"), "issuer", "issued by 'upstash'"),
        (token(iss=None), "issuer", "issued by None"),
        (token(exp=NOW_S - 11), "expired", "expired 12 s ago"),
        (token(exp=NOW_S + 1), "expired", "expired 0 s ago"),
        (token(nbf=NOW_S + 61), "not_yet_valid", "another 60 s"),
        (token(sub="https://a.example"), "url", f"signed for URL https://a.example, this is {URL}"),
        (token(sub=URL + "/"), "url", "signed for URL"),
        (token(body=b"other"), "body", f"the body ({len(BODY)} bytes)"),
    ],
)
def test_each_refusal_names_its_cause(text: str | bytes | None, cause: str, detail: str):
    """The first check that fails is told, in words that a person can act on, and never with a key in them."""
    error = refusal(text)
    assert error.cause == cause
    assert detail in str(error)
    assert len(str(error)) < 300, "what a stranger sends must not fill our logs"


def test_a_missing_next_key_is_said():
    """With one key only, a refusal says that there was no second to try."""
    for next_key in (None, ""):
        error = refusal(token(NEXT), keys=KeyPair(CURRENT, next_key))
        assert error.cause == "key"
        assert str(error) == "key: not the current one, and no next key is set"


def test_an_empty_key_verifies_and_signs_nothing():
    """A key that was never set must not be one with which anybody can sign."""
    forged = spelled({"alg": "HS256"}, b"{}")
    with pytest.raises(SettingsError, match="QSTASH_CURRENT_SIGNING_KEY"):
        verify(forged, keys=KeyPair("", NEXT))
    with pytest.raises(SettingsError, match="QSTASH_CURRENT_SIGNING_KEY"):
        signing.sign("", url=URL, body=BODY, now_s=NOW_S, jti="jwt_1")


@pytest.mark.parametrize(
    ("tolerance_s", "late_s", "accepted"), [(0, 300, False), (0, 299.9, True), (5, 304.9, True), (5, 305, False)]
)
def test_the_tolerance_widens_the_end(tolerance_s: float, late_s: float, accepted: bool):
    """A token is valid until its exp and the tolerance, exclusively."""
    if accepted:
        assert verify(token(), now_s=NOW_S + late_s, tolerance_s=tolerance_s).expires_at_s == NOW_S + 300
    else:
        assert refusal(token(), now_s=NOW_S + late_s, tolerance_s=tolerance_s).cause == "expired"


@pytest.mark.parametrize(
    ("tolerance_s", "early_s", "accepted"), [(0, 0, True), (0, 0.1, False), (5, 5, True), (5, 5.1, False)]
)
def test_the_tolerance_widens_the_start(tolerance_s: float, early_s: float, accepted: bool):
    """A token is valid from its nbf less the tolerance, inclusively."""
    if accepted:
        assert verify(token(), now_s=NOW_S - early_s, tolerance_s=tolerance_s).not_before_s == NOW_S
    else:
        assert refusal(token(), now_s=NOW_S - early_s, tolerance_s=tolerance_s).cause == "not_yet_valid"


def test_the_optional_claims_are_optional():
    """Neither SDK asks for iat or jti, so neither do we; the hash of the body is never optional."""
    claims = verify(token(iat=None, jti=None))
    assert (claims.issued_at_s, claims.jwt_id) == (None, None)
    without_hash = json.dumps({"iss": "Upstash", "sub": URL, "exp": NOW_S + 300, "nbf": 0}).encode()
    assert refusal(spelled({"alg": "HS256"}, without_hash)).cause == "malformed"


@given(data=st.data())
def test_one_changed_character_is_enough(data: st.DataObject):
    """No character of a token can be changed without its being refused, the last one included."""
    made = token()
    place = data.draw(st.integers(0, len(made) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != made[place]))
    changed = made[:place] + other + made[place + 1 :]
    # Padding may be left out, but what stands for nothing else may not be padding.
    assert refusal(changed).cause in ("malformed", "algorithm", "key")


@given(junk=st.one_of(st.text(), st.binary(), st.lists(st.binary(), min_size=3, max_size=3).map(b".".join)))
def test_junk_is_refused_and_nothing_else_happens(junk: str | bytes):
    """Whatever stands in the header, the only exception is a refusal."""
    assert refusal(junk).cause in ("missing", "malformed", "algorithm", "key")


def test_claims_are_frozen():
    """What was verified cannot be changed afterwards."""
    with pytest.raises(AttributeError):
        verify(token()).url = "https://elsewhere.example"  # type: ignore[misc]


#: Values that a claim may have by mistake or by malice, beside the right one.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(),
    st.just("Upstash"),
    st.lists(st.integers(), max_size=2),
    st.integers(NOW_S - 400, NOW_S + 400),
)


@given(claims=st.dictionaries(st.sampled_from(["iss", "sub", "exp", "nbf", "iat", "jti", "body", "more"]), ODD))
def test_both_ways_to_read_the_claims_agree(claims: dict[str, Any]):
    """What is read at once says the same, or is refused for the same cause, as what is read field by field."""
    told = {"iss": "Upstash", "sub": URL, "exp": NOW_S + 300, "nbf": NOW_S, "iat": NOW_S, "body": body_hash(BODY)}
    made = spelled({"alg": "HS256", "typ": "JWT"}, json.dumps({**told, **claims}).encode())

    def outcome() -> Any:
        try:
            return verify(made)
        except SignatureRefused as refused:
            return refused.cause, str(refused)

    at_once = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(signing, "_claims", lambda part: signing._read(signing._json_object(part, "claims")))
        assert outcome() == at_once
