"""The session: one target, and what can be done there; this file holds its life and its looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from qsops.client import Client, Transport
from qsops.clock import Clock
from qsops.config import Target
from qsops.doctor import Check
from qsops.session.banner import Banner, Health
from qsops.session.catalog import Flow, Groups, Queues, Schedules
from qsops.session.examination import examination, health
from qsops.session.nouns import DeadLetters, Keys
from qsops.session.reading import Reading
from qsops.session.rehearsing import Rehearsing
from qsops.session.sending import Sending
from qsops.session.wiring import Wiring

if TYPE_CHECKING:  # The SDK, and the archive's libraries, are loaded by whoever wants them.
    from qstash import QStash

    from qsops.session.archives import SessionArchive

__all__ = ["Session"]


class Session(Sending, Reading, Rehearsing):
    """Opened by :func:`qsops.connect`, closed by ``close()`` or at the end of a ``with``.

    Every verb waits for its answer, in plain Python, inside a running event loop and in a notebook; Ctrl-C cancels it.
    All of them raise the tree of :mod:`qsops.errors`.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._health = Health("unknown") if wiring.engine is None else Health("healthy", "in this process")
        #: Dead letters: list, get, retry, delete.
        self.dlq = DeadLetters(wiring)
        #: Signing keys: show, rotate.
        self.keys = Keys(wiring)
        #: Queues: list, get, upsert, pause, resume, delete.
        self.queues = Queues(wiring)
        #: Schedules: list, get, upsert, pause, resume, delete.
        self.schedules = Schedules(wiring)
        #: URL groups: list, get, upsert, remove, set_defaults, delete.
        self.groups = Groups(wiring)
        #: Flow control: list, get, account, pause, resume, pin, unpin, reset_rate.
        self.flow = Flow(wiring)

    @property
    def target(self) -> Target:
        """Where the session leads; its secrets are not shown."""
        return self._wiring.target

    @property
    def clock(self) -> Clock:
        """What tells the session's time: on the embedded engine a ManualClock."""
        return self._wiring.clock

    @property
    def client(self) -> Client:
        """The async client under the verbs, for coroutines on the session's own loop."""
        return self._wiring.client("client")

    @property
    def transport(self) -> Transport:
        """What carries requests; on a session that only reads it refuses all but GET."""
        return self._wiring.transport

    @property
    def sdk(self) -> QStash:
        """The official SDK's client, sync, over this session's transport and guards."""
        from qsops.client.sdk import sdk

        wiring = self._wiring
        token = wiring.target.need("token", verb="sdk")
        return sdk(lambda request: wiring.portal.call(lambda: wiring.transport.send(request)), token)

    def health(self) -> Health:
        """Ask the service how it does, once; the answer is remembered for the session's looks."""
        if self._wiring.engine is None:
            self._health = self._wiring.portal.call(lambda: health(self._wiring))
        return self._health

    def doctor(self) -> tuple[Check, ...]:
        """Settings, token, region, keys, reachability, retry horizon, clock skew: what was seen, what to do."""
        return self._wiring.portal.call(lambda: examination(self._wiring))

    def archive(self, path: str | Path | None = None) -> SessionArchive:
        """The archive at ``path``, a folder or ``s3://BUCKET/PREFIX``, which keeps this account's log.

        Unless it is named, that of ``QSOPS_ARCHIVE``, or ``.qsops/archive``. It is made by its first sync.
        """
        from qsops.archive.places import place, store_at
        from qsops.session.archives import SessionArchive

        env = self._wiring.env
        return SessionArchive(store_at(place(path, env, self._wiring.root), env), self._wiring)

    def close(self) -> None:
        """Let go of connections, the embedded engine and the thread; closing twice is harmless."""
        self._wiring.portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._banner().text()

    def _repr_html_(self) -> str:
        return self._banner().html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """A notebook's first cell shows how the service does; a bare repr never asks, since debuggers call it."""
        if self._health.status == "unknown" and not self._wiring.portal.closed:
            self.health()
        banner = self._banner()
        return {"text/plain": banner.text(), "text/html": banner.html()}

    def _banner(self) -> Banner:
        target = self._wiring.target
        return Banner(
            target=target.name if target.kind == target.name else f"{target.name} ({target.kind})",
            region=target.region or "none",
            access="read and write" if self._wiring.may_write else "read only",
            health=Health("closed") if self._wiring.portal.closed else self._health,
        )
