from pathlib import Path

from tests.engine.served.conftest import Serve


async def test_an_engine_tells_how_it_runs(serve: Serve, tmp_path: Path):
    """Its plan and region, and that what it commits is on disk: whoever measures it reads that back."""
    path = tmp_path / "engine.db"
    async with serve(db=path, quota="free") as running:
        status = (await running.caller.ask("GET", "/qsops/status")).json
    assert (status["plan"], status["region"], status["inFlight"]) == ("free", None, 0)
    assert (status["database"], status["synchronous"], status["journal_mode"]) == (str(path), 2, "wal")
    assert status["now"] > 1_700_000_000_000
