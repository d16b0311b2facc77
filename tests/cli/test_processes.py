import json
import socket
import sys
from pathlib import Path

import httpx
import pytest

from qsops.config.dev_users import DEV_USERS
from qsops.stack.ports import LOOPBACK
from tests.cli.conftest import Run
from tests.standins.processes import ChildProcess

SERVICE_SETTINGS = {"INSTAGRAM_APP_SECRET": "app", "INSTAGRAM_VERIFY_TOKEN": "verify"}


@pytest.mark.parametrize("verb", ["engine", "serve", "receive"])
def test_a_taken_port_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, verb: str):
    """Whatever listens says with status 2 that somebody else does already."""
    for name, value in SERVICE_SETTINGS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run(verb, "--port", port)
    assert result.exit_code == 2
    assert port in result.stderr
    assert "taken" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_engine_keeps_its_messages_at_the_projects_root(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    """Wherever it is started from, the engine's database is the project's; what it took outlives kill -9."""
    below = project / "notebooks"
    below.mkdir()
    command = [sys.executable, "-m", "qsops", "engine", "--port", "0", "--port-file", "port"]
    for turn in range(2):
        with ChildProcess(command, cwd=below) as engine:
            port = engine.wait_for_line(r"engine: http://127.0.0.1:(\d+)")[1]
            assert (below / "port").read_text() == f"{port}\n"
            monkeypatch.setenv("QSTASH_DEV_PORT", port)
            if turn == 0:
                published = run("publish", "http://127.0.0.1:9/hook", "--delay", "1h")
                assert published.exit_code == 0, published.output
                engine.kill()
            else:
                (row,) = json.loads(run("logs", "--json").stdout)
                assert row["message_id"] == published.stdout.strip()
    assert (project / ".qsops/engine.db").exists()


def test_the_engine_reads_what_the_vendors_development_server_reads(project: Path, monkeypatch: pytest.MonkeyPatch):
    """Its plan and port come from the vendor's variables; where the vendor's listens for logs, nothing does here."""
    command = [sys.executable, "-m", "qsops", "engine", "--db", ":memory:"]
    with socket.socket() as own, socket.socket() as log:
        for taken in (own, log):
            taken.bind((LOOPBACK, 0))
        port, log_port = (str(taken.getsockname()[1]) for taken in (own, log))
    settings = {"QSTASH_DEV_PORT": port, "QSTASH_DEV_LOG_PORT": log_port, "QSTASH_DEV_QUOTA": "pro"}
    with ChildProcess(command, cwd=project, environment=settings) as engine:
        engine.wait_for_line(rf"engine: http://127.0.0.1:({port})")
        headers = {"Authorization": f"Bearer {DEV_USERS[0].token}"}
        answer = httpx.get(f"http://127.0.0.1:{port}/qsops/status", headers=headers, trust_env=False)
        with socket.socket() as probe:
            refused = probe.connect_ex((LOOPBACK, int(log_port)))
    assert answer.json()["plan"] == "pro"
    assert refused != 0


def test_the_engine_takes_its_tokens_and_limits_from_outside(project: Path):
    """An engine for others: its tokens from the environment, where no list of processes shows them, and its limits."""
    tokens = {"QSOPS_ENGINE_TOKEN": "a-token-of-our-own", "QSOPS_ENGINE_READ_ONLY_TOKEN": "a-token-for-looking"}
    command = [sys.executable, "-m", "qsops", "engine", "--host", "0.0.0.0", "--port", "0", "--db", ":memory:"]
    command += ["--quota", "free", "--rate-limits", "--burst-limit", "3"]
    with ChildProcess(command, cwd=project, environment=tokens) as engine:
        url = f"http://127.0.0.1:{engine.wait_for_line(r'engine: http://0.0.0.0:([0-9]+)')[1]}/v2/keys"
        asked = [
            httpx.request(method, url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
            for method, token in (
                ("GET", DEV_USERS[0].token),
                ("POST", tokens["QSOPS_ENGINE_READ_ONLY_TOKEN"]),
                ("GET", tokens["QSOPS_ENGINE_READ_ONLY_TOKEN"]),
                ("GET", tokens["QSOPS_ENGINE_TOKEN"]),
            )
        ]
    assert [answer.status_code for answer in asked] == [401, 403, 200, 200]
    assert asked[-1].headers["Burst-RateLimit-Limit"] == "3"
