from pathlib import Path

import pytest

from tests.engine.durability import rules
from tests.engine.durability.publisher import LANES, QUEUES
from tests.engine.durability.scene import scene
from tests.examples import TIMES

KILLS = 7
QUEUE_KILLS = 3
DELIVERER_KILLS = 3
#: The soak plays it with more.
SEEDS = range(1, 1 + TIMES)


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_again_and_again_under_load(tmp_path: Path, seed: int):
    """kill -9 amid publishing, delivering and retrying: what was answered holds, and the log tells one straight story.

    The publisher keeps what it was answered, the receiver what came; the engine is believed nothing.
    """
    async with scene(tmp_path, seed, LANES) as played:
        for _ in range(KILLS):
            await played.a_moment()
            await played.kill()
            await played.start()
        story = await played.settled()
        letters = await played.letters()
    ledger, receiver = played.publisher.ledger, played.receiver
    assert set(ledger.count()) == {"plain", "batch", "once", "reported", "doomed", "later", "recalled"}
    assert len(ledger.lost) >= KILLS // 2, "the kills hit few requests"
    rules.nothing_is_lost(ledger, receiver, story)
    rules.nothing_unasked(ledger, receiver)
    rules.ids_stand(ledger, receiver)
    rules.batches_are_whole(ledger, receiver)
    rules.states_go_forward(story)
    rules.ends_are_ends(receiver, story)
    rules.letters_match(story, letters)
    rules.every_attempt_is_reported(ledger, receiver, story)


async def test_deliveries_killed_again_and_again_under_load(tmp_path: Path):
    """kill -9 of the process that delivers, and of it alone: every message comes, none fails, and no retry is spent.

    What it held is made again under the same id, and the engine answers its publishers all the while.
    """
    async with scene(tmp_path, 4, LANES) as played:
        for _ in range(DELIVERER_KILLS):
            await played.a_moment()
            await played.kill_deliverer()
        story = await played.settled()
        letters = await played.letters()
        said = played.engine.said()
    ledger, receiver = played.publisher.ledger, played.receiver
    assert said.count("the process that delivers has ended") >= DELIVERER_KILLS, said
    assert "made again" in said, "the kills hit no attempt"
    assert ledger.lost == []
    rules.nothing_is_lost(ledger, receiver, story)
    rules.nothing_unasked(ledger, receiver)
    rules.ids_stand(ledger, receiver)
    rules.retries_are_earned(receiver)
    rules.states_go_forward(story)
    rules.ends_are_ends(receiver, story)
    rules.letters_match(story, letters)
    rules.every_attempt_is_reported(ledger, receiver, story)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_queue_keeps_its_order_through_kills(tmp_path: Path, seed: int):
    """kill -9 amid queues whose receivers fail, stall and drop: none overtakes, none is lost, each ends once."""
    async with scene(tmp_path, seed, QUEUES) as played:
        for _ in range(QUEUE_KILLS):
            await played.a_moment()
            await played.kill()
            await played.start()
        story = await played.settled()
    ledger, receiver = played.publisher.ledger, played.receiver
    assert ledger.count()["queued"] >= QUEUE_KILLS * len(QUEUES)
    rules.queues_keep_their_order(receiver.arrivals)
    rules.nothing_is_lost(ledger, receiver, story)
    rules.nothing_unasked(ledger, receiver)
    rules.ids_stand(ledger, receiver)
    rules.states_go_forward(story)
    rules.ends_are_ends(receiver, story)
