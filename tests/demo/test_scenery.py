from pathlib import Path

from qsops.clock import ManualClock, SeededIds
from qsops.demo.scenery import prepare


def test_the_last_runs_are_kept(tmp_path: Path):
    """A new run clears away the older ones, but the last two, and none that still has a process."""
    clock = ManualClock()
    ids = SeededIds(clock)
    first = prepare(tmp_path, None, ids).folder
    (first / "engine.pid").write_text("1\n")
    others = []
    for _ in range(4):
        clock.advance(1_000)
        others.append(prepare(tmp_path, None, ids).folder)
    assert sorted(path for path in (tmp_path / ".qsops/demo").iterdir()) == sorted([first, *others[-3:]])


def test_the_processes_are_told_nothing_but_the_run(tmp_path: Path):
    """Each program's settings name this machine and this run's own files alone."""
    scenery = prepare(tmp_path, tmp_path / "run", SeededIds(ManualClock()))
    told = scenery.service().settings
    assert told["QSTASH_URL"] == scenery.local.engine_url
    assert told["DATABASE_URL"] == f"sqlite:///{tmp_path}/run/service.db"
    assert told["PUBLIC_BASE_URL"] == scenery.local.service_url
    assert scenery.engine().settings == {}
    assert repr(scenery).count(scenery.local.internal_token) == 0
