"""One of the apps, running on its core, with a database of its own."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engine.process import LOOPBACK, Process, ProcessFailed, free_port, running
from bench.frame import ROOT
from bench.service.cores import pinned
from bench.service.server import SYNCHRONOUS
from qsops.config import DEV_USERS

__all__ = ["APP_SECRET", "KEYS", "Served", "served"]

KEYS = DEV_USERS[0].keys
APP_SECRET = "bench-app-secret"
_NAMES = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; ``database`` is a SQLite file where it has one of its own."""

    process: Process
    port: int
    database: Path

    def durability(self) -> str:
        """What the server's own connection said at its start."""
        for line in self.process.log.read_text().splitlines():
            if line.startswith(SYNCHRONOUS):
                number = line.removeprefix(SYNCHRONOUS)
                return f"{SYNCHRONOUS}{number} ({_NAMES.get(number, '?')})"
        return f"{SYNCHRONOUS}?"

    def expect(self, table: str, count: int, where: str = "true") -> None:
        """:raises ProcessFailed: unless the database has ``count`` such rows."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute(f"select count(*) from {table} where {where}").fetchone()
        if found != count:
            raise ProcessFailed(f"{table} has {found} rows of {count}")

    def expect_lines(self, what: str, count: int) -> None:
        """:raises ProcessFailed: unless ``count`` lines of the log were written."""
        lines = self.process.log.read_text().count(f'"log":"{what}"')
        if lines != count:
            raise ProcessFailed(f"the log has {lines} of {count} lines")


@contextmanager
def served(name: str, path: str, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Server ``name``, for requests to ``path``, once it takes connections; stopped at the end of the context."""
    port, database = free_port(), folder / "service.db"
    env = {
        "QSOPS_DOTENV": "off",
        "QSOPS_PORT": str(port),
        "PUBLIC_BASE_URL": f"http://{LOOPBACK}:{port}",
        # Nobody listens on the discard port.
        "QSTASH_URL": f"http://{LOOPBACK}:9",
        "QSTASH_TOKEN": DEV_USERS[0].token,
        "QSTASH_CURRENT_SIGNING_KEY": KEYS.current,
        "QSTASH_NEXT_SIGNING_KEY": KEYS.next or "",
        "INSTAGRAM_APP_SECRET": APP_SECRET,
        "INSTAGRAM_VERIFY_TOKEN": "bench",
        "INTERNAL_API_TOKEN": "bench",
        "DATABASE_URL": f"sqlite:///{database}",
        **(settings or {}),
    }
    argv = pinned([sys.executable, "-m", "bench.service.server", name, path, str(port)])
    with running("server", argv, folder, cwd=ROOT, env=env) as process:
        process.wait_for_port(port)
        yield Served(process, port, database)
