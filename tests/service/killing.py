"""A town under attack: engine and service as processes, signed load, and kill -9 at moments that a seed decides."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import psycopg

from bench.postgres import Cluster
from qsops.clock import ManualClock, SeededIds
from qsops.config import DEV_USERS
from service.instagram import updates
from service.processing import Event, Transaction
from service.rehearsal import APP_SECRET
from service.samples import ACCOUNT, encode, entry, item, post, signed_headers
from service.webhook import WEBHOOK_PATH
from tests.conformance.servers import EngineServer
from tests.conformance.waiting import until
from tests.standins.processes import ChildProcess

__all__ = ["Count", "Town", "counting"]

ROOT: Final = Path(__file__).parents[2]
AT_MS: Final = 1_767_225_600_000
#: Somebody who is not answered 200 sends the same again, as Meta does.
SENDERS: Final = 3
ASK_WITHIN_S: Final = 20.0
END_WITHIN_S: Final = 90.0
#: Of a POST, a moment apart: a database may be away for half a minute.
TRIES: Final = 10_000
#: After a kill a lease has to run out, for which a test has no minute.
LEASE_MS: Final = 1_500
SERVE: Final = f"""
import socket, sys, uvicorn
import service.relay
service.relay.LEASE_MS = {LEASE_MS}
service.relay.IDLE_MS = {LEASE_MS}
from service.app import create_app
listening = socket.socket(fileno=int(sys.argv[1]))
server = uvicorn.Server(uvicorn.Config(create_app(), log_config=None))
print("serving", flush=True)
server.run(sockets=[listening])
"""
#: A delivery in twenty goes wrong, two of five of these after it has taken effect; and a publish in twenty.
FAULTS: Final = ("503 2%", "reset 1%", "reset 2% after=true", "engine 503 5%")
COUNTED: Final = "select event_id from counted"
EFFECTS: Final = "create table if not exists counted (event_id varchar(200) not null)"


async def counting(event: Event, tx: Transaction) -> None:
    """A handler whose effect shows how often it took effect: there is no key that would hide a second one."""
    tx.execute("insert into counted (event_id) values (:id)", {"id": event.id})


@dataclass(frozen=True, slots=True)
class Count:
    """What there is at the end: ids of events, and how often each took effect."""

    received: frozenset[str]
    published: frozenset[str]
    processed: frozenset[str]
    effects: Counter[str] = field(default_factory=Counter)

    @property
    def adds_up(self) -> bool:
        """Received is published is processed, and every effect is there once."""
        return self.received == self.published == self.processed == set(self.effects) and set(
            self.effects.values()
        ) == {1}


class Town:
    """Engine, service and senders; left, all of them are ended."""

    def __init__(self, folder: Path, *, cluster: Cluster | None = None, mode: str = "direct", seed: int = 0) -> None:
        self._folder = folder
        self._cluster = cluster
        self._mode = mode
        self._database = _Postgres(cluster) if cluster else _Sqlite(folder / "service.db")
        self._random = SeededIds(ManualClock(), seed)
        self._seed = seed
        self._running = ExitStack()
        self.kills = 0

    def __enter__(self) -> Self:
        try:
            return self._begin()
        except BaseException:
            self._running.close()
            raise

    def _begin(self) -> Self:
        self._listening = self._running.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        self.engine = self._running.enter_context(
            EngineServer(self._folder, faults=FAULTS, seed=self._seed, processes=1)
        )
        self.start()
        self._running.callback(lambda: self._service.terminate())
        until(lambda: self._outbox(), "the service to be ready", END_WITHIN_S)
        self._database.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """A new process of the service, on the socket of the one before."""
        user = DEV_USERS[0]
        settings = {
            "PYTHONPATH": str(ROOT),
            "QSOPS_DOTENV": "off",
            "QSOPS_PORT": str(self._listening.getsockname()[1]),
            "QSTASH_URL": self.engine.url,
            "QSTASH_TOKEN": user.token,
            "QSTASH_CURRENT_SIGNING_KEY": user.keys.current,
            "QSTASH_NEXT_SIGNING_KEY": user.keys.next or "",
            "INSTAGRAM_APP_SECRET": APP_SECRET,
            "INSTAGRAM_VERIFY_TOKEN": "v",
            "INTERNAL_API_TOKEN": "i",
            "DATABASE_URL": self._database.url,
            "QSOPS_HANDLER": "tests.service.killing:counting",
            "QSOPS_INGEST_MODE": self._mode,
            "QSOPS_RETRIES": "100",
            "QSOPS_RETRY_DELAY": "200",
            "QSOPS_DELIVERY_TIMEOUT": "10s",
        }
        self._service = _Service(self._listening, settings, self._folder)

    def storm(self, posts: int, kills: int, *, each: int = 4, away_s: float = 0.0) -> frozenset[str]:
        """Send ``posts`` signed POSTs of ``each`` events; the events received.

        Meanwhile kill ``kills`` times, the service or, where it is a server, the database in turn. Every second time
        the database is not killed but stopped, and is away for ``away_s``.
        """
        senders = _Senders(self, posts, each)
        for number in range(kills):
            after = (number + self._random.uniform()) / kills * posts
            until(lambda after=after: senders.answered >= after or None, f"{after:.0f} answers", END_WITHIN_S, 0.002)
            if self._cluster and number % 2:
                if number % 4 == 3:
                    self._cluster.stop()
                    threading.Event().wait(away_s)
                else:
                    self._cluster.kill()
                self._cluster.start()
            else:
                self._service.kill()
                self.start()
            self.kills += 1
        return senders.join()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """The JSON of an answer of 200. :raises OSError: when there is none, or another."""
        port = self._listening.getsockname()[1]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_WITHIN_S)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise OSError(f"{method} {path} was answered {answer.status}: {content[:200]!r}")
        return json.loads(content)

    def ledger(self) -> dict[str, str]:
        """The state of each event that the service knows."""
        found: dict[str, str] = {}
        cursor: int | None = 0
        while cursor is not None:
            query = urlencode({"cursor": cursor, "limit": 1000})
            page = self.ask("GET", f"/api/internal/ledger?{query}", Authorization="Bearer i")
            found |= {event["event_id"]: event["state"] for event in page["events"]}
            cursor = page.get("cursor")
        return found

    def count(self, received: frozenset[str]) -> Count:
        """Wait until nothing is under way, then count: by the senders, the engine, the ledger and the effects."""
        until(lambda: self._is_quiet(received) or None, f"{len(received)} events to be processed", END_WITHIN_S, 0.1)
        self.engine.ask("DELETE", "/qsops/faults")
        ledger = self.ledger()
        processed = frozenset(event for event, state in ledger.items() if state == "processed")
        return Count(received, self._published(), processed, Counter(self._database.effects()))

    def _outbox(self) -> dict[str, int] | None:
        self._service.must_run()
        try:
            return self.ask("GET", "/readyz")["outbox"]  # type: ignore[no-any-return]
        except (OSError, http.client.HTTPException):
            return None

    def _is_quiet(self, received: frozenset[str]) -> bool:
        outbox = self._outbox()
        try:
            ledger = self.ledger() if outbox else {}
        except (OSError, http.client.HTTPException):
            return False
        return (
            outbox is not None
            and not outbox["queued"]
            and received <= ledger.keys()
            and set(ledger.values()) == {"processed"}
        )

    def _published(self) -> frozenset[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            query = urlencode({"count": 1000, "state": "CREATED", **({"cursor": cursor} if cursor else {})})
            page = self.engine.ask("GET", f"/v2/events?{query}")
            found |= {value for event in page["events"] for value in event["header"].get("Qsops-Event-Id", ())}
            cursor = page.get("cursor") or ""
            if not cursor:
                return frozenset(found)


class _Sqlite:
    """The file of a service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    def prepare(self) -> None:
        """Add the table of effects to what the service has made: it refuses a file that it did not make."""
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute(EFFECTS)

    def effects(self) -> list[str]:
        with closing(sqlite3.connect(self._path)) as connection:
            return [row[0] for row in connection.execute(COUNTED)]


class _Postgres:
    """A database of a cluster that may be killed."""

    def __init__(self, cluster: Cluster) -> None:
        self.url = cluster.create("town")

    def prepare(self) -> None:
        """Add the table of effects."""
        with psycopg.connect(self.url) as connection:
            connection.execute(EFFECTS)

    def effects(self) -> list[str]:
        with psycopg.connect(self.url) as connection:
            return [row[0] for row in connection.execute(COUNTED)]


class _Service(ChildProcess):
    """The service on an inherited socket: who connects between two processes waits for the second."""

    def __init__(self, listening: socket.socket, settings: dict[str, str], folder: Path) -> None:
        listening.set_inheritable(True)
        command = [sys.executable, "-c", SERVE, str(listening.fileno())]
        super().__init__(command, cwd=folder, environment=settings, pass_fds=(listening.fileno(),))
        self.wait_for_line("^serving$")

    def must_run(self) -> None:
        """:raises AssertionError: with what it said, if it has ended by itself."""
        if self._process.poll() is not None:
            self.wait_for_line("a line that it did not say")


class _Senders:
    """Threads that post, and post again what was not answered 200."""

    def __init__(self, town: Town, posts: int, each: int) -> None:
        self._town = town
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._each = each
        self._received: list[str] = []
        self._posts = posts
        self.answered = 0
        for number in range(posts):
            self._waiting.put(number)
        self._threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> frozenset[str]:
        for thread in self._threads:
            thread.join(END_WITHIN_S)
            assert not thread.is_alive(), "a sender is still at it"
        assert self.answered == self._posts
        return frozenset(self._received)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                number = self._waiting.get_nowait()
            except queue.Empty:
                return
            names = [f"mid-{number}-{index}" for index in range(self._each)]
            value = post(entry(ACCOUNT, AT_MS, messaging=[item("message", name, AT_MS) for name in names]))
            body = encode(value)
            for _ in range(TRIES):
                try:
                    self._town.ask("POST", WEBHOOK_PATH, body, **signed_headers(APP_SECRET, body))
                    break
                except (OSError, http.client.HTTPException):
                    pause.wait(0.02)
            else:
                return  # what was not answered was not received, and whoever joins us is told
            self._received += [update.id for update in updates(value)]
            self.answered += 1
