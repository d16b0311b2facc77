"""A verified consumer of QStash in any FastAPI app, under any prefix and behind a proxy.

::

    @app.post("/hook")
    async def hook(delivery: Annotated[Delivery, Depends(verified())]) -> None:
        print(delivery.message_id, delivery.json())

What was signed is the URL by which QStash knows the consumer. So PUBLIC_BASE_URL decides, never the request's Host. It
is what precedes the path that the app sees; a proxy that takes a prefix off is covered when the base URL ends with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from qsops import config, public_url
from qsops.clock import Clock, SystemClock
from qsops.config.vendor import REGION_HOSTS
from qsops.errors import SettingsError, SignatureRefused
from qsops.models import Headers, KeyPair
from qsops.signing import verify
from qsops.wire.delivery import DeliveryFacts, parse_raw_delivery_headers

try:
    from fastapi import HTTPException, Request
    from starlette.requests import ClientDisconnect
except ImportError as error:  # pragma: no cover
    raise ImportError("qsops.receive needs FastAPI: pip install 'qsops[service]'") from error
from qsops.wire.header_text import headers_from_wire

__all__ = [
    "BODY_LIMIT",
    "BODY_PATIENCE_S",
    "BodyCompressed",
    "BodyTooLarge",
    "Delivery",
    "Verifier",
    "read_body",
    "verified",
]

#: The largest message of any plan, in bytes.
BODY_LIMIT: Final = 50 * 1024 * 1024
#: For the whole of a body: QStash gives an attempt no longer on its smallest plan.
BODY_PATIENCE_S: Final = 30.0
#: How far the sender's clock and ours may differ.
CLOCK_TOLERANCE_S: Final = 5.0
COMPRESSED: Final = "Content-Encoding must be identity: what is signed are the bytes as they are sent"

#: As ASGI has them: bytes, the names in lower case.
RawHeaders = Sequence[tuple[bytes, bytes]]
#: From ``Upstash-Region``, such as ``EU-CENTRAL-1``, to the keys that sign there.
KeyChoice = Callable[[str | None], KeyPair]

_log = logging.getLogger("qsops.receive")


class BodyTooLarge(ValueError):
    """A body over the limit; the rest of it was not read."""


class BodyCompressed(ValueError):
    """A body that is not as it was signed; none of it was read."""


class Delivery(msgspec.Struct, frozen=True):
    """One delivery whose signature holds. ``message_id`` is the same for each attempt: use it as an idempotency key.

    ``retried`` is 0 at the first attempt. ``url`` is what was signed for. ``raw_headers`` are as the server had them.
    """

    message_id: str | None
    retried: int
    url: str
    body: bytes
    raw_headers: RawHeaders = ()
    schedule_id: str | None = None
    url_group: str | None = None
    caller_ip: str | None = None
    region: str | None = None

    def __repr__(self) -> str:
        """Without what a person wrote, and without the signature."""
        return f"Delivery(message_id={self.message_id!r}, retried={self.retried}, url={self.url!r})"

    @property
    def headers(self) -> Headers:
        """The headers as text, in their order."""
        return headers_from_wire(self.raw_headers)

    def json(self) -> Any:
        """The body as JSON. :raises ValueError: when it is none; answer 489, since no retry will mend it."""
        return json.loads(self.body)


class Verifier:
    """Checks deliveries against ``keys``; both are accepted while they rotate.

    ``keys`` may be a function of the header ``Upstash-Region``, for an endpoint that both regions call.
    """

    def __init__(self, keys: KeyPair | KeyChoice, *, clock: Clock, tolerance_s: float = CLOCK_TOLERANCE_S) -> None:
        self._keys_of = (lambda _: keys) if isinstance(keys, KeyPair) else keys
        self._clock = clock
        self._tolerance_s = tolerance_s

    def verify(self, raw_headers: RawHeaders, body: bytes, *urls: str) -> Delivery:
        """The delivery that arrived at one of ``urls``, all of them names of the same place.

        :raises SignatureRefused: naming the first check that failed.
        """
        facts = parse_raw_delivery_headers(raw_headers)
        if facts.several_signatures:
            raise SignatureRefused("malformed", "several Upstash-Signature headers: which one holds cannot be told")
        url = self._verified_url(facts, body, urls)
        return Delivery(
            facts.message_id,
            facts.retried,
            url,
            body,
            raw_headers,
            facts.schedule_id,
            facts.url_group,
            facts.caller_ip,
            facts.region,
        )

    def _verified_url(self, facts: DeliveryFacts, body: bytes, urls: Sequence[str]) -> str:
        now_s, keys = self._clock.now_ms() / 1000, self._keys_of(facts.region)
        for number, url in enumerate(urls, 1):
            try:
                verify(facts.signature, keys=keys, body=body, url=url, now_s=now_s, tolerance_s=self._tolerance_s)
                break
            except SignatureRefused as refused:
                if refused.cause != "url" or number == len(urls):
                    raise
        return url


def verified(
    *,
    current_key: str | None = None,
    next_key: str | None = None,
    base_url: str | None = None,
    clock: Clock | None = None,
    tolerance_s: float = CLOCK_TOLERANCE_S,
    body_limit: int = BODY_LIMIT,
    body_patience_s: float = BODY_PATIENCE_S,
) -> Callable[[Request], Awaitable[Delivery]]:
    """A FastAPI dependency: the :class:`Delivery`, or an answer of 401 to what is not signed as it should be.

    Before that 413 to a body of more than ``body_limit`` bytes, 408 to one that is not there within
    ``body_patience_s``, 415 to a compressed one.

    Keys and base URL come from the arguments, else from the settings (``QSTASH_CURRENT_SIGNING_KEY``,
    ``QSTASH_NEXT_SIGNING_KEY``, with ``QSTASH_REGION`` those of the region that ``Upstash-Region`` names,
    ``PUBLIC_BASE_URL``), read here and now: an app that is not set up does not start.

    :raises SettingsError: naming the setting that is missing.
    """
    keys, base = _keys_and_base(current_key, next_key, base_url)
    verifier = Verifier(keys, clock=clock or SystemClock(), tolerance_s=tolerance_s)

    async def delivery(request: Request) -> Delivery:
        body = await _body(request, body_limit, body_patience_s)
        try:
            return verifier.verify(request.headers.raw, body, *_urls(base, request))
        except SignatureRefused as refused:
            _log.warning("delivery refused: %s: %s", refused.cause, refused)
            raise HTTPException(401, f"signature refused: {refused.cause}") from refused

    return delivery


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body.

    :raises BodyTooLarge: as soon as it is known to be over ``limit`` bytes.
    :raises BodyCompressed: when it is.
    """
    if any(value.strip().lower() not in ("", "identity") for value in request.headers.getlist("content-encoding")):
        raise BodyCompressed(COMPRESSED)
    told = request.headers.get("content-length", "")
    body = bytearray()
    if told.isdecimal() and int(told) > limit:
        raise BodyTooLarge(f"the body is over {limit} bytes")
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"the body is over {limit} bytes")
    return bytes(body)


async def _body(request: Request, limit: int, patience_s: float) -> bytes:
    """The raw body, or the answer that turns it away; what was not read is no request that a connection could go on."""
    try:
        async with asyncio.timeout(patience_s):
            return await read_body(request, limit)
    except TimeoutError:
        status, detail = 408, f"the body did not come within {patience_s:g} s"
    except BodyTooLarge as error:
        status, detail = 413, str(error)
    except BodyCompressed as error:
        status, detail = 415, str(error)
    except ClientDisconnect:
        status, detail = 400, "the body broke off"
    raise HTTPException(status, detail, headers={"Connection": "close"})


def _keys_and_base(
    current_key: str | None, next_key: str | None, base_url: str | None
) -> tuple[KeyPair | KeyChoice, str]:
    if current_key is not None and base_url is not None:
        return KeyPair(current_key, next_key), base_url.rstrip("/")
    root = config.project_root()
    env = config.environment(root, os.environ)
    target = config.resolve("env", env, root)
    if base_url is None:
        base_url = public_url.resolve(env, port=None, engine_local=target.kind == "local", fetch=None).url
    if current_key is not None:
        return KeyPair(current_key, next_key), base_url
    plain = config.signing_keys(env) or target.need("keys", verb="verified()")
    regional = {region: config.signing_keys(env, region) or plain for region in REGION_HOSTS.values()}
    pairs = (plain, *regional.values())
    is_public = any(config.is_dev_key(key) for pair in pairs for key in (pair.current, pair.next))
    if is_public and not config.is_loopback(urlsplit(base_url).hostname):
        raise SettingsError(
            "QSTASH_CURRENT_SIGNING_KEY is one of the vendor's public development keys, "
            f"and {base_url} is not loopback: anybody could sign; use your account's keys"
        )
    return lambda region: regional.get((region or "").upper().replace("-", "_"), plain), base_url.rstrip("/")


def _urls(base: str, request: Request) -> list[str]:
    """The URLs that a delivery to this request may have been signed for."""
    raw_path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    query = request.scope.get("query_string", b"")
    urls = [public_url.of_request(base, raw_path, query)]
    prefix = urlsplit(base).path
    if prefix and raw_path.startswith(f"{prefix}/".encode()):
        # The base URL ends with the prefix that the app itself is mounted at, or that a proxy leaves on.
        urls.append(public_url.of_request(base.removesuffix(prefix), raw_path, query))
    return urls
