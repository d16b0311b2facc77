import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from qsops import signing
from service.callbacks import CALLBACK_PATH
from service.envelope import encode as encode_envelope
from service.internal import INGEST_PATH, RELAY_PATH
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.rehearsal import APP_SECRET
from service.samples import encode, sample, signed_headers
from service.webhook import WEBHOOK_PATH
from tests.service.attack.bodies import AT_MS
from tests.service.rig import BASE, KEYS, Rig

SIGNED = (CONSUMER_PATH, CALLBACK_PATH, FAILURE_PATH)
POST = encode(sample("message", mid="mid-1", at_ms=AT_MS))
#: What only a wrong one of our own could have signed. Long enough for every algorithm that PyJWT has.
STRANGER = "sig_" + "x" * 64

Claims = dict[str, Any]
Forge = Callable[[Claims], str]


def headed(**head: Any) -> Forge:
    """A token whose signature holds over another header."""

    def forge(claims: Claims) -> str:
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "HS256", "typ": "JWT", **head}, claims)
        ]
        return (b".".join(parts) + b"." + signing._mac(KEYS.current, b".".join(parts))).decode()

    return forge


def ours(claims: Claims) -> str:
    return headed()(claims)


def shifted(**seconds: int) -> Forge:
    """A token of another time, in seconds from now."""
    return lambda claims: ours({**claims, **{name: claims["iat"] + by for name, by in seconds.items()}})


def with_url(change: Callable[[str], str]) -> Forge:
    return lambda claims: ours({**claims, "sub": change(claims["sub"])})


FORGED: dict[str, tuple[str, Forge]] = {
    "another key": ("key", lambda claims: jwt.encode(claims, STRANGER, "HS256")),
    "expired": ("expired", shifted(exp=-6)),
    "from the future": ("not_yet_valid", shifted(nbf=6, exp=600)),
    "cut in the signature": ("malformed", lambda claims: ours(claims)[:-5]),
    "cut in the claims": ("malformed", lambda claims: ours(claims)[:60]),
    "without its signature": ("malformed", lambda claims: ours(claims).rpartition(".")[0] + "."),
    "alg none": ("algorithm", lambda claims: jwt.encode(claims, None, "none")),
    "alg none, signed": ("algorithm", headed(alg="none")),
    "alg in small letters": ("algorithm", headed(alg="hs256")),
    "alg RS256 over our key": ("algorithm", headed(alg="RS256")),
    "alg HS512": ("algorithm", lambda claims: jwt.encode(claims, STRANGER, "HS512")),
    "alg as a list": ("algorithm", headed(alg=["HS256"])),
    "a critical extension": ("algorithm", headed(crit=["b64"], b64=False)),
    "another issuer": ("issuer", lambda claims: ours({**claims, "iss": "upstash"})),
    "another path": ("url", with_url(lambda url: url + "/x")),
    "another host": ("url", with_url(lambda url: url.replace("service.example", "evil.example"))),
    "another scheme": ("url", with_url(lambda url: url.replace("https:", "http:"))),
    "with a query": ("url", with_url(lambda url: url + "?a=1")),
    "another body": ("body", lambda claims: ours({**claims, "body": "A" * 43})),
    "no body claim": ("malformed", lambda claims: ours({k: v for k, v in claims.items() if k != "body"})),
    "no expiry": ("malformed", lambda claims: ours({k: v for k, v in claims.items() if k != "exp"})),
    "an expiry as text": ("malformed", lambda claims: ours({**claims, "exp": str(claims["exp"])})),
    "an endless expiry": ("malformed", lambda claims: ours({**claims, "exp": float("inf")})),
    "an expiry of true": ("malformed", lambda claims: ours({**claims, "exp": True})),
    "claims as a list": ("malformed", lambda claims: headed()([claims])),  # type: ignore[arg-type]
    "empty": ("missing", lambda _: ""),
    "bytes of no encoding": ("malformed", lambda _: "\xff\xfe.\x80.\xc3"),
    "a megabyte": ("malformed", lambda claims: ours({**claims, "jti": "x" * 1_000_000})),
}


async def snapshot(rig: Rig) -> dict[str, int]:
    """How many rows each table has."""
    tables = await rig.rows("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    return {table["name"]: await rig.count(table["name"]) for table in tables}


def body_for(path: str, rig: Rig) -> bytes:
    """What would take effect at ``path``, were it let in."""
    if path == CONSUMER_PATH:
        return encode_envelope(rig.event())
    report = {"sourceMessageId": "msg_1", "status": 500, "url": BASE + CONSUMER_PATH, "sourceBody": "", "retried": 5}
    return json.dumps(report).encode()


def claims_for(path: str, body: bytes, rig: Rig) -> Claims:
    now_s = rig.clock.now_ms() // 1000
    token = signing.sign(KEYS.current, url=BASE + path, body=body, now_s=now_s, jti="jwt_1")
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


async def knock(rig: Rig, path: str, token: str) -> tuple[int, Any]:
    headers = {b"Upstash-Signature": token.encode("latin-1"), b"Upstash-Message-Id": b"msg_1"}
    answer = await rig.http.post(path, content=body_for(path, rig), headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("path", SIGNED)
@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_delivery_leaves_no_trace(rig: Rig, name: str, path: str):
    """Each forgery is 401 with its cause, at each door of QStash's; the database holds what it held before."""
    cause, forge = FORGED[name]
    before = await snapshot(rig)
    token = forge(claims_for(path, body_for(path, rig), rig))
    assert await knock(rig, path, token) == (401, {"error": f"signature refused: {cause}"})
    assert await snapshot(rig) == before
    assert rig.qstash.requests == []
    assert rig.service.tally.counts(path) == {cause: 1}


@pytest.mark.parametrize("path", SIGNED)
async def test_the_token_that_the_forgeries_are_made_from_is_good(rig: Rig, path: str):
    """Without its change a forgery would be let in: what is refused is refused for what was changed."""
    status, _ = await knock(rig, path, ours(claims_for(path, body_for(path, rig), rig)))
    assert status == 200


@pytest.mark.parametrize("path", SIGNED)
async def test_two_signatures_are_none(rig: Rig, path: str):
    """Of two signature headers, the right one among them, nobody can say which one holds."""
    body = body_for(path, rig)
    good = ours(claims_for(path, body, rig))
    for pair in ((good, good), (good, "x"), ("x", good)):
        headers = [("Upstash-Signature", token) for token in pair]
        answer = await rig.http.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "signature refused: malformed"})


@pytest.mark.parametrize("path", SIGNED)
async def test_a_token_of_one_door_opens_no_other(rig: Rig, path: str):
    """A signature is for one URL: a recorded delivery cannot be replayed as a callback, nor the other way round."""
    for other in SIGNED:
        if other != path:
            body = body_for(path, rig)
            headers = {"Upstash-Signature": ours(claims_for(other, body, rig))}
            answer = await rig.http.post(path, content=body, headers=headers)
            assert (answer.status_code, answer.json()) == (401, {"error": "signature refused: url"})


async def test_a_recorded_delivery_changes_nothing_when_it_is_sent_again(rig: Rig):
    """A replay within the token's five minutes is let in, and refused by the claim; later it has expired."""
    body = body_for(CONSUMER_PATH, rig)
    token = ours(claims_for(CONSUMER_PATH, body, rig))
    assert await knock(rig, CONSUMER_PATH, token) == (200, {"status": "processed"})
    before = await snapshot(rig)
    assert await knock(rig, CONSUMER_PATH, token) == (200, {"status": "duplicate"})
    rig.clock.advance(306_000)
    assert await knock(rig, CONSUMER_PATH, token) == (401, {"error": "signature refused: expired"})
    assert await snapshot(rig) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": signed_headers(STRANGER, POST)["X-Hub-Signature-256"]},
        {"X-Hub-Signature-256": signed_headers(APP_SECRET, POST + b" ")["X-Hub-Signature-256"]},
        {"X-Hub-Signature": signed_headers(APP_SECRET, POST)["X-Hub-Signature-256"]},
        {"Authorization": f"Bearer {APP_SECRET}"},
    ],
    ids=["none", "empty", "no digest", "another secret", "another body", "the old header", "a bearer"],
)
async def test_a_forged_post_leaves_no_trace(rig: Rig, headers: dict[str, str]):
    """What Meta did not sign is 403: nothing stored, nothing published, and one count."""
    before = await snapshot(rig)
    assert (await rig.http.post(WEBHOOK_PATH, content=POST, headers=headers)).status_code == 403
    assert (await snapshot(rig), rig.qstash.requests) == (before, [])
    assert rig.service.tally.counts(WEBHOOK_PATH) == {"signature": 1}


@pytest.mark.parametrize("path", [INGEST_PATH, RELAY_PATH])
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "bearer rehearsal-internal-token", "Basic cTpx", "\xff"]
)
async def test_a_stranger_at_the_internal_routes_leaves_no_trace(rig: Rig, path: str, header: str | None):
    """Without exactly our bearer token the internal routes are 401, whatever lies in the body."""
    before = await snapshot(rig)
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = await rig.http.post(path, content=POST, headers=headers)
    assert answer.status_code == 401
    assert (await snapshot(rig), rig.qstash.requests) == (before, [])


async def test_a_thousand_forgeries_cost_no_memory_to_speak_of(rig: Rig):
    """A stranger cannot fill us up: refusals are counted, the last few kept, and nothing is written."""
    before = await snapshot(rig)
    for number in range(1_000):
        await rig.http.post(CONSUMER_PATH, content=b"x", headers={"Upstash-Signature": f"a.{number}.b"})
    assert len(rig.service.tally.refusals()) == 100
    assert rig.service.tally.counts(CONSUMER_PATH) == {"malformed": 1_000}
    assert await snapshot(rig) == before
