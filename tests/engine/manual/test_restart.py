from pathlib import Path

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller

URL = "https://shop.test/hook"


async def test_a_second_engine_makes_no_id_of_the_first(clock: ManualClock, tmp_path: Path):
    """On the same file, under the same seed and at the same time: ids go on where they were."""
    made: list[str] = []
    for _ in range(3):
        engine = Embedded(clock=clock, db=tmp_path / "engine.db")
        made.append(await Caller(engine.send).publish(URL))
        await engine.aclose()
    assert made == sorted(set(made))
    assert len(made) == 3


async def test_a_file_of_a_later_clock_is_gone_on_with(tmp_path: Path):
    """A clock that begins again at its epoch, as that of each new process does, makes no id that is taken."""
    made: list[str] = []
    for start_ms in (5_000_000_000_000, 4_000_000_000_000):
        engine = Embedded(clock=ManualClock(start_ms), db=tmp_path / "engine.db")
        made.append(await Caller(engine.send).publish(URL))
        await engine.aclose()
    assert made == sorted(set(made))
