import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qsops.clock import SystemClock
from tests.standins.hosted import HostedQStash

ROOT = Path(__file__).parents[2]


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command line with these settings and no others, in an empty folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        **settings,
    }
    command = [sys.executable, "-m", "qsops", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_a_token_alone_reads_the_logs(hosted: HostedQStash, tmp_path: Path):
    """Address and token (a read-only one will do) are all that logs need: every entry of the hour comes once."""
    now_ms = SystemClock().now_ms()
    for n in range(7):
        hosted.log("DELIVERED", message_id=f"msg_{n}", time_ms=now_ms - n * 1000, responseStatus=200)
    hosted.log("TELEPORTED", message_id="msg_odd", time_ms=now_ms - 8000)
    hosted.log("DELIVERED", message_id="msg_old", time_ms=now_ms - 7_200_000)
    hosted.account.journal.page_size = 3
    settings = {"QSTASH_URL": hosted.url, "QSTASH_TOKEN": hosted.read_only_token}
    done = run(tmp_path, "--target", "env", "logs", "--since", "1h", "--format", "json", **settings)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert sorted(row["message_id"] for row in rows) == [*(f"msg_{n}" for n in range(7)), "msg_odd"]
    assert {row["state"] for row in rows} == {"DELIVERED", "TELEPORTED"}
    assert {seen.method for seen in hosted.seen} == {"GET"}


@pytest.mark.parametrize(
    ("status", "text", "exit_status"),
    [(401, "unable to authenticate: invalid token", 2), (412, "quota maxQueues exceeded, current limit: 10", 1)],
)
def test_a_refusal_is_one_line(hosted: HostedQStash, tmp_path: Path, status: int, text: str, exit_status: int):
    """The service's text in one line, the exit status of its kind, no traceback and no token."""
    hosted.refuse(status, text, times=100)
    settings = {"QSTASH_URL": hosted.url, "QSTASH_TOKEN": "canary-token"}
    done = run(tmp_path, "--target", "env", "logs", "--since", "1h", **settings)
    assert done.returncode == exit_status
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "canary" not in done.stdout + done.stderr


def test_a_missing_token_is_named(hosted: HostedQStash, tmp_path: Path):
    """Exit 2 and one line that names the variable, before anything is asked."""
    done = run(tmp_path, "--target", "env", "logs", "--since", "1h", QSTASH_URL=hosted.url)
    assert (done.returncode, hosted.seen) == (2, [])
    assert "QSTASH_TOKEN" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
