"""The verbs of time and of the other end: settle, advance, mount, receiver, request, run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from qsops.engine.deliveries.lifespan import AsgiApp
from qsops.engine.deliveries.scripted import Answer, ScriptedReceiver
from qsops.engine.embedded import SETTLE_LIMIT_MS
from qsops.errors import QsopsError
from qsops.models import LogEntry, LogFilter
from qsops.session.consumers import OwnReceiver
from qsops.session.settling import settle
from qsops.session.windows import span_ms
from qsops.session.wiring import Wiring
from qsops.wire.http import Response

__all__ = ["Rehearsing"]

T = TypeVar("T")

SETTLE_TIMEOUT_S: Final = 60.0
# How far the service's clock may be behind ours without a log entry of this session being missed.
SKEW_MS: Final = 60_000


class Rehearsing:
    """What a session does to time and to destinations, on the parts of ``wiring``."""

    _wiring: Wiring

    def settle(self, timeout: str | float | timedelta | None = None) -> None:
        """Wait until nothing is due: moves a manual clock, polls a real one, for at most ``timeout`` (there: 60 s).

        Where it polls it waits for what this session published, or, without any, for what was logged since it opened.

        :raises QsopsError: messages are still unfinished after ``timeout``.
        """
        engine = self._wiring.engine
        if engine is not None:
            limit_ms = SETTLE_LIMIT_MS if timeout is None else span_ms("timeout", timeout)
            if not self._wiring.portal.call(lambda: engine.settle(limit_ms)):
                raise QsopsError(f"messages are still pending after {limit_ms / 1000:g} s of the manual clock")
            return
        timeout_s = SETTLE_TIMEOUT_S if timeout is None else span_ms("timeout", timeout) / 1000
        wanted = sorted(self._wiring.published)
        self._wiring.portal.call(
            lambda: settle(self._pull, wanted, self._wiring.opened_ms - SKEW_MS, timeout_s, self._wiring.clock)
        )
        self._wiring.published.difference_update(wanted)

    def advance(self, by: str | float | timedelta) -> None:
        """Move the embedded engine's clock forward by a span such as ``"6h"``, doing on the way what falls due.

        :raises SettingsError: ``by`` is no span, or the session is on another target, whose time passes by itself.
        """
        engine, by_ms = self._wiring.need_engine("advance"), span_ms("by", by)
        self._wiring.portal.call(lambda: engine.advance(by_ms))

    def mount(self, url: str, app: AsgiApp, *, internal_token: str | None = None) -> None:
        """Let deliveries and requests to URLs under ``url`` go into an ASGI app in this process.

        With its ``INTERNAL_API_TOKEN`` the app's ledger is the one that ``trace`` reads.

        :raises SettingsError: the session is not embedded.
        """
        engine = self._wiring.need_engine("mount")

        async def mounted() -> None:
            engine.mount(url, app)

        self._wiring.portal.call(mounted)
        if internal_token is not None:
            self._wiring.consumers.read_ledger_of(url, internal_token)

    def receiver(self, url: str, answers: str | Sequence[Answer] = "200") -> ScriptedReceiver | OwnReceiver:
        """A destination that answers by a script such as ``"500,500,200"`` and keeps what it received.

        Outside of the embedded engine nothing can be scripted: what is returned says so.
        """
        engine = self._wiring.engine
        if engine is None:
            return OwnReceiver(url)

        async def scripted() -> ScriptedReceiver:
            return engine.receiver(url, answers)

        return self._wiring.portal.call(scripted)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | str = b"",
    ) -> Response:
        """One HTTP request as a producer or a person would send it: into a mounted app, or over the network.

        :raises ReadOnly: it is no GET, and the session was not opened for writing.
        """
        if method.upper() != "GET":
            self._wiring.need_write(f"request {method.upper()}")
        body = content.encode() if isinstance(content, str) else content
        pairs = tuple((headers or {}).items())
        consumers = self._wiring.consumers
        return self._wiring.portal.call(lambda: consumers.request(method.upper(), url, pairs, body))

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine on the session's own loop, where its client and the mounted apps live."""
        return self._wiring.portal.call(work)

    async def _pull(self, which: LogFilter) -> list[LogEntry]:
        from qsops import trace

        return await trace.pull(self._wiring.client("settle"), which)
