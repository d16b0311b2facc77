from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qsops.cli.app import app
from qsops.clock import SystemClock
from tests.logserver import TOKEN, Log, LogServer, Settings, written

Run = Callable[..., Result]
HOUR_MS = 3_600_000


@pytest.fixture(scope="session")
def recent() -> Log:
    """A log that begins 58 hours ago, so that some messages have failed; the commands live on the machine's clock."""
    return written(8, 1_200, begins_ms=SystemClock().now_ms() - 58 * HOUR_MS, late=0.05, junk=0.01)


@pytest.fixture
def served(recent: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogServer]:
    """The account of ``--target env``; it remembers three days, and has bodies.

    Its clock stands, ahead of the commands' own, so that it is theirs by which a sync ends.
    """
    settings = Settings(bodies=True, retention_ms=72 * HOUR_MS)
    log = replace(recent, visible_ms=recent.visible_ms.copy())
    with LogServer(log, settings, now_ms=SystemClock().now_ms() + HOUR_MS) as server:
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", TOKEN)
        yield server


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``qsops --target env archive …`` in a project of its own, in this process."""
    (tmp_path / "qsops.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QSOPS_ARCHIVE", str(tmp_path / "archive"))
    return lambda *arguments: CliRunner().invoke(
        app, ["--target", "env", "archive", *map(str, arguments)], prog_name="qsops"
    )
