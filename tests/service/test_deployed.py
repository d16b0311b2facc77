"""The command that docs/deploy.md, the unit and the image run, as it stands there."""

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.rehearsal import APP_SECRET
from service.samples import encode, sample, signed_headers
from service.webhook import WEBHOOK_PATH
from tests.conformance.waiting import until

ROOT = Path(__file__).parents[2]
WITHIN_S = 60
SETTINGS = {
    "QSOPS_DOTENV": "off",
    # Nobody listens on the discard port.
    "QSTASH_URL": "http://127.0.0.1:9",
    "QSTASH_TOKEN": "token-canary",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_canary",
    "QSTASH_NEXT_SIGNING_KEY": "sig_canary_next",
    "INSTAGRAM_APP_SECRET": APP_SECRET,
    "INSTAGRAM_VERIFY_TOKEN": "verify-canary",
    "INTERNAL_API_TOKEN": "internal-canary",
    "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
}


def unit() -> list[str]:
    text = (ROOT / "deploy/systemd/qsops.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.+)$", text, re.M)
    return shlex.split(line)[1:]


def image() -> list[str]:
    (line,) = re.findall(r"^CMD (\[.+\])$", (ROOT / "Dockerfile").read_text(), re.M)
    return json.loads(line)[1:]


@contextmanager
def deployed(command: list[str], folder: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    here = [word if word != "8000" else str(port) for word in command]
    here[here.index("--host") + 1] = "127.0.0.1"
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *here],
        cwd=folder,
        env={**SETTINGS, "PYTHONPATH": str(ROOT), "HOME": str(folder), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


def ready(url: str) -> dict[str, object] | None:
    try:
        answer = httpx.get(f"{url}/readyz", trust_env=False, timeout=5)
    except httpx.TransportError:
        return None
    return answer.json() if answer.status_code == 200 else None


@pytest.mark.parametrize("workers", ["1", "3"])
def test_what_is_deployed_serves_on_postgresql_and_stops(tmp_path: Path, postgres_url: str, workers: str):
    """The image's command, by one process and by three that migrate one new database: ready, a POST taken, stopped.

    No line of it holds a secret or what a person wrote.
    """
    body = encode(sample("message", mid="mid-1", at_ms=1_767_225_600_000))
    with deployed(image(), tmp_path, DATABASE_URL=postgres_url, WEB_CONCURRENCY=workers) as (process, url):
        until(lambda: ready(url), "the service to be ready", WITHIN_S)
        answers = [
            httpx.post(url + WEBHOOK_PATH, content=body, headers=signed_headers(APP_SECRET, body), trust_env=False)
            for _ in range(3)
        ]
        process.terminate()
        said, _ = process.communicate(timeout=WITHIN_S)
    assert [(answer.status_code, answer.json()["accepted"]) for answer in answers] == [(200, 1), (200, 0), (200, 0)]
    assert process.returncode in (0, -15)
    assert "Traceback" not in said
    assert "canary" not in said
    assert APP_SECRET not in said


def test_what_is_deployed_serves_on_sqlite(tmp_path: Path):
    """The unit's command with a file in the folder that it may write."""
    with deployed(unit(), tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'service.db'}") as (process, url):
        assert until(lambda: ready(url), "the service to be ready", WITHIN_S)["status"] == "ok"
        process.terminate()
        said, _ = process.communicate(timeout=WITHIN_S)
    assert (tmp_path / "service.db").exists()
    assert "Traceback" not in said


def test_what_is_deployed_without_a_setting_says_which(tmp_path: Path):
    """A start that lacks a setting ends by itself, and names it."""
    with deployed(unit(), tmp_path, DATABASE_URL="", INSTAGRAM_APP_SECRET="") as (process, _):
        said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode != 0
    assert "INSTAGRAM_APP_SECRET is not set" in said
    assert "canary" not in said
