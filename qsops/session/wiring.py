"""The one place where hosted, local and embedded are told apart: each becomes the same set of parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from qsops.client import DEFAULT_POLICY, Client, HttpTransport, ReadOnlyTransport, RetryPolicy, Transport
from qsops.clock import Clock, Ids, ManualClock, SeededIds, SystemClock, SystemIds
from qsops.config import Target
from qsops.engine.embedded import Embedded
from qsops.engine.virtual import VirtualLoop
from qsops.errors import ReadOnly, SettingsError
from qsops.session.consumers import Consumers
from qsops.session.portal import Portal

__all__ = ["IMPATIENT", "Wiring", "wire"]

#: For questions whose answer is how the service does: asking again would hide that.
IMPATIENT: Final = RetryPolicy(faults=0, bursts=0)
#: A local engine is up, or it is not: who forgot to start it is told at once.
ON_THIS_MACHINE: Final = RetryPolicy(may_start=False)


@dataclass(slots=True, repr=False)
class Wiring:
    """A session's parts. ``engine`` is there on the embedded target alone."""

    target: Target
    root: Path
    env: Mapping[str, str]
    may_write: bool
    clock: Clock
    ids: Ids
    portal: Portal
    transport: Transport
    any_client: Client
    consumers: Consumers
    engine: Embedded | None
    opened_ms: int
    #: Messages published here that nobody has seen finished yet.
    published: set[str] = field(default_factory=set)

    def need_write(self, verb: str) -> None:
        """Refuse ``verb`` before anything is done for it.

        :raises ReadOnly: the session is hosted and was not opened for writing.
        """
        if not self.may_write:
            raise ReadOnly(f"{verb}: the session on {self.target.name!r} only reads: connect(…, write=True) or --write")

    def need_engine(self, verb: str) -> Embedded:
        """The engine in this process.

        :raises SettingsError: the session speaks to another one, whose time and apps are not ours.
        """
        if self.engine is None:
            raise SettingsError(
                f"{verb} works on the embedded engine alone, and this session is on {self.target.name!r}: "
                f"wait there with settle()"
            )
        return self.engine

    def client(self, verb: str) -> Client:
        """The client for ``verb``.

        :raises SettingsError: naming the setting, if there is no token.
        """
        self.target.need("token", verb=verb)
        return self.any_client

    def impatient(self, verb: str) -> Client:
        """A client that asks once."""
        token = self.target.need("token", verb=verb)
        return Client(self.transport, token, clock=self.clock, ids=self.ids, policy=IMPATIENT)


@dataclass(slots=True)
class _Closing:
    """What is closed with the session, the latest first."""

    parts: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    async def __call__(self) -> None:
        while self.parts:
            await self.parts.pop()()


def wire(target: Target, root: Path, env: Mapping[str, str], *, write: bool, clock: Clock | None, seed: int) -> Wiring:
    """The parts of a session on ``target``.

    :raises SettingsError: ``clock`` cannot serve that target.
    """
    if target.kind == "embedded":
        return _embedded(target, root, env, clock, seed)
    return _over_http(target, root, env, write or target.kind == "local", clock or SystemClock())


def _embedded(target: Target, root: Path, env: Mapping[str, str], clock: Clock | None, seed: int) -> Wiring:
    manual = ManualClock() if clock is None else clock
    if not isinstance(manual, ManualClock):
        raise SettingsError(f"clock: the embedded engine runs on a ManualClock, got {type(manual).__name__}")
    closing = _Closing()
    portal = Portal(lambda: VirtualLoop(manual), closing)

    async def engine_on_loop() -> Embedded:
        engine = Embedded(clock=manual, seed=seed)
        closing.parts.append(engine.aclose)
        return engine

    engine = portal.call(engine_on_loop)
    # The engine draws from the same seed: a seed of its own keeps the client's ids apart from the engine's.
    ids = SeededIds(manual, seed + 1)

    async def let_time_pass(seconds: float) -> None:
        await engine.advance(round(seconds * 1000))

    client = Client(engine, target.token or "", clock=manual, ids=ids, sleep=let_time_pass)
    consumers = Consumers(engine, target.consumer_url, target.internal_token)
    closing.parts.append(consumers.aclose)
    return Wiring(
        target, root, env, True, manual, ids, portal, engine, client, consumers, engine, opened_ms=manual.now_ms()
    )


def _over_http(target: Target, root: Path, env: Mapping[str, str], may_write: bool, clock: Clock) -> Wiring:
    closing = _Closing()
    portal = Portal(asyncio.new_event_loop, closing)
    local = target.kind == "local"
    http = HttpTransport(target.url, if_unreachable="start an engine there: qsops engine" if local else "")
    transport: Transport = http if may_write else ReadOnlyTransport(http, target.name)
    ids = SystemIds(clock)
    policy = ON_THIS_MACHINE if local else DEFAULT_POLICY
    client = Client(transport, target.token or "", clock=clock, ids=ids, policy=policy)
    consumers = Consumers(None, target.consumer_url, target.internal_token)
    closing.parts += [transport.aclose, consumers.aclose]
    return Wiring(
        target, root, env, may_write, clock, ids, portal, transport, client, consumers, None, opened_ms=clock.now_ms()
    )
