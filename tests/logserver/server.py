"""The service on a free port of loopback, in a thread of its own; or in a process: see ``__main__``."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from email.utils import formatdate
from typing import Final, Self

import pyarrow as pa
from aiohttp import web

from qsops.clock import SystemClock
from tests.logserver.face import TOKEN, Answer, Face, Settings
from tests.logserver.faults import Fault
from tests.logserver.log import Log

__all__ = ["TOKEN", "LogServer", "Settings", "serve"]

BOUND_S: Final = 60.0
#: Ids travel in the request line.
_LINE_LIMIT: Final = 1 << 17


class LogServer:
    """Lists ``log`` as of :attr:`now_ms`, which only a test moves; a context manager.

    ``real_ms`` is the clock of the limit on requests: a client that lives on another clock needs it to be the same.
    """

    def __init__(
        self,
        log: Log,
        settings: Settings | None = None,
        *,
        now_ms: int | None = None,
        real_ms: Callable[[], int] | None = None,
    ) -> None:
        #: Entries of later than this are not listed yet, and what is older than the retention no more.
        self.now_ms = int(log.visible_ms.max()) if now_ms is None else now_ms
        self.face = Face(log, settings or Settings(), lambda: self.now_ms, real_ms or SystemClock().now_ms)
        self._started: Future[int] = Future()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="log-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(BOUND_S)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(BOUND_S)
        assert not self._thread.is_alive(), "the log server did not stop"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a trailing slash."""
        return f"http://127.0.0.1:{self._started.result(BOUND_S)}"

    @property
    def counts(self) -> Counter[str]:
        """Requests by status, or by the fault that they met."""
        return self.face.counts

    @property
    def violations(self) -> int:
        """Requests over the limit of their second."""
        return self.face.burst.violations

    def listed(self) -> pa.Table:
        """The entries that are listed now, as a table of :data:`qsops.frames.LOGS`, oldest first."""
        return self.face.log.rows(self.face.visible())

    def shown(self) -> pa.Table:
        """The entries that were ever in an answer that was not broken off, as a table of the same kind."""
        return self.face.log.rows(self.face.shown)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            runner = await serve(self.face)
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(int(runner.addresses[0][1]))
        await self._stop.wait()
        await runner.cleanup()


async def serve(face: Face) -> web.ServerRunner:
    """Serve on a free port of loopback."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        with face.under_way():
            if face.counts.total() >= face.answers:
                await asyncio.Event().wait()
            return await _sent(face, request, face.answer(request.raw_path, request.headers.get("Authorization")))

    server = web.Server(
        handle, handler_cancellation=True, access_log=None, max_line_size=_LINE_LIMIT, max_field_size=_LINE_LIMIT
    )
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def _sent(face: Face, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    headers = {
        "Content-Type": "application/json",
        "Date": formatdate(face.now_ms() / 1000, usegmt=True),
        **answer.headers,
    }
    if answer.fault is Fault.slow:
        await asyncio.sleep(face.settings.faults.slow_s)
    if answer.fault in (Fault.lost, Fault.cut):
        return await _broken_off(request, answer, headers)
    # Before it leaves: whoever has it may look into the books at once.
    face.sent(answer)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _broken_off(request: web.BaseRequest, answer: Answer, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={**headers, "Content-Length": str(len(answer.body))})
    if answer.fault is Fault.cut:
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response
