"""Threads of their own for handlers that block: few, and given up, not waited for, when a handler does not return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

__all__ = ["THREADS", "Threads"]

THREADS: Final = 32

T = TypeVar("T")
_Job = tuple["Future[Any]", Callable[[], Any]]


class Threads(Executor):
    """At most ``limit`` threads, started as they are needed.

    A pool of the standard library waits for its threads when the process ends: one handler that never returns would
    keep it from ending. These end with it.
    """

    def __init__(self, limit: int = THREADS) -> None:
        self._limit = limit
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._given_up = 0
        self._counting = threading.Lock()

    @property
    def exhausted(self) -> bool:
        """Every thread is held by a handler that was given up."""
        return self._given_up >= self._limit

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._started < self._limit:
            self._started += 1
            threading.Thread(target=self._work, name=f"handler-{self._started}", daemon=True).start()
        return future

    def give_up(self, done: Future[None]) -> None:
        """Wait no longer for the job that ends with ``done``; its thread is lost until then."""
        with self._counting:
            self._given_up += 1
        done.add_done_callback(self._came_back)

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Let the threads end that have nothing to do; none is waited for."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _came_back(self, _: Future[None]) -> None:
        with self._counting:
            self._given_up -= 1

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)
            del job, future, call

    def _next(self) -> _Job | None:
        try:
            return self._jobs.get_nowait()
        except Empty:
            self._idle.release()
            return self._jobs.get()
