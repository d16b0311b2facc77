"""A copy of the engine's files from one moment, opened here: what an engine killed at that moment leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qsops.clock import ManualClock, SystemClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller
from tests.engine.durability import rules
from tests.engine.durability.ledger import Ledger, kind_of
from tests.engine.durability.receiver import Arrival
from tests.engine.durability.scene import Scene
from tests.engine.durability.story import Story, read_story

__all__ = ["Image", "take"]

#: The files of a database; its -shm is none of them: it lives in memory, and dies with the process.
_FILES: Final = ("engine.db", "engine.db-wal")


@dataclass(frozen=True, slots=True)
class Image:
    """``accepted`` and ``recalled`` are what had been answered by then; ``kind`` is ``killed`` or ``cut``."""

    kind: str
    database: Path
    url: str
    accepted: dict[str, str]
    recalled: frozenset[str]

    async def check(self) -> int:
        """See every message of it to its end, under a clock of its own; returns how many were pending.

        :raises AssertionError: when a message is lost, its state went back, it ended twice, or a queue lost its order.
        """
        clock = ManualClock(SystemClock().now_ms())
        engine = Embedded(clock=clock, db=self.database)
        try:
            found = await _story(engine)
            self._holds(found)
            receiver = engine.receiver(self.url)
            assert await engine.settle()
            self._ends_well(await _story(engine), [_arrival(one.headers, one.body) for one in receiver.received])
        finally:
            await engine.aclose()
        return len(found.states) - len(found.ended_ms)

    def _holds(self, story: Story) -> None:
        assert {key for key, message_id in self.accepted.items() if message_id not in story.states} == set()
        rules.states_go_forward(story)

    def _ends_well(self, story: Story, arrivals: list[Arrival]) -> None:
        rules.states_go_forward(story)
        rules.queues_keep_their_order(arrivals)
        assert story.states.keys() == story.ended_ms.keys()
        for key, message_id in self.accepted.items():
            assert _end(key, key in self.recalled) & {story.states[message_id][-1]}, (key, story.states[message_id])
        wrong = [came for came in arrivals if self.accepted.get(came.key, came.message_id) != came.message_id]
        assert wrong == []


def take(scene: Scene, folder: Path, synced: Path | None = None) -> list[Image]:
    """Hold the engine, and copy its files as they stand; with ``synced``, as they were at their last syncs, too."""
    with scene.engine.held():
        ledger = scene.publisher.ledger
        images = [_copied("killed", scene.database.parent, folder, ledger, scene.receiver.url)]
        if synced is not None:
            images.append(_copied("cut", synced, folder, ledger, scene.receiver.url))
    return images


def _copied(kind: str, source: Path, folder: Path, ledger: Ledger, url: str) -> Image:
    target = folder / kind
    target.mkdir()
    for name in _FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    return Image(kind, target / "engine.db", url, dict(ledger.accepted), frozenset(ledger.recalled))


def _end(key: str, recalled: bool) -> set[str]:
    """How a message may end when from now on every attempt succeeds, and time passes."""
    if recalled:
        return {"CANCELED"}
    return {"doomed": {"DELIVERED", "FAILED"}, "recalled": {"DELIVERED", "CANCELED"}}.get(kind_of(key), {"DELIVERED"})


def _arrival(headers: tuple[tuple[str, str], ...], body: bytes) -> Arrival:
    named = {name.lower(): value for name, value in headers}
    key = "reported.0.0" if body.startswith(b"{") else body.decode()
    return Arrival(0, named["upstash-message-id"], int(named["upstash-retried"]), key)


async def _story(engine: Embedded) -> Story:
    caller = Caller(engine.send)

    async def get(path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return (await caller.ask("GET", path, **query)).json

    return await read_story(get)
