import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request

from qsops import signing
from qsops.clock import ManualClock
from qsops.config import DEV_USERS
from qsops.errors import SettingsError
from qsops.models import KeyPair
from qsops.receive import Delivery, verified

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_app.py"
KEYS = KeyPair("sig_current", "sig_next")
CLOCK = ManualClock()


def make_app(base_url: str | None = "https://hooks.example.com", **options: Any) -> FastAPI:
    app = FastAPI()
    own: dict[str, Any] = {"current_key": KEYS.current, "next_key": KEYS.next, "body_limit": 1000}
    dependency = verified(base_url=base_url, clock=CLOCK, **{**own, **options})

    @app.post("/hook/{rest:path}")
    async def hook(delivery: Annotated[Delivery, Depends(dependency)]) -> dict[str, Any]:
        return {
            "message_id": delivery.message_id,
            "retried": delivery.retried,
            "url": delivery.url,
            "json": delivery.json(),
        }

    return app


async def deliver(
    app: Any,
    url: str,
    signed_for: str | None = None,
    body: bytes = b'{"a":"\xc3\xa4"}',
    key: str = KEYS.current,
    **headers: str,
) -> httpx.Response:
    token = signing.sign(key, url=signed_for or url, body=body, now_s=CLOCK.now_ms() // 1000, jti="jwt_1")
    sent = {"Upstash-Signature": token, "Upstash-Message-Id": "msg_1", "Upstash-Retried": "2", **headers}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        return await http.post(url, content=body, headers=sent)


async def test_a_delivery_is_verified_and_read():
    """The dependency gives the delivery with what QStash says of it."""
    answer = await deliver(make_app(), "https://hooks.example.com/hook/a")
    assert answer.json() == {
        "message_id": "msg_1",
        "retried": 2,
        "url": "https://hooks.example.com/hook/a",
        "json": {"a": "ä"},
    }


@pytest.mark.parametrize("key", [KEYS.current, KEYS.next])
async def test_both_keys_are_good(key: str):
    """While keys rotate, either may have signed."""
    assert (await deliver(make_app(), "https://hooks.example.com/hook/a", key=key)).status_code == 200


async def test_the_public_url_decides_not_the_host():
    """Behind a proxy the request's own URL is another: what was signed is the public one."""
    seen, public = "http://10.0.0.7:8000/hook/a", "https://hooks.example.com/hook/a"
    assert (await deliver(make_app(), seen, public)).status_code == 200
    assert (await deliver(make_app(), seen, public, Host="hooks.example.com")).status_code == 200
    refused = await deliver(make_app(), seen, seen)
    assert (refused.status_code, refused.json()["detail"]) == (401, "signature refused: url")


async def test_it_works_under_a_mount():
    """A sub-application under a prefix is called by its whole path."""
    outer = FastAPI()
    outer.mount("/deep/er", make_app())
    url = "https://hooks.example.com/deep/er/hook/a"
    assert (await deliver(outer, url)).json()["url"] == url


@pytest.mark.parametrize("seen", ["http://10.0.0.7/hook/a", "http://10.0.0.7/api/hook/a"])
async def test_a_base_url_with_a_path(seen: str):
    """A proxy may take the prefix of the public URL off, or leave it on."""
    outer = FastAPI()
    app = make_app("https://example.com/api")
    outer.mount("/api", app)
    inside = outer if "/api/" in seen else app
    assert (await deliver(inside, seen, "https://example.com/api/hook/a")).status_code == 200
    assert (await deliver(inside, seen, "https://example.com/hook/a")).status_code == 401


@pytest.mark.parametrize("path", ["/hook/a?tenant=7&x=%20", "/hook/%7Euser/%C3%A4", "/hook/a%2Fb"])
async def test_path_and_query_are_taken_as_they_came(path: str):
    """What is signed is the URL as it is spelled on the wire, escapes and query and all."""
    assert (await deliver(make_app(), "https://hooks.example.com" + path)).status_code == 200


@pytest.mark.parametrize(
    ("cause", "options"),
    [
        ("missing", {"Upstash-Signature": ""}),
        ("malformed", {"Upstash-Signature": "x"}),
        ("key", {"key": "sig_wrong"}),
        ("url", {"signed_for": "https://hooks.example.com/hook/b"}),
    ],
)
async def test_a_refused_signature_is_401_with_its_cause(cause: str, options: dict[str, str]):
    """QStash retries a 401, so a wrong key of ours costs no message."""
    answer = await deliver(make_app(), "https://hooks.example.com/hook/a", **options)
    assert (answer.status_code, answer.json()["detail"]) == (401, f"signature refused: {cause}")


async def test_a_body_over_the_limit_is_413():
    """The limit holds while reading, before the signature is looked at."""
    answer = await deliver(make_app(body_limit=5), "https://hooks.example.com/hook/a")
    assert answer.status_code == 413


async def refusal_of(receive: Callable[[], Awaitable[dict[str, Any]]], **options: Any) -> HTTPException:
    """What the dependency raises for a body that comes as ``receive`` has it."""
    with pytest.raises(HTTPException) as caught:
        await verified(current_key=KEYS.current, base_url="https://x.example", clock=CLOCK, **options)(
            Request({"type": "http", "method": "POST", "path": "/hook", "headers": []}, receive)
        )
    return caught.value


async def test_an_upload_that_breaks_off_is_400():
    """Connections end whenever they like: no traceback in the log of whose app it is."""
    parts = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    assert (await refusal_of(receive)).status_code == 400


async def test_a_body_that_does_not_come_is_408():
    """Who sends a byte now and then holds a connection for a bounded time, as at the service."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    refused = await refusal_of(receive, body_patience_s=0.001)
    assert (refused.status_code, refused.detail) == (408, "the body did not come within 0.001 s")
    assert refused.headers == {"Connection": "close"}


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity, br", 415), ("identity", 200), ("", 200)])
async def test_a_compressed_body_is_415(encoding: str, status: int):
    """What was signed are the bytes as they are sent: nothing is unpacked before it is verified, as at the service."""
    answer = await deliver(make_app(), "https://hooks.example.com/hook/a", **{"Content-Encoding": encoding})
    assert answer.status_code == status


def test_keys_and_url_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    """Without arguments the plain variables decide, and what is missing is named at once."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    with pytest.raises(SettingsError, match="QSTASH_CURRENT_SIGNING_KEY"):
        verified()
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_current")
    verified()
    monkeypatch.delenv("PUBLIC_BASE_URL")
    with pytest.raises(SettingsError, match="PUBLIC_BASE_URL"):
        verified()


async def test_the_keys_are_those_of_the_region_that_a_delivery_names(monkeypatch: pytest.MonkeyPatch):
    """One endpoint may be called from both regions: each signs with its own keys, all else with the plain ones."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    monkeypatch.setenv("QSTASH_REGION", "EU_CENTRAL_1")
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_plain")
    monkeypatch.setenv("EU_CENTRAL_1_QSTASH_CURRENT_SIGNING_KEY", "sig_eu")
    monkeypatch.setenv("US_EAST_1_QSTASH_CURRENT_SIGNING_KEY", "sig_us")
    app = make_app(current_key=None, next_key=None, base_url=None)
    told = {"EU-CENTRAL-1": "sig_eu", "US-EAST-1": "sig_us", "AP-SOUTH-1": "sig_plain", "": "sig_plain"}
    for region, own in told.items():
        for key in ("sig_eu", "sig_us", "sig_plain"):
            headers = {"Upstash-Region": region} if region else {}
            answer = await deliver(app, "https://hooks.example.com/hook/a", key=key, **headers)
            assert answer.status_code == (200 if key == own else 401), (region, key)


async def test_without_a_region_there_is_one_pair_of_keys(monkeypatch: pytest.MonkeyPatch):
    """Regional names count once QSTASH_REGION is set: until then they may be anybody's."""
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_plain")
    monkeypatch.setenv("EU_CENTRAL_1_QSTASH_CURRENT_SIGNING_KEY", "sig_eu")
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    app = make_app(current_key=None, next_key=None, base_url=None)
    url = "https://hooks.example.com/hook/a"
    answers = [
        await deliver(app, url, key=key, **{"Upstash-Region": "EU-CENTRAL-1"}) for key in ("sig_plain", "sig_eu")
    ]
    assert [answer.status_code for answer in answers] == [200, 401]


def test_public_keys_of_the_environment_stay_on_loopback(monkeypatch: pytest.MonkeyPatch):
    """With the vendor's development keys anybody can sign."""
    monkeypatch.setenv("QSTASH_DEV", "true")
    monkeypatch.setenv("PUBLIC_BASE_URL", "http://127.0.0.1:8000")
    verified()
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    with pytest.raises(SettingsError, match="development keys"):
        verified()


def test_public_keys_of_a_region_stay_on_loopback_too(monkeypatch: pytest.MonkeyPatch):
    """Whoever signs as a region would be let in as surely."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    monkeypatch.setenv("QSTASH_REGION", "EU_CENTRAL_1")
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_plain")
    monkeypatch.setenv("US_EAST_1_QSTASH_CURRENT_SIGNING_KEY", DEV_USERS[0].keys.current)
    with pytest.raises(SettingsError, match="development keys"):
        verified()


def load_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("own_app", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_app"] = module
    spec.loader.exec_module(module)
    return module


async def test_the_example_is_short_and_works(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """A verified consumer of one's own takes at most 25 lines, and answers 489 to what is no JSON."""
    assert len(EXAMPLE.read_text().splitlines()) <= 25
    for name, value in (("CURRENT", KEYS.current), ("NEXT", KEYS.next or "")):
        monkeypatch.setenv(f"QSTASH_{name}_SIGNING_KEY", value)
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://hooks.example.com")
    monkeypatch.setattr("qsops.receive.SystemClock", lambda: CLOCK)
    app = load_example().app
    with caplog.at_level("INFO"):
        assert (await deliver(app, "https://hooks.example.com/hook", body=b'{"order": 7}')).status_code == 200
    assert "attempt 3 of msg_1: 1 fields" in caplog.text
    broken = await deliver(app, "https://hooks.example.com/hook", body=b"{")
    assert (broken.status_code, broken.headers["upstash-nonretryable-error"]) == (489, "true")
    assert (await deliver(app, "https://hooks.example.com/hook", key=DEV_USERS[0].keys.current)).status_code == 401
