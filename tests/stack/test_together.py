import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qsops.stack.ports import LOOPBACK, free_port
from tests.standins.processes import ChildProcess
from tests.standins.recorder import Recorder

UP = [sys.executable, "-m", "qsops", "up"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own, in which the command is run."""
    (tmp_path / "qsops.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_up_runs_all_and_sends_a_hosted_account_nothing(project: Path):
    """Engine, service and JupyterLab answer at the URLs that are printed; one Ctrl-C stops all of them."""
    ports = [free_port() for _ in range(3)]
    options = [
        word for name, port in zip(("engine", "service", "lab"), ports, strict=True) for word in _port(name, port)
    ]
    with Recorder() as hosted:
        (project / ".env").write_text(hosted.dotenv())
        production = dict(line.split("=", 1) for line in hosted.dotenv().splitlines())
        # As `make lab` says it; the browser is one that does nothing.
        environment = {**production, "BROWSER": "true"}
        with ChildProcess([*UP, "--lab", *options], cwd=project, environment=environment) as up:
            up.wait_for_line(rf"engine +http://127.0.0.1:{ports[0]}")
            token = up.wait_for_line(rf"lab +http://127.0.0.1:{ports[2]}/lab/tree/notebooks\?token=(\w+)")[1]
            up.wait_for_line("Ctrl-C stops all")
            assert [status(ports[1], "/healthz"), status(ports[2], "/api")] == [200, 200]
            # Without the token nobody gets a kernel.
            assert [status(ports[2], "/api/kernels"), status(ports[2], f"/api/kernels?token={token}")] == [403, 200]
            pids = [int(path.read_text()) for path in (project / ".qsops/up").glob("*.pid")]
            os.kill(up.pid, signal.SIGINT)
        assert len(pids) == 3
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
        assert hosted.seen == []
    logs = "".join(path.read_text() for path in (project / ".qsops/up").glob("*.log"))
    assert [value for name, value in production.items() if "TOKEN" in name or "KEY" in name if value in logs] == []
    assert stat.S_IMODE((project / ".qsops/up/settings.env").stat().st_mode) == 0o600


def test_up_ends_when_a_child_does(project: Path):
    """A stack stands as a whole or not at all: whoever died is named, and the others are stopped."""
    options = ["--no-lab", *_port("engine", free_port()), *_port("service", free_port())]
    with ChildProcess([*UP, *options], cwd=project) as up:
        up.wait_for_line("Ctrl-C stops all")
        os.kill(int((project / ".qsops/up/engine.pid").read_text()), signal.SIGKILL)
        up.wait_for_line(r"qsops: engine was ended by SIGKILL: .* \(log: .*engine.log\)")
    assert list((project / ".qsops/up").glob("*.pid")) == []


@pytest.mark.parametrize("name", ["engine", "service"])
def test_a_taken_port_is_named_before_anything_starts(project: Path, name: str):
    """Status 2, one line, the option that chooses another port, and no process."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = [word for other in {"engine", "service"} - {name} for word in _port(other, free_port())]
        ran = subprocess.run(
            [*UP, "--no-lab", *_port(name, port), *others], capture_output=True, text=True, cwd=project, check=False
        )
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert f"qsops: {name}: port {port} on 127.0.0.1 is taken" in ran.stderr
    assert f"--{name}-port" in ran.stderr
    assert not (project / ".qsops").exists()


def _port(name: str, port: int) -> list[str]:
    return [f"--{name}-port", str(port)]
