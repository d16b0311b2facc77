"""A receiver that answers by a script, and tells of each request what came and whether its signature holds."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from qsops import signing
from qsops.clock import Clock
from qsops.engine.deliveries.scripted import Answer
from qsops.errors import SignatureRefused
from qsops.models import Headers, KeyPair
from qsops.public_url import of_request
from qsops.stack.ports import require_free
from qsops.wire.delivery import DeliveryFacts, parse_delivery_headers
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import header

__all__ = ["Arrival", "Receiver", "run_receiver", "verdict"]

#: What the engine takes as one message.
BODY_LIMIT = 10 * 1024 * 1024
_TOO_LARGE = 413


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came, the verdict on its signature, and what it was answered (a status, drop or hang)."""

    at_ms: int
    method: str
    url: str
    facts: DeliveryFacts
    headers: Headers
    body: bytes
    verdict: str
    answer: str


def verdict(
    token: str | None, keys: KeyPair | None, body: bytes, url: str, now_s: float, tolerance_s: float = 0
) -> str:
    """In one line, whether the signature holds, or which check failed."""
    if keys is None:
        return "signature not checked: the target has no signing keys"
    try:
        signing.verify(token, keys=keys, body=body, url=url, now_s=now_s, tolerance_s=tolerance_s)
    except SignatureRefused as refusal:
        return f"signature refused ({refusal.cause}): {refusal}"
    return "signature ok"


class Receiver:
    """Gives ``answers`` in turn, the last one for ever; ``tell`` hears of each request before it is answered.

    The URL that must have been signed is ``public_url``, or what the Host header says, with the path as it came.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        *,
        keys: KeyPair | None,
        clock: Clock,
        tell: Callable[[Arrival], None],
        public_url: str | None = None,
    ) -> None:
        self._answers = answers
        self._keys = keys
        self._clock = clock
        self._tell = tell
        self._public_url = public_url
        self._served = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one request, tell of it, and answer it by the script."""
        headers = headers_from_wire(request.raw_headers)
        body = await _whole_body(request)
        answer = self._next() if body is not None else Answer(_TOO_LARGE)
        self._tell(self._arrival(request, headers, body or b"", answer))
        await asyncio.sleep(answer.after_ms / 1000)
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.fault == "drop" and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status or 500, headers=list(answer.headers), body=answer.body)

    def _next(self) -> Answer:
        answer = self._answers[min(self._served, len(self._answers) - 1)]
        self._served += 1
        return answer

    def _arrival(self, request: web.BaseRequest, headers: Headers, body: bytes, answer: Answer) -> Arrival:
        base = self._public_url or f"http://{header(headers, 'Host') or 'unknown'}"
        path, _, query = request.raw_path.encode("latin-1").partition(b"?")
        url = of_request(base, path, query)
        facts = parse_delivery_headers(headers)
        now_ms = self._clock.now_ms()
        holds = verdict(facts.signature, self._keys, body, url, now_ms / 1000)
        return Arrival(now_ms, request.method, url, facts, headers, body, holds, answer.fault or str(answer.status))


def run_receiver(receiver: Receiver, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve ``receiver`` until SIGINT or SIGTERM; ``on_ready`` gets the URL. Port 0 takes a free one.

    :raises SettingsError: the port is taken.
    """
    require_free(port, name="receiver", option="--port", host=host)
    asyncio.run(_serve(receiver, host, port, on_ready))


async def _serve(receiver: Receiver, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    runner = web.ServerRunner(web.Server(receiver.handle, access_log=None), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = int(runner.addresses[0][1])
        on_ready(f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}")
        await stopped.wait()
    finally:
        await runner.cleanup()


async def _whole_body(request: web.BaseRequest) -> bytes | None:
    """The body, or None when it is larger than any message: the rest is not read."""
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)
