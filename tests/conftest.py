import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engine.durability.disk import compiled
from tests.examples import EXAMPLES, IS_SOAK

# Settings of the person who runs the tests: none of them may reach a test.
_SETTINGS = re.compile(
    r"QSTASH|^QSOPS_(?!TESTS_)|^INSTAGRAM_|^INTERNAL_API_TOKEN$|^PUBLIC_BASE_URL$|^DATABASE_URL$|^VERCEL|^ALLOWED_HOSTS$"
    r"|^ALERT_WEBHOOK_URL$"
)
for _name in [name for name in os.environ if _SETTINGS.search(name)]:
    del os.environ[_name]
os.environ["QSOPS_DOTENV"] = "off"

settings.register_profile("qsops", max_examples=EXAMPLES, derandomize=not IS_SOAK, deadline=None, print_blob=True)
settings.load_profile("qsops")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the failing disks out on request; where there is no cc to make them they fail, and say what to do."""
    if os.environ.get("QSOPS_TESTS_WITHOUT_CC") != "1":
        return
    left_out = [item for item in items if "library" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What makes disks fail: once a run, for the engine's and for the service's."""
    return compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a machine on which nothing was set."""
    monkeypatch.delenv("QSOPS_DOTENV", raising=False)


@pytest.fixture(autouse=True)
def _surroundings_are_given_back() -> Iterator[None]:
    """Serving makes the process its own: neither the environment nor the path it sets may reach the next test."""
    environment, path = dict(os.environ), list(sys.path)
    yield
    sys.path[:] = path
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
