from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qsops.archive.places import store_at
from qsops.archive.store import Store
from qsops.clock import SystemClock
from tests.archive.plain import PlainStore

_BUCKET = "archives"
_START_S = 20.0


@dataclass
class Bucket:
    """A bucket on loopback: what to set to reach it, and how many archives are in it."""

    port: int
    archives: int = 0

    @property
    def env(self) -> dict[str, str]:
        """The settings of a person who may write there."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    def address(self) -> str:
        """Where there is no archive yet."""
        self.archives += 1
        return f"s3://{_BUCKET}/number-{self.archives}"

    def ask(self, method: str, path: str, body: str = "") -> int:
        """The status of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_S)
        connection.request(method, path, body)
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture(scope="session")
def s3() -> Iterator[Bucket]:
    """S3 by moto, a process of its own: the store waits for it without letting others of its process run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    process = subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bucket, clock = Bucket(port), SystemClock()
    ends_s = clock.monotonic_s() + _START_S
    while True:
        try:
            assert bucket.ask("PUT", f"/{_BUCKET}") == 200
            break
        except ConnectionError:
            assert process.poll() is None, "moto did not start"
            assert clock.monotonic_s() < ends_s, "moto does not listen"
    yield bucket
    process.terminate()
    process.wait()


@pytest.fixture(params=["plain", "folder", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each implementation of the port."""
    if request.param == "plain":
        return PlainStore(tmp_path)
    if request.param == "folder":
        return store_at(str(tmp_path / "archive"), {})
    s3: Bucket = request.getfixturevalue("s3")
    return store_at(s3.address(), s3.env)
