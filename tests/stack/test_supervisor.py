import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from qsops.clock import ManualClock
from qsops.errors import QsopsError, SettingsError
from qsops.stack import supervisor
from qsops.stack.child import Child
from qsops.stack.programs import Program
from qsops.stack.supervisor import Stack
from tests.stack.programs import answering, ending, mute

ROOT = Path(__file__).parents[2]
BOUND_S = 60


def gone(pid: int) -> bool:
    """Whether no such process runs (any more)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_children_are_started_awaited_and_stopped(tmp_path: Path):
    """After start() every child answers; after the end none is left, nor its pid file."""
    with Stack(tmp_path / "run") as stack:
        stack.start(answering(tmp_path, "one"), answering(tmp_path, "two"))
        pids = [child.pid for child in stack.children.values()]
        assert [supervisor._answers(child.program.probe) for child in stack.children.values()] == [True, True]
        assert (tmp_path / "run/one.pid").read_text() == f"{pids[0]}\n"
    assert [gone(pid) for pid in pids] == [True, True]
    assert list((tmp_path / "run").glob("*.pid")) == []


def test_a_child_that_ends_is_named_with_its_status_and_the_tail_of_its_log(tmp_path: Path):
    """What went wrong is read from the error, without opening a file."""
    with pytest.raises(QsopsError) as error, Stack(tmp_path) as stack:
        stack.start(ending(tmp_path))
    assert str(error.value) == (
        f"short ended with status 3: reading the settings | boom: no such database (log: {tmp_path / 'short.log'})"
    )


def test_readiness_is_awaited_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A child that runs but never answers is given up, and stopped."""
    monkeypatch.setattr(supervisor, "_READY_WITHIN_S", 0.1)
    with pytest.raises(QsopsError, match=r"gave no answer within 0.1 s; mute still runs"), Stack(tmp_path) as stack:
        stack.start(mute(tmp_path))
    assert stack.children == {}


def test_one_failure_stops_the_others(tmp_path: Path):
    """A stack stands as a whole or not at all."""
    with Stack(tmp_path) as stack:
        stack.start(answering(tmp_path, "one"))
        pid = stack.children["one"].pid
        with pytest.raises(QsopsError, match="short"):
            stack.start(ending(tmp_path))
    assert gone(pid)


def test_a_killed_child_is_revived_on_its_port(tmp_path: Path):
    """What somebody killed with -9 is started again as it was, and answers before revive() returns."""
    with Stack(tmp_path) as stack:
        stack.start(answering(tmp_path, "one"), answering(tmp_path, "two"))
        before = stack.children["one"].pid
        os.kill(before, signal.SIGKILL)
        assert stack.children["one"].ended_within(BOUND_S)
        assert stack.revive("one", "two") == ["one"]
        assert stack.children["one"].pid != before
        assert supervisor._answers(stack.children["one"].program.probe)


def test_a_child_that_ended_by_itself_is_not_revived(tmp_path: Path):
    """A program that fails would fail again: its log says why."""
    with Stack(tmp_path) as stack:
        stack.children["short"] = child = Child(ending(tmp_path), tmp_path)
        assert child.ended_within(BOUND_S)
        with pytest.raises(QsopsError, match="boom"):
            stack.revive("short")


def test_a_child_that_is_killed_for_ever_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Revivals have a limit: somebody wants it dead."""
    monkeypatch.setattr(supervisor, "_REVIVALS", 1)
    with Stack(tmp_path) as stack:
        stack.start(answering(tmp_path, "one"))
        for expected in (["one"], None):
            os.kill(stack.children["one"].pid, signal.SIGKILL)
            assert stack.children["one"].ended_within(BOUND_S)
            if expected is not None:
                assert stack.revive("one") == expected
        with pytest.raises(QsopsError, match="was ended by SIGKILL"):
            stack.revive("one")


def test_a_child_deaf_to_terminate_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stopping asks first, and ends with certainty."""
    monkeypatch.setattr(supervisor, "_STOP_WITHIN_S", 0.1)
    with Stack(tmp_path) as stack:
        stack.start(answering(tmp_path, "server", "deaf"))
        pid = stack.children["server"].pid
    assert gone(pid)


def test_waiting_ends_when_a_child_does(tmp_path: Path):
    """The one that ended is handed over; within a bound, nobody ended."""
    clock = ManualClock()
    with Stack(tmp_path, clock=clock) as stack:
        stack.start(answering(tmp_path, "one"))
        assert stack.wait_for_end(0) is None
        threading.Timer(0.05, os.kill, (stack.children["one"].pid, signal.SIGTERM)).start()
        ended = stack.wait_for_end(BOUND_S)
        assert ended is not None
        assert ended.name == "one"


def test_a_program_that_is_not_there_is_named(tmp_path: Path):
    """A missing executable is a matter of settings, not a traceback."""
    with pytest.raises(SettingsError, match="ghost: cannot start"):
        Child(Program("ghost", (str(tmp_path / "nothing"),), tmp_path), tmp_path)


HOST = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.stack.programs import answering
from qsops.stack import Stack, interruptible
folder = Path(sys.argv[2])
with interruptible(), Stack(folder) as stack:
    stack.start(answering(folder, "one"))
    print(stack.children["one"].pid, flush=True)
    stack.wait_for_end(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_child_behind(tmp_path: Path, number: signal.Signals):
    """Ctrl-C, SIGTERM and a closed terminal stop the children before the parent ends."""
    with _host(tmp_path) as host:
        assert host.stdout is not None
        child = int(host.stdout.readline())
        assert not gone(child)
        host.send_signal(number)
        host.wait(BOUND_S)
    assert gone(child)


def test_two_signals_at_once_leave_no_child_behind(tmp_path: Path):
    """The second signal of an impatient person, or of a supervisor, does not strike the stopping."""
    for _ in range(5):
        with _host(tmp_path) as host:
            assert host.stdout is not None
            child = int(host.stdout.readline())
            host.send_signal(signal.SIGINT)
            host.send_signal(signal.SIGTERM)
            host.wait(BOUND_S)
        assert gone(child)


def _host(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOST, str(ROOT), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
