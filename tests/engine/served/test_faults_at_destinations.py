import pytest

from qsops.errors import SettingsError
from tests.engine.served.conftest import Hook, Serve


async def test_faults_are_set_from_the_start(serve: Serve, hook: Hook):
    """What the command line names is met over sockets too, and can be taken back while the engine runs."""
    async with serve(faults=["503 host=127.0.0.1", "latency=10ms"], seed=3) as running:
        first = await running.caller.publish(f"{hook.url}/", retries=1, retry_delay="10")
        await running.reaches(first, "FAILED")
        assert hook.bodies == []
        await running.caller.ask("DELETE", "/qsops/faults/fault_1")
        second = await running.caller.publish(f"{hook.url}/", b"again")
        await running.reaches(second, "DELIVERED")
        assert hook.bodies == [b"again"]


async def test_a_fault_that_cannot_be_read_starts_nothing(serve: Serve):
    """It is refused by its text before a port is taken."""
    with pytest.raises(SettingsError, match="fault '7xx'"):
        async with serve(faults=["7xx"]):
            raise AssertionError
