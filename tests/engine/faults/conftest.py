from tests.engine.manual.conftest import caller, clock, engine, pytest_asyncio_loop_factories

__all__ = ["caller", "clock", "engine", "pytest_asyncio_loop_factories"]
