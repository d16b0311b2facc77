"""The engine as a user runs it: ``qsops engine`` on a file, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from bench.engine.answer import get
from bench.engine.process import LOOPBACK, Process, free_port, running
from bench.frame import ROOT
from qsops.config.dev_users import DEV_USERS

__all__ = ["TOKEN", "LocalEngine", "engine"]

TOKEN = DEV_USERS[0].token
#: pragma synchronous, as SQLite numbers it.
_SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
_SETTINGS = {"QSOPS_DOTENV": "off", "QSTASH_URL": "", "QSTASH_TOKEN": ""}


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """A running engine."""

    process: Process
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def get(self, path: str, timeout_s: float = 30.0) -> bytes:
        """The body of a 200. :raises HTTPError: for any other answer."""
        return get(f"{self.url}{path}", TOKEN, timeout_s)

    def durability(self) -> str:
        """What the engine's own connection says of its commits, e.g. "synchronous=2 (FULL)"."""
        try:
            told = json.loads(self.get("/qsops/status"))
        except HTTPError as error:
            return f"synchronous=? (/qsops/status answers {error.code})"
        number = told.get("synchronous")
        return f"synchronous={number} ({_SYNCHRONOUS.get(number, '?')}), journal_mode={told.get('journal_mode', '?')}"


@contextmanager
def engine(db: Path) -> Iterator[LocalEngine]:
    """`qsops engine` on ``db``, once it takes connections; stopped at the end of the context."""
    port = free_port()
    argv = [sys.executable, "-m", "qsops", "engine", "--port", str(port), "--db", str(db)]
    with running("engine", argv, db.parent, cwd=ROOT, env=_SETTINGS) as process:
        process.wait_for_port(port)
        yield LocalEngine(process, port)
