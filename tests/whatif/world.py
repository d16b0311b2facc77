"""A world whose truth is known: destinations with hidden outages, and the engine run over it under any policy.

What a destination does is a function of the world's seed, the message and the moment alone. So two runs under two
policies meet the same world: an attempt that both make at the same moment ends alike.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from qsops import connect, fold
from qsops.clock import EPOCH_MS, ManualClock
from qsops.models import FlowControl
from qsops.publish import message
from qsops.whatif import Policy

URL = "https://hidden.example/hook"


@dataclass(frozen=True)
class Trouble:
    """From ``from_ms`` to ``to_ms`` (after the epoch) a share ``depth`` of attempts ends badly.

    ``answer`` is a status, or 0 for no answer at all. ``asks_s`` is a Retry-After that comes with it. Good answers take
    ``slower`` times as long.
    """

    from_ms: int
    to_ms: int
    depth: float = 1.0
    answer: int = 503
    asks_s: int | None = None
    slower: float = 1.0


@dataclass(frozen=True)
class World:
    """Messages by their times of publishing, troubles, the messages that never succeed, and how fast answers are."""

    seed: int
    arrivals_ms: tuple[int, ...]
    troubles: tuple[Trouble, ...]
    poison: frozenset[int] = frozenset()
    poison_answer: int = 500
    usual_share: float = 0.0
    latency_ms: float = 120.0

    def drawn(self, *key: object) -> float:
        """From [0, 1), the same for the same key."""
        digest = blake2b(f"{self.seed}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def trouble(self, at_ms: int) -> Trouble | None:
        """What is wrong at that time."""
        return next((one for one in self.troubles if one.from_ms <= at_ms < one.to_ms), None)


@dataclass
class Destination:
    """The world as an ASGI app."""

    world: World
    clock: ManualClock
    began: list[tuple[int, int]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await _lifespan(receive, send)
            return
        number = int((await receive())["body"])
        at_ms = self.clock.now_ms() - EPOCH_MS
        self.began.append((at_ms, number))
        status, headers = await self._answer(number, at_ms)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, number: int, at_ms: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        world, trouble = self.world, self.world.trouble(at_ms)
        took_s = world.latency_ms / 1000 * math.exp(0.5 * _normal(world.drawn("latency", number, at_ms)))
        fails = world.drawn("fails", number, at_ms) < (trouble.depth if trouble else world.usual_share)
        if trouble is not None and fails:
            if trouble.answer == 0:
                await asyncio.Event().wait()
            await asyncio.sleep(took_s)
            asks = [] if trouble.asks_s is None else [(b"retry-after", str(trouble.asks_s).encode())]
            return trouble.answer, asks
        await asyncio.sleep(took_s * (trouble.slower if trouble else 1.0))
        return (world.poison_answer if number in world.poison else 500 if fails else 200), []


@dataclass(frozen=True)
class Run:
    """What the engine's log says of a world under one policy."""

    logs: pd.DataFrame
    attempts: pd.DataFrame
    messages: pd.DataFrame


def run(world: World, policy: Policy) -> Run:
    """The engine over ``world``: each message is published at its time under ``policy``, and seen to its end."""
    clock = ManualClock()
    with connect(clock=clock, seed=world.seed) as session:
        session.mount(URL, Destination(world, clock))
        engine = session._wiring.need_engine("run")

        async def publish() -> None:
            # On the session's own loop: a hand-over between threads for each message takes longer than all the rest.
            for number, at_ms in enumerate(world.arrivals_ms):
                await engine.advance(EPOCH_MS + at_ms - clock.now_ms())
                await session.client.publish(message(URL, body=str(number), **_options(policy)))

        session.run(publish)
        session.settle()
        logs = session.logs()
    folded = fold.fold(logs)
    return Run(logs, folded.attempts, folded.messages)


def _options(policy: Policy) -> dict[str, Any]:
    """Arguments of publish; what the policy does not set is left out."""
    flow = FlowControl("what-if", rate=policy.rate, period_s=policy.period_s, parallelism=policy.parallelism)
    given = {
        "retries": policy.retries,
        "retry_delay": policy.retry_delay,
        "timeout": policy.timeout_s,
        "flow_control": flow if policy.gated else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _normal(share: float) -> float:
    return NormalDist().inv_cdf(min(max(share, 1e-9), 1 - 1e-9))


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def poisson(generator: np.random.Generator, count: int, span_ms: int) -> tuple[int, ...]:
    """``count`` times within ``span_ms``, whole milliseconds, ascending and distinct."""
    return tuple(sorted({int(one) for one in generator.uniform(0, span_ms, count)}))
