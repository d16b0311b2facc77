"""A process that is told to stop under load: what it holds is finished, what it cannot finish is not answered 200."""

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import Popen

import pytest

from qsops import signing
from qsops.clock import SystemClock
from qsops.config import DEV_USERS
from service.envelope import encode
from service.publishing import CONSUMER_PATH
from tests.service.rig import event_of
from tests.service.test_served import WITHIN_S, listening, served

__all__ = ["listening"]

HELD = "tests.service.handlers:held"
MANY = 6
SENDERS = 8
ENOUGH = 200
AT_MOST = 2_000


@pytest.fixture
def gate() -> Iterator[socket.socket]:
    """Where each handler that is held calls in."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(WITHIN_S)
        yield found


def deliver(connection: HTTPConnection, port: int, mid: str) -> int:
    body = encode(event_of("message", mid, 1_767_225_600_000))
    url = f"http://127.0.0.1:{port}{CONSUMER_PATH}"
    now_s = SystemClock().now_ms() // 1000
    token = signing.sign(DEV_USERS[0].keys.current, url=url, body=body, now_s=now_s, jti=f"jwt_{mid}")
    connection.request("POST", CONSUMER_PATH, body, {"Upstash-Signature": token, "Upstash-Message-Id": f"msg_{mid}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def deliver_once(port: int, mid: str) -> int | None:
    """The status of one delivery; None if it was not answered."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)) as connection:
        try:
            return deliver(connection, port, mid)
        except (OSError, HTTPException):
            return None


def processed(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "service.db")) as database:
        rows = database.execute("select mid from events join claims using (event_id)").fetchall()
    return {mid for (mid,) in rows}


def last_line(process: Popen[str]) -> dict[str, object]:
    output, _ = process.communicate(timeout=WITHIN_S)
    return json.loads(output.splitlines()[-1])  # type: ignore[no-any-return]


def test_handlers_that_run_are_finished(listening: socket.socket, gate: socket.socket, tmp_path: Path):
    """SIGTERM while handlers wait: each is committed and answered; then the relay stops, and a last line says so."""
    port = listening.getsockname()[1]
    with (
        served(listening, tmp_path, QSOPS_HANDLER=HELD, HELD_AT=str(gate.getsockname()[1])) as process,
        ThreadPoolExecutor(MANY) as senders,
    ):
        answers = [senders.submit(deliver_once, port, f"m-{number}") for number in range(MANY)]
        waiting = [gate.accept()[0] for _ in range(MANY)]
        process.terminate()
        assert [answer.done() for answer in answers] == [False] * MANY
        for one in waiting:
            one.sendall(b"+")
        assert [answer.result(WITHIN_S) for answer in answers] == [200] * MANY
        assert last_line(process) == {"log": "stopped", "deliveries": MANY, "events": 0}
        assert process.returncode in (0, -15)
        for one in waiting:
            one.close()
    assert processed(tmp_path) == {f"m-{number}" for number in range(MANY)}


def test_a_handler_that_does_not_return_holds_nobody_up(listening: socket.socket, gate: socket.socket, tmp_path: Path):
    """The bound of a handler is the bound of a stop: it is cut off, answered 503, and nothing of it is committed."""
    port = listening.getsockname()[1]
    told = {"QSOPS_HANDLER": HELD, "HELD_AT": str(gate.getsockname()[1]), "QSOPS_DELIVERY_TIMEOUT": "1s"}
    with served(listening, tmp_path, **told) as process, ThreadPoolExecutor(1) as senders:
        answer = senders.submit(deliver_once, port, "m-1")
        waiting, _ = gate.accept()
        process.terminate()
        assert answer.result(WITHIN_S) == 503
        assert last_line(process) == {"log": "stopped", "deliveries": 1, "events": 0}
        waiting.close()
    assert processed(tmp_path) == set()


def test_nothing_is_answered_that_was_not_committed(listening: socket.socket, tmp_path: Path):
    """SIGTERM in the midst of a crowd: whatever was answered 200 is in the database, and the process ends by itself."""
    port = listening.getsockname()[1]
    answered: set[str] = set()
    enough, over = threading.Event(), threading.Event()

    def send(sender: int) -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)) as connection:
            for number in range(AT_MOST):
                mid = f"m-{sender}-{number}"
                try:
                    status = deliver(connection, port, mid)
                except (OSError, HTTPException):
                    return
                assert status == 200
                answered.add(mid)
                if len(answered) >= ENOUGH:
                    enough.set()
                if over.is_set():
                    return

    with served(listening, tmp_path) as process, ThreadPoolExecutor(SENDERS) as senders:
        sending = [senders.submit(send, sender) for sender in range(SENDERS)]
        assert enough.wait(WITHIN_S)
        process.terminate()
        told = last_line(process)
        over.set()
        # Who has connected meanwhile waits at a socket that nobody listens to any more.
        listening.close()
        for one in sending:
            one.result(WITHIN_S)
    assert told["log"] == "stopped"
    assert len(answered) >= ENOUGH
    assert answered <= processed(tmp_path)
    assert told["deliveries"] == len(processed(tmp_path))
