import asyncio
import gc
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from qsops.clock import ManualClock
from qsops.engine.virtual import VirtualLoop
from qsops.errors import SettingsError
from qsops.session.portal import Portal

BOUND_S = 60


class Cleanup:
    def __init__(self) -> None:
        self.done = threading.Event()

    async def __call__(self) -> None:
        self.done.set()


@pytest.fixture
def cleanup() -> Cleanup:
    return Cleanup()


@pytest.fixture
def portal(cleanup: Cleanup) -> Iterator[Portal]:
    portal = Portal(asyncio.new_event_loop, cleanup)
    yield portal
    portal.close()


async def thread_of_the_loop() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_a_call_waits_for_its_result(portal: Portal):
    """A sync verb returns what its coroutine returns, which ran in the session's own thread."""
    assert portal.call(thread_of_the_loop) == "qsops-session"


async def test_a_call_works_inside_a_running_loop(portal: Portal):
    """In a notebook a loop runs in the caller's thread already; the verb must not care."""
    assert portal.call(thread_of_the_loop) == "qsops-session"


def test_an_error_reaches_the_caller(portal: Portal):
    """What a coroutine raises is raised by the verb, the very same object."""
    error = SettingsError("no")

    async def fail() -> None:
        raise error

    with pytest.raises(SettingsError) as raised:
        portal.call(fail)
    assert raised.value is error


def test_work_that_cannot_even_begin_is_an_error_too(portal: Portal):
    """The caller is told, and does not wait for a coroutine that never came to be."""

    def fail() -> Coroutine[Any, Any, None]:
        raise SettingsError("no")

    with pytest.raises(SettingsError, match="no"):
        portal.call(fail)


def test_many_threads_share_one_portal(portal: Portal):
    """A session may be used from several threads at once."""
    results: list[int] = []

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    threads = [threading.Thread(target=lambda n=n: results.append(portal.call(lambda: double(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert sorted(results) == [n * 2 for n in range(20)]


def test_reports_are_heard_in_the_callers_thread(portal: Portal):
    """A progress bar in a notebook shows only what the thread of its cell displays."""
    heard: list[tuple[int, str]] = []

    async def work(report) -> str:
        report(1)
        await asyncio.sleep(0)
        report(2)
        return "done"

    result = portal.call_reporting(work, lambda step: heard.append((step, threading.current_thread().name)))
    assert result == "done"
    assert heard == [(1, threading.current_thread().name), (2, threading.current_thread().name)]


def test_ctrl_c_cancels_and_waits_until_the_work_has_let_go(portal: Portal):
    """An interrupted verb has undone itself by the time the KeyboardInterrupt arrives, and the session goes on."""
    let_go = threading.Event()

    async def hang() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            let_go.set()

    with pytest.raises(KeyboardInterrupt):
        portal.call(hang)
    assert let_go.is_set()
    assert portal.call(thread_of_the_loop) == "qsops-session"


def test_closing_cleans_up_and_further_calls_say_so(portal: Portal, cleanup: Cleanup):
    """A closed session gives back what it holds, once, and names its state."""
    portal.close()
    portal.close()
    assert cleanup.done.is_set()
    assert portal.closed
    with pytest.raises(SettingsError, match="closed: connect"):
        portal.call(thread_of_the_loop)


def test_closing_ends_a_verb_that_waits_in_another_thread(portal: Portal):
    """Nobody waits for ever for a session that is gone."""
    started = threading.Event()
    raised: list[BaseException] = []

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            portal.call(hang)
        except SettingsError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert started.wait(BOUND_S)
    portal.close()
    thread.join(BOUND_S)
    assert "closed while a verb was running" in str(raised[0])


def test_a_forgotten_portal_takes_its_thread_with_it(cleanup: Cleanup):
    """A session nobody holds any more neither leaks its thread nor skips its cleanup."""
    portal = Portal(asyncio.new_event_loop, cleanup)
    thread = weakref.ref(portal._thread)
    del portal
    gc.collect()
    assert cleanup.done.wait(BOUND_S)
    left = thread()
    assert left is None or not left.is_alive()


def test_a_verb_on_the_loop_itself_is_refused(portal: Portal):
    """A sync verb called from the session's own loop would wait for itself: it is told so instead."""

    async def call_inside() -> None:
        portal.call(thread_of_the_loop)

    with pytest.raises(SettingsError, match="own loop"):
        portal.call(call_inside)


def test_a_forked_child_is_told_to_connect_anew(portal: Portal):
    """A thread does not survive a fork: the child gets a clear error instead of a wait without end."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads: that is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            portal.call(thread_of_the_loop)
        except SettingsError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "before a fork" in pipe.read()
    assert portal.call(thread_of_the_loop) == "qsops-session"


def test_it_runs_on_a_virtual_loop_too(cleanup: Cleanup):
    """The embedded engine's loop, whose time stands still, is woken by a call all the same."""
    clock = ManualClock()
    portal = Portal(lambda: VirtualLoop(clock), cleanup)
    try:
        assert portal.call(thread_of_the_loop) == "qsops-session"
    finally:
        portal.close()
    assert cleanup.done.is_set()
