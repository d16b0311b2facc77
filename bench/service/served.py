"""One of the apps, running on its core, and what it has left in its database and log."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine.process import LOOPBACK, Process, ProcessFailed, free_port, running
from bench.frame import ROOT
from bench.service.cores import pinned
from bench.service.server import SYNCHRONOUS
from qsops.config import DEV_USERS

__all__ = ["APP_SECRET", "KEYS", "Served", "served"]

KEYS = DEV_USERS[0].keys
APP_SECRET = "bench-app-secret"
SQLITE = "sqlite:///"
_NAMES = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; ``database`` is the URL of the one it has if it is ours."""

    process: Process
    port: int
    database: str

    def durability(self) -> str:
        """What the database says of the commits of a connection: of the server's own where that may differ."""
        if not self.database.startswith(SQLITE):
            fsync, commit = (self._ask(f"show {name}") for name in ("fsync", "synchronous_commit"))
            return f"fsync={fsync}, synchronous_commit={commit}"
        for line in self.process.log.read_text().splitlines():
            if line.startswith(SYNCHRONOUS):
                number = line.removeprefix(SYNCHRONOUS)
                return f"{SYNCHRONOUS}{number} ({_NAMES.get(number, '?')})"
        raise ProcessFailed("the server does not say how it commits")

    def expect(self, table: str, count: int, where: str = "1 = 1") -> None:
        """:raises ProcessFailed: unless the database has ``count`` such rows."""
        found = self._ask(f"select count(*) from {table} where {where}")
        if found != count:
            raise ProcessFailed(f"{table} has {found} rows of {count}")

    def _ask(self, sql: str) -> Any:
        if self.database.startswith(SQLITE):
            path = self.database.removeprefix(SQLITE)
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as lite:
                return lite.execute(sql).fetchone()[0]
        import psycopg

        with psycopg.connect(self.database) as postgres:
            row = postgres.execute(sql).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None

    def expect_lines(self, what: str, count: int) -> None:
        """:raises ProcessFailed: unless ``count`` lines of the log were written."""
        lines = self.process.log.read_text().count(f'"log":"{what}"')
        if lines != count:
            raise ProcessFailed(f"the log has {lines} of {count} lines")


@contextmanager
def served(name: str, path: str, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Server ``name``, for requests to ``path``, once it takes connections; stopped at the end of the context."""
    port = free_port()
    database = (settings or {}).get("DATABASE_URL") or f"{SQLITE}{folder / 'service.db'}"
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
        **(settings or {}),
        "DATABASE_URL": database,
    }
    argv = pinned([sys.executable, "-m", "bench.service.server", name, path, str(port)])
    with running("server", argv, folder, cwd=ROOT, env=env) as process:
        process.wait_for_port(port)
        yield Served(process, port, database)
