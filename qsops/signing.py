"""The signature on every delivery: a JWT (HS256) over the destination's URL and the hash of the body.

Source: the vendor's page on signatures and both SDKs' receivers. By hand instead of with a JWT library, because it
stands on the hot path of both ends, and because a refusal has to say which check failed. Claims as QStash writes them
are read by msgspec; those that it does not take are read again field by field, which decides, and says what is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from qsops.errors import SettingsError, SignatureRefused
from qsops.models import KeyPair

__all__ = ["ISSUER", "LIFETIME_S", "Claims", "hmac_sha256", "sign", "verify"]

ISSUER: Final = "Upstash"
LIFETIME_S: Final = 300

# Far above any real token (the longest part is a URL), far below what it costs to parse.
_MAX_TOKEN_BYTES: Final = 16_384
_MAX_SHOWN: Final = 60
_MAC_CHARACTERS: Final = 43
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_MAX_TIME_S: Final = 1 << 53
# Made once: json.dumps with separators builds an encoder for each call.
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode
_of_json: Final = json.JSONDecoder().decode
_HEADER: Final = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


_Time = (
    Annotated[int, msgspec.Meta(gt=-_MAX_TIME_S, lt=_MAX_TIME_S)]
    | Annotated[float, msgspec.Meta(gt=-_MAX_TIME_S, lt=_MAX_TIME_S)]
)


class Claims(msgspec.Struct, frozen=True):
    """What a verified signature says. Times are unix seconds; ``url`` is the destination that was signed for."""

    url: str
    expires_at_s: float
    not_before_s: float
    issued_at_s: float | None = None
    jwt_id: str | None = None


class _Told(msgspec.Struct, frozen=True):
    """The claims as they are spelled. None stands for one that is missing; one that is null is malformed."""

    sub: str
    exp: _Time
    nbf: _Time
    body: str
    iss: Any = None
    iat: _Time = None  # type: ignore[assignment]
    jti: str = None  # type: ignore[assignment]


_told_of: Final = msgspec.json.Decoder(_Told).decode


def sign(key: str, *, url: str, body: bytes, now_s: int, jti: str, lifetime_s: int = LIFETIME_S) -> str:
    """The token for one delivery of ``body`` to ``url``, which must be spelled as it will be called.

    ``nbf`` is 0, as the service has it since September 2024, so that a receiver whose clock is slow accepts.

    :raises SettingsError: if ``key`` is empty.
    """
    claims = (
        f'{{"iss":"{ISSUER}","sub":{_quoted(url)},"exp":{now_s + lifetime_s},"nbf":0,"iat":{now_s},'
        f'"jti":{_to_json(jti)},"body":"{_body_hash(body).decode()}"}}'
    )
    signed = _HEADER + b"." + _encode(claims.encode())
    return (signed + b"." + _mac(key, signed)).decode()


def verify(
    token: str | bytes | None,
    *,
    keys: KeyPair,
    body: bytes,
    url: str | None,
    now_s: float,
    tolerance_s: float = 0,
) -> Claims:
    """The claims of ``token``, if it was signed with either key for ``url`` and ``body`` and its time has come.

    ``body`` is the raw body, before any decoding. ``url`` None leaves the URL unchecked. ``tolerance_s`` widens both
    ends of the time window. Claims are read only once the signature holds.

    :raises SignatureRefused: with the first check that failed as its ``cause``.
    :raises SettingsError: if the current key is empty, with which anybody could sign.
    """
    signed, mac = _parts(token)
    _check_key(keys, signed, mac)
    told = _claims(signed.partition(b".")[2])
    if told.iss != ISSUER:
        raise SignatureRefused("issuer", f"issued by {_shown(told.iss)}, not by {ISSUER!r}")
    if now_s - tolerance_s >= told.exp:
        raise SignatureRefused("expired", f"expired {_span(now_s - told.exp)} ago")
    if now_s + tolerance_s < told.nbf:
        raise SignatureRefused("not_yet_valid", f"not valid for another {_span(told.nbf - now_s)}")
    if url is not None and url != told.sub:
        raise SignatureRefused("url", f"signed for URL {told.sub}, this is {url}")
    if not hmac.compare_digest(_claimed_hash(told), _body_hash(body)):
        raise SignatureRefused(
            "body", f"the body ({len(body)} bytes) is not the one that was signed: check the raw bytes"
        )
    return Claims(told.sub, told.exp, told.nbf, told.iat, told.jti)


def _parts(token: str | bytes | None) -> tuple[bytes, bytes]:
    """What was signed, and the signature, of a token whose form and algorithm are right."""
    if not token:
        raise SignatureRefused("missing", "no signature: the Upstash-Signature header is missing or empty")
    try:
        raw = token if isinstance(token, bytes) else token.encode("ascii")
    except UnicodeEncodeError as error:
        raise SignatureRefused("malformed", "the signature holds characters that no JWT has") from error
    if len(raw) > _MAX_TOKEN_BYTES:
        raise SignatureRefused("malformed", f"the signature has {len(raw)} bytes; at most {_MAX_TOKEN_BYTES} are read")
    if raw.count(b".") != 2:
        raise SignatureRefused("malformed", f"a JWT has 3 parts, this has {raw.count(b'.') + 1}: was it cut off?")
    signed, _, mac = raw.rpartition(b".")
    head = signed.partition(b".")[0]
    if head != _HEADER:
        _check_algorithm(_json_object(head, "header"))
    mac = mac.rstrip(b"=")
    if len(mac) != _MAC_CHARACTERS:
        detail = f"the JWT's signature has {len(mac)} of {_MAC_CHARACTERS} characters: was it cut off?"
        raise SignatureRefused("malformed", detail)
    return signed, mac


def _check_algorithm(head: dict[str, Any]) -> None:
    if head.get("alg") != "HS256":
        raise SignatureRefused("algorithm", f"signed with {_shown(head.get('alg'))}; only HS256 is accepted")
    if "crit" in head:
        # RFC 7515, 4.1.11: whoever does not know an extension that is marked critical must refuse.
        raise SignatureRefused("algorithm", f"asks for extensions that are not known here: {_shown(head['crit'])}")


def _check_key(keys: KeyPair, signed: bytes, mac: bytes) -> None:
    # The text of the signature is compared, not its bytes: base64 has several spellings of the same bytes.
    if hmac.compare_digest(_mac(keys.current, signed), mac):
        return
    if not keys.next:
        raise SignatureRefused("key", "key: not the current one, and no next key is set")
    if not hmac.compare_digest(_mac(keys.next, signed), mac):
        raise SignatureRefused("key", "key: neither current nor next; were they rotated, or is it another region's?")


def _claims(part: bytes) -> _Told:
    try:
        return _told_of(urlsafe_b64decode(part + b"=="))
    except (ValueError, RecursionError):
        return _read(_json_object(part, "claims"))


def _read(told: dict[str, Any]) -> _Told:
    return _Told(
        sub=_text(told, "sub"),
        exp=_time(told, "exp"),
        nbf=_time(told, "nbf"),
        iat=_time(told, "iat") if "iat" in told else None,  # type: ignore[arg-type]
        jti=_text(told, "jti") if "jti" in told else None,  # type: ignore[arg-type]
        body=_text(told, "body"),
        iss=told.get("iss"),
    )


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise SignatureRefused("malformed", f"the claim {name!r} is missing or no text")
    return value


def _time(told: dict[str, Any], name: str) -> Any:
    value = told.get(name)
    # Written so that NaN and infinity, which JSON parsers let through, fail; and True, which is an int to Python.
    if isinstance(value, bool) or not (isinstance(value, int | float) and -_MAX_TIME_S < value < _MAX_TIME_S):
        raise SignatureRefused("malformed", f"the claim {name!r} is missing or no time")
    return value


def _claimed_hash(told: _Told) -> bytes:
    return told.body.rstrip("=").encode("utf-8", "surrogatepass")


def _json_object(part: bytes, what: str) -> dict[str, Any]:
    try:
        value = _of_json(urlsafe_b64decode(part + b"==").decode())
    except (ValueError, RecursionError) as error:
        raise SignatureRefused("malformed", f"the JWT's {what} cannot be read: was it cut off?") from error
    if not isinstance(value, dict):
        raise SignatureRefused("malformed", f"the JWT's {what} is no object")
    return value


def hmac_sha256(key: str, data: bytes) -> bytes:
    """The HMAC of ``data``; what ``key`` makes of it is remembered."""
    keyed = _keyed(key)
    inner, outer = keyed[0].copy(), keyed[1].copy()
    inner.update(data)
    outer.update(inner.digest())
    return outer.digest()


def _mac(key: str, signed: bytes) -> bytes:
    if not key:
        raise SettingsError("a signing key is empty: set QSTASH_CURRENT_SIGNING_KEY")
    return _encode(hmac_sha256(key, signed))


@lru_cache(maxsize=64)
def _keyed(key: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The two hashes of HMAC (RFC 2104) once they have taken in the key: each signature goes on with copies of them.

    ``hmac.digest`` takes the key in anew each time, and gives up the interpreter's lock while it does.
    """
    raw = key.encode()
    padded = (hashlib.sha256(raw).digest() if len(raw) > _BLOCK_BYTES else raw).ljust(_BLOCK_BYTES, b"\0")
    return hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))


@lru_cache(maxsize=1_024)
def _quoted(url: str) -> str:
    """As JSON; most deliveries go to few URLs."""
    return _to_json(url)


def _body_hash(body: bytes) -> bytes:
    return _encode(hashlib.sha256(body).digest())


def _encode(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _shown(value: object) -> str:
    # A stranger may have written it, and it ends up in our logs.
    return repr(value)[:_MAX_SHOWN]


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s"
