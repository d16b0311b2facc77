import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import qsops
from qsops.errors import Corrupt
from tests.standins.recorder import Recorder

ROOT = Path(__file__).parents[2]
URL = "https://example.com/hook"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


@pytest.fixture
def nearby() -> Iterator[Recorder]:
    """What listens where the engine of this machine would: it is asked instead."""
    with Recorder() as server:
        yield server


@pytest.fixture
def project(
    recorder: Recorder, nearby: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_environment: None
) -> Path:
    """A project with a production .env, entered; its variables are exported as well, as some shells do it."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".env").write_text(recorder.dotenv())
    for name, value in settings(recorder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QSTASH_DEV_PORT", str(nearby.port))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(recorder: Recorder) -> dict[str, str]:
    return dict(line.split("=", 1) for line in recorder.dotenv().splitlines())


def run(project: Path, recorder: Recorder, nearby: Recorder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in the project, with everything exported."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "PYTHONPATH": str(ROOT),
        "QSTASH_DEV_PORT": str(nearby.port),
        **settings(recorder),
    }
    command = [sys.executable, "-m", "qsops", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def test_an_embedded_session_sends_the_account_nothing(project: Path, recorder: Recorder):
    """The default target is the engine in this process: a token that happens to be set changes nothing."""
    with qsops.connect() as qs:
        receiver = qs.receiver(URL, "500,200")
        qs.publish(URL, json={"n": 1})
        qs.settle("1h")
        assert len(receiver.received) == 2
        assert "DELIVERED" in set(qs.logs()["state"])
        qs.keys.show()
    assert recorder.seen == []


def test_the_local_target_sends_the_account_nothing(project: Path, recorder: Recorder, nearby: Recorder):
    """`local` asks this machine alone, and does not show it the account's token."""
    with qsops.connect("local", write=True) as qs:
        for verb in (qs.logs, lambda: qs.publish(URL, json=1), qs.dlq.list, qs.keys.show):
            # The recorder answers 200 to anything, but with nothing that makes sense.
            with pytest.raises(Corrupt):
                verb()
    assert recorder.seen == []
    assert len(nearby.seen) >= 4
    assert not [seen for seen in nearby.seen if settings(recorder)["QSTASH_TOKEN"] in repr(seen)]


@pytest.mark.parametrize(
    "arguments",
    [("logs", "--since", "1h"), ("--write", "publish", URL), ("keys", "show"), ("trace", "msg_1"), ("doctor",)],
    ids=" ".join,
)
def test_a_command_without_a_target_sends_the_account_nothing(
    project: Path, recorder: Recorder, nearby: Recorder, arguments: tuple[str, ...]
):
    """Commands mean the engine on this machine, whatever is set: it is asked, and the account is not."""
    done = run(project, recorder, nearby, *arguments)
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr
    assert settings(recorder)["QSTASH_TOKEN"] not in done.stdout + done.stderr + repr(nearby.seen)
    assert nearby.seen
    assert recorder.seen == []


def test_a_command_reaches_the_account_that_it_names(project: Path, recorder: Recorder, nearby: Recorder):
    """The control: with --target env the same command does reach it, by reading alone."""
    run(project, recorder, nearby, "--target", "env", "logs", "--since", "1h")
    assert recorder.seen
    assert {seen.method for seen in recorder.seen} == {"GET"}
    assert nearby.seen == []
