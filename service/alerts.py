"""Alerts: one post when messages begin to fail for a cause, one when that has passed. Slack's form, and anybody's.

What is to be told stands in the store, so it survives restarts, and of several processes one tells it. A post is tried
a few times, and again minutes later: it is told at least once, twice if a process dies right after it.
Refused signatures alert nobody: anyone can send forgeries, and must not be able to ring our bell; ``/metrics`` has
them by cause.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

import httpx

from qsops.clock import Clock, Ids, utc
from qsops.errors import QsopsError
from service import log
from service.envelope import iso
from service.store import FailureGroup, Store
from service.tally import ALERTS, Tally

__all__ = ["Alerts", "HttpPoster", "Poster", "text_of"]

#: A failure is told of this much later, so that the first post has the number of those that came with it.
GATHER_S: Final = 5.0
#: Whether something has passed, or was not told, is looked at so often.
ROUND_S: Final = 60.0
#: Groups told of in one round; the rest is for the next.
GROUPS: Final = 5
ATTEMPTS: Final = 4
FIRST_WAIT_S: Final = 1.0
POST_TIMEOUT_S: Final = 5.0
#: For so long nobody else tells of the groups of a round: longer than all its posts can take. One that was not taken is
#: tried again when it is over.
LEASE_MS: Final = 180_000


class Poster(Protocol):
    """Who posts an alert."""

    async def post(self, text: str) -> str | None:
        """Post ``text`` once; why it was not taken, None if it was. Never names the address, which is a secret."""
        ...


class HttpPoster:
    """Posts to ``url`` as Slack's incoming webhooks want it: ``{"text": …}``."""

    def __init__(self, url: str) -> None:
        self._url = url
        # At INFO it writes the URL of each request, which is the secret of this one.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    async def post(self, text: str) -> str | None:
        try:
            async with httpx.AsyncClient(timeout=POST_TIMEOUT_S) as http:
                answer = await http.post(self._url, json={"text": text})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return None if answer.is_success else f"answered {answer.status_code}"


class Alerts:
    """Tells of groups of failures; ``passed_after_s`` without one, and a success, is a recovery."""

    def __init__(self, store: Store, poster: Poster, clock: Clock, ids: Ids, tally: Tally, passed_after_s: int) -> None:
        self._store = store
        self._poster = poster
        self._clock = clock
        self._ids = ids
        self._tally = tally
        self._passed_after_ms = passed_after_s * 1000
        self._failed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._telling = asyncio.Lock()

    def start(self) -> None:
        """Tell from now on, what an earlier process has left among it."""
        self._failed.set()
        self._running = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Something failed. Costs its caller nothing."""
        self._failed.set()

    async def aclose(self) -> None:
        """Stop; what was not told stays in the store."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def round(self) -> int:
        """Tell what is to be told now; how much was. Does nothing while another round runs."""
        if self._telling.locked():
            return 0
        async with self._telling:
            now_ms = self._clock.now_ms()
            groups = await self._store.untold(now_ms, now_ms + LEASE_MS, now_ms - self._passed_after_ms, GROUPS)
            return sum([await self._tell(group) for group in groups])

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._failed.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass  # Nothing failed: it is time to see what has passed.
            self._failed.clear()
            try:
                await self.round()
            except QsopsError as error:
                log.fault("alert", error=str(error))
            except Exception as error:  # noqa: BLE001  # a fault in one round must not end all later ones
                log.fault("alert", error=type(error).__name__)

    async def _tell(self, group: FailureGroup) -> bool:
        text, error = text_of(group, self._passed_after_ms // 60_000), None
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(FIRST_WAIT_S * 2 ** (attempt - 1) * (0.5 + self._ids.uniform() / 2))
            error = await self._poster.post(text)
            if error is None:
                break
        self._tally.count(ALERTS, "posted" if error is None else "failed")
        if error is not None:
            log.fault("alert", cause=group.cause, error=error, attempts=ATTEMPTS)
            return False
        await self._store.told(group, self._clock.now_ms())
        log.line("alert", cause=group.cause, passed=group.passed, messages=group.messages)
        return True


def text_of(group: FailureGroup, quiet_min: int) -> str:
    """What is posted: the cause, and counts and times; no id and no word of a person's."""
    cause = group.cause.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    messages = "1 message" if group.messages == 1 else f"{group.messages} messages"
    if group.is_parked:
        return _text_of_parked(cause, messages, group)
    if group.passed:
        return f"Recovered: {cause}. {messages} failed; none in {quiet_min} min, and deliveries succeed."
    since = iso(utc(group.first_at_ms))
    return f"Messages fail for good: {cause}. {messages} since {since}; `qsops dlq list` shows them."


def _text_of_parked(cause: str, messages: str, group: FailureGroup) -> str:
    if group.passed:
        return f"Recovered: {cause}. None is parked any more."
    since = iso(utc(group.first_at_ms))
    return f"Parked in the outbox: {cause}. {messages} since {since}; none is sent until a person has looked."
