"""The bridge from sync verbs to one event loop: a daemon thread for each session, with a loop of its own.

So the same verb works in plain Python, inside a running loop and in a notebook's kernel: the caller's thread waits,
whatever it is running, and nothing of it is re-entered.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

from qsops.errors import SettingsError

__all__ = ["Portal"]

T = TypeVar("T")

# How long an interrupted verb may take to undo itself, and a closing session to let go.
LETTING_GO_S: Final = 10.0


class Portal:
    """Runs coroutines on its own loop, made by ``make_loop``, for callers in any other thread.

    ``cleanup`` runs on that loop when the portal closes: by :meth:`close`, when the last reference goes, or at the
    interpreter's end.

    :raises SettingsError: on a call after :meth:`close`, after a fork, or from its own loop.
    """

    def __init__(
        self, make_loop: Callable[[], asyncio.AbstractEventLoop], cleanup: Callable[[], Awaitable[object]]
    ) -> None:
        self._pid = os.getpid()
        self._shared = _Shared(make_loop(), cleanup)
        self._thread = threading.Thread(target=self._shared.run, name="qsops-session", daemon=True)
        self._thread.start()
        # The thread knows only what is shared, so that a forgotten session can go, and takes its thread with it.
        self._finalizer = weakref.finalize(self, _stop, self._shared, self._thread, self._pid)

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work()`` on the loop and wait for it. Ctrl-C cancels it and waits until it has let go."""
        self._check()
        job: _Job[T] = _Job()

        def result() -> T:
            self._shared.start(job, work)
            return job.future.result()

        return self._wait(job, result)

    def call_reporting(
        self, work: Callable[[Callable[[int], None]], Coroutine[Any, Any, T]], on_report: Callable[[int], object]
    ) -> T:
        """Run ``work(report)`` on the loop; what it reports is handed to ``on_report`` in the caller's own thread.

        Progress bars need that: a notebook shows only what the thread of its cell displays.
        """
        self._check()
        reports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        job: _Job[T] = _Job()
        job.future.add_done_callback(lambda _: reports.put(None))

        def follow() -> T:
            self._shared.start(job, lambda: work(reports.put))
            while (step := reports.get()) is not None:
                on_report(step)
            return job.future.result()

        return self._wait(job, follow)

    def close(self) -> None:
        """Cancel what runs, clean up, stop the thread; closing twice is harmless."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether no more calls are possible."""
        return self._pid != os.getpid() or not self._finalizer.alive

    def _check(self) -> None:
        if self._pid != os.getpid():
            raise SettingsError("this session was opened before a fork, and its loop stayed behind: connect() anew")
        if not self._finalizer.alive:
            raise SettingsError("this session is closed: connect() anew")
        if threading.current_thread() is self._thread:
            raise SettingsError("a sync verb was called on the session's own loop, and would wait for itself for ever")

    def _wait(self, job: _Job[T], work: Callable[[], T]) -> T:
        # The work is handed over within: Ctrl-C may come as soon as it runs, which is before the hand-over returns.
        try:
            return work()
        except KeyboardInterrupt:
            self._shared.cancel(job)
            job.finished.wait(LETTING_GO_S)
            raise


class _Job(Generic[T]):
    """One piece of work: its task once it runs, and the future that is settled when the task is over."""

    def __init__(self) -> None:
        self.future: Future[T] = Future()
        self.finished = threading.Event()
        self.task: asyncio.Task[T] | None = None

    def fail(self, error: BaseException) -> None:
        """There will be no task."""
        self.future.set_exception(error)
        self.finished.set()

    def settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.future.set_exception(SettingsError("this session was closed while a verb was running"))
        elif error := task.exception():
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())
        self.finished.set()


class _Shared:
    """What the thread and its callers both know: the loop, what runs on it for them, and how to clean up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cleanup: Callable[[], Awaitable[object]]) -> None:
        self._loop = loop
        self._cleanup = cleanup
        self._tasks: set[asyncio.Task[Any]] = set()
        # At the interpreter's end no thread may be started, which the loop's own way to stop its executor does.
        self._executor = ThreadPoolExecutor(thread_name_prefix="qsops-session")
        loop.set_default_executor(self._executor)

    def start(self, job: _Job[T], work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        def begin() -> None:
            try:
                coroutine = work()
            except Exception as error:  # noqa: BLE001  # it belongs to whoever waits
                job.fail(error)
                return
            task = job.task = self._loop.create_task(coroutine)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(job.settle)

        self._loop.call_soon_threadsafe(begin)

    def cancel(self, job: _Job[Any]) -> None:
        def end() -> None:
            # Ctrl-C may come before the work was handed over; then there is nothing to wait for.
            if job.task is None:
                job.finished.set()
            else:
                job.task.cancel()

        self._loop.call_soon_threadsafe(end)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def run(self) -> None:
        """The thread's work, from its start to its end."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        try:
            # First what callers wait for, then what serves it, then whatever that left behind.
            self._loop.run_until_complete(_cancelled(self._tasks))
            self._loop.run_until_complete(_awaited(self._cleanup))
            self._loop.run_until_complete(_cancelled(asyncio.all_tasks(self._loop)))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._executor.shutdown()
            asyncio.set_event_loop(None)
            self._loop.close()


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    others = [task for task in tasks if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _awaited(cleanup: Callable[[], Awaitable[object]]) -> None:
    await cleanup()


def _stop(shared: _Shared, thread: threading.Thread, pid: int) -> None:
    if pid != os.getpid():
        # In a forked child the thread is the parent's, and so is the socket that would wake it.
        return
    shared.stop()
    if threading.current_thread() is not thread:
        thread.join(LETTING_GO_S)
