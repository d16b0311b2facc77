"""An engine under load, killed at seeded moments: publisher, receiver and killer brought together."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from qsops.clock import SeededIds, SystemClock
from tests.engine.durability.engine import EngineProcess
from tests.engine.durability.publisher import Publisher
from tests.engine.durability.receiver import Receiver, receiving, seeded
from tests.engine.durability.story import Story, over_http, pages_of, read_story

__all__ = ["Scene", "scene"]

BOUND_S: Final = 60
#: A kill comes so many acceptances after the start, and then up to so many seconds later: amid something.
_ACCEPTANCES: Final = 250
_AFTER_S: Final = 0.02


class Scene:
    """What plays on one database file. ``publisher`` and ``receiver`` live on the running loop, the engine does not."""

    def __init__(
        self,
        database: Path,
        receiver: Receiver,
        lanes: Sequence[str],
        seed: int,
        environment: Mapping[str, str] | None,
    ) -> None:
        self.receiver = receiver
        self.draw = SeededIds(SystemClock(), seed).uniform
        self.publisher = Publisher(receiver, lanes, self.draw)
        self.engine: EngineProcess
        self.database = database
        self._environment = environment
        self._port = 0

    async def start(self) -> None:
        """Start an engine over the file, where the one before it was."""
        self.engine = await asyncio.to_thread(EngineProcess, self.database, self._port, self._environment)
        self._port, self.publisher.url = self.engine.port, self.engine.url
        self.publisher.up.set()

    async def kill(self) -> None:
        """SIGKILL, while requests are under way."""
        self.publisher.up.clear()
        await asyncio.to_thread(self.engine.kill)

    async def kill_deliverer(self) -> None:
        """SIGKILL to the process for deliveries alone, while requests are under way; the engine goes on."""
        async with asyncio.timeout(BOUND_S):
            while (process_id := await asyncio.to_thread(self.engine.deliverer)) is None:
                continue
        os.kill(process_id, signal.SIGKILL)

    async def a_moment(self, most: int = _ACCEPTANCES) -> None:
        """Wait for some acceptances, up to ``most``, and a little longer."""
        accepted = self.publisher.ledger.accepted
        enough = len(accepted) + int(self.draw() * most)
        async with asyncio.timeout(BOUND_S), self.receiver.progress:
            await self.receiver.progress.wait_for(lambda: len(accepted) >= enough)
        # Not a wait for something, but a moment that depends on nothing that was just answered.
        await asyncio.sleep(self.draw() * _AFTER_S)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No new request within."""
        self.publisher.up.clear()
        yield
        self.publisher.up.set()

    async def settled(self) -> Story:
        """End the load: the whole log, once all that is due has ended."""
        await self.publisher.rest()
        ledger, receiver = self.publisher.ledger, self.receiver
        async with asyncio.timeout(BOUND_S):
            async with receiver.progress:
                await receiver.progress.wait_for(lambda: ledger.due <= receiver.done)
            async with over_http(self.engine.url) as get:
                while (story := await read_story(get)).unfinished():
                    continue
        return story

    async def letters(self) -> list[str]:
        """The ids of the messages in the dead letter queue."""
        async with over_http(self.engine.url) as get:
            return [letter["messageId"] async for letter in pages_of(get, "/v2/dlq", "messages")]


@asynccontextmanager
async def scene(
    folder: Path, seed: int, lanes: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Scene]:
    """An engine that runs and is published to within; what plays is a function of ``seed``, but for the machine."""
    async with receiving(seeded(seed)) as receiver:
        scene = Scene(folder / "engine.db", receiver, lanes, seed, environment)
        await scene.start()
        try:
            # A publisher that fails ends the scene with it.
            async with asyncio.TaskGroup() as group:
                load = group.create_task(scene.publisher.run())
                yield scene
                load.cancel()
        except BaseException as error:
            error.add_note(f"the engine said:\n{scene.engine.said()}")
            raise
        finally:
            await asyncio.to_thread(scene.engine.terminate)
