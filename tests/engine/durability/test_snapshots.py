from pathlib import Path

import pytest

from tests.engine.durability.disk import Disk
from tests.engine.durability.publisher import LANES, QUEUES
from tests.engine.durability.round import play

SNAPSHOTS = 10


@pytest.mark.parametrize("lanes", [LANES, QUEUES], ids=["publish", "enqueue"])
async def test_any_moment_is_good_enough_to_be_killed_at(tmp_path: Path, lanes: tuple[str, ...]):
    """Of the files as they stand at any moment a new engine makes all that was answered by then, and ends it well."""
    played = await play(tmp_path, 4, lanes, SNAPSHOTS)
    assert played.images == SNAPSHOTS
    assert played.pending > 0


async def test_the_power_may_be_cut_at_any_moment(tmp_path: Path, disk: Disk):
    """The same of the files as they were at their last syncs: a 2xx means on disk, not on its way there."""
    played = await play(tmp_path, 5, LANES, SNAPSHOTS, disk)
    assert played.images == 2 * SNAPSHOTS
    assert played.pending > 0
