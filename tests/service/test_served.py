"""The service as a process of its own, on a real socket."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from qsops.config import DEV_USERS
from service.rehearsal import APP_SECRET
from service.samples import encode, sample, signed_headers
from service.webhook import BODY_LIMIT, WEBHOOK_PATH

ROOT = Path(__file__).parents[2]
WITHIN_S = 60
SERVE = """
import socket, sys, uvicorn
listening = socket.socket(fileno=int(sys.argv[1]))
uvicorn.Server(uvicorn.Config("service.app:app", log_level="warning")).run(sockets=[listening])
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that outlives the processes behind it: who connects waits until one of them answers."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


@contextmanager
def served(listening: socket.socket, folder: Path) -> Iterator[subprocess.Popen[str]]:
    port = listening.getsockname()[1]
    user = DEV_USERS[0]
    settings = {
        "QSOPS_DOTENV": "off",
        "QSOPS_PORT": str(port),
        # Nobody listens on the discard port.
        "QSTASH_URL": "http://127.0.0.1:9",
        "QSTASH_TOKEN": user.token,
        "QSTASH_CURRENT_SIGNING_KEY": user.keys.current,
        "INSTAGRAM_APP_SECRET": APP_SECRET,
        "INSTAGRAM_VERIFY_TOKEN": "v",
        "INTERNAL_API_TOKEN": "i",
        "DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(listening.fileno())],
        cwd=ROOT,
        env={**os.environ, **settings},
        pass_fds=[listening.fileno()],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


def ask(listening: socket.socket, method: str, path: str, **options: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=WITHIN_S)
    with closing(connection):
        connection.request(method, path, **options)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read()


def post(listening: socket.socket, mid: str) -> dict[str, int]:
    body = encode(sample("message", mid=mid, at_ms=1_767_225_600_000))
    status, content = ask(listening, "POST", WEBHOOK_PATH, body=body, headers=signed_headers(APP_SECRET, body))
    assert status == 200, content
    return json.loads(content)  # type: ignore[no-any-return]


def test_what_meta_was_answered_200_survives_kill_9(listening: socket.socket, tmp_path: Path):
    """The answer comes after the commit: a process that is killed right after it has lost nothing."""
    with served(listening, tmp_path) as first:
        assert post(listening, "m-1") == {"accepted": 1, "duplicates": 0, "queued": 1}
        first.kill()
        first.wait(WITHIN_S)
    with served(listening, tmp_path):
        assert post(listening, "m-1") == {"accepted": 0, "duplicates": 1, "queued": 0}
        _, ledger = ask(listening, "GET", "/api/internal/ledger", headers={"Authorization": "Bearer i"})
        assert [(event["mid"], event["state"]) for event in json.loads(ledger)["events"]] == [("m-1", "queued")]


def test_a_sender_sees_the_413(listening: socket.socket, tmp_path: Path):
    """A body over the limit is answered while it is still being sent, and the answer is not overtaken by a reset."""
    with served(listening, tmp_path):
        assert ask(listening, "POST", WEBHOOK_PATH, body=b"x" * (BODY_LIMIT + 1))[0] == 413
        chunks = (b"x" * (1 << 20) for _ in range(40))
        assert ask(listening, "POST", WEBHOOK_PATH, body=chunks)[0] == 413


def test_a_served_process_logs_json_and_stops_when_told(listening: socket.socket, tmp_path: Path):
    """Standard output is canonical lines, the warning about the missing next key among them; SIGTERM ends it."""
    with served(listening, tmp_path) as process:
        post(listening, "m-1")
        process.terminate()
        output, _ = process.communicate(timeout=WITHIN_S)
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines[0]["warning"].startswith("QSTASH_NEXT_SIGNING_KEY")
    assert lines[1] == {"log": "webhook", "accepted": 1, "duplicates": 0, "queued": 1}
