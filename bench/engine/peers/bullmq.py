"""BullMQ on Redis, in Node: a worker of concurrency 64 over kept-alive connections, jobs added by a hundred.

``python -m bench.engine.peers.bullmq deliver|single|batch APPENDFSYNC COUNT [URL]``; prints messages per second:
delivered, or only accepted, then held up by an hour as ours are. Finished jobs are removed at once, its fastest
setting; ours keeps a log.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.engine.figure import rate, tell
from bench.engine.process import Process, ProcessFailed, running
from bench.engine.receiver import reached, reset
from bench.engine.redis import redis
from bench.frame import PEERS

_SOURCES = Path(__file__).with_name("bullmq")
_INSTALLED = PEERS / "bullmq"
_WARM_UP = 500
_HOUR_MS = 3_600_000
_INSTALL = ("install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
_INSTALL_LIMIT_S = 300
_READY_LIMIT_S = 30.0


def installed() -> str:
    """The path of node, once the packages lie beside the scripts. :raises ProcessFailed: when they cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise ProcessFailed("no Node with npm on the PATH; install Node 20 or later")
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    done, wanted = _INSTALLED / ".installed", (_SOURCES / "package.json").read_text()
    for source in _SOURCES.iterdir():
        shutil.copyfile(source, _INSTALLED / source.name)
    if not done.exists() or done.read_text() != wanted:
        ran = subprocess.run(
            [npm, *_INSTALL], cwd=_INSTALLED, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S, check=False
        )
        if ran.returncode != 0:
            raise ProcessFailed(f"npm install failed: {(ran.stderr.strip() or 'no output').splitlines()[-1]}")
        done.write_text(wanted)
    return node


def publish(publisher: Process, how: str, first: int, count: int, delay_ms: int = 0) -> dict[str, Any]:
    """Have ``count`` messages published; when that began and ended."""
    assert publisher.popen.stdin
    assert publisher.popen.stdout
    print(json.dumps({"first": first, "count": count, "how": how, "delayMs": delay_ms}), file=publisher.popen.stdin)
    publisher.popen.stdin.flush()
    line = publisher.popen.stdout.readline()
    if not line:
        publisher.popen.wait(10)
        publisher.check()
    return dict(json.loads(line))


def delivered(publisher: Process, node: str, port: int, folder: Path, count: int, url: str) -> None:
    """From the first job added to the last arrival."""
    with running("worker", [node, "worker.mjs", str(port), url], folder, cwd=_INSTALLED) as worker:
        _wait_until_ready(worker)
        reset(url)
        publish(publisher, "batch", count, _WARM_UP)
        reached(url, _WARM_UP)
        reset(url)
        times = publish(publisher, "batch", 0, count)
        figure, note = rate(count, times["started"], reached(url, count))
        worker.check()
    tell(figure, f"attempts 4, concurrency 64{note}")


def accepted(publisher: Process, how: str, count: int) -> None:
    """From the first job added until Redis has confirmed the last."""
    publish(publisher, how, count, _WARM_UP, _HOUR_MS)
    times = publish(publisher, how, 0, count, _HOUR_MS)
    tell(count / (times["ended"] - times["started"]))


def _wait_until_ready(worker: Process) -> None:
    end = time.monotonic() + _READY_LIMIT_S
    while worker.log.read_text().strip() != "ready":
        worker.check()
        if time.monotonic() > end:
            raise ProcessFailed(f"the worker is not ready after {_READY_LIMIT_S:g} s: {worker.last_line()}")
        time.sleep(0.01)


def main(how: str, appendfsync: str, count: int, url: str | None) -> None:
    """One run on a new Redis."""
    node = installed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            redis(folder, appendfsync) as port,
            running("publisher", [node, "publisher.mjs", str(port)], folder, cwd=_INSTALLED, pipes=True) as publisher,
        ):
            if how == "deliver":
                assert url is not None
                delivered(publisher, node, port, folder, count, url)
            else:
                accepted(publisher, how, count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None)
