import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from qstash import AsyncQStash, QStash

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Node, PythonSdk, Sdk
from tests.conformance.servers import EngineServer, Server, StandInServer
from tests.standins.hosted import HostedQStash

PYTHON = ["python", "python-async"]
JAVASCRIPT = ["javascript"]

_labels = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the JavaScript SDK out on request; a machine that lacks Node fails these tests, with what to do."""
    if os.environ.get("QSOPS_TESTS_WITHOUT_NODE") != "1":
        return
    left_out = [item for item in items if _wants_node(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not _wants_node(item)]


def _wants_node(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    return call is not None and JAVASCRIPT[0] in call.params.values()


@pytest.fixture(scope="session")
def destination() -> Iterator[Destination]:
    with Destination() as server:
        yield server


@pytest.fixture(scope="session")
def stand_in() -> Iterator[Server]:
    with HostedQStash() as hosted:
        yield StandInServer(hosted)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with EngineServer(tmp_path_factory.mktemp("engine")) as server:
        yield server


@pytest.fixture(params=["stand-in", "engine"])
def server(request: pytest.FixtureRequest) -> Server:
    """Either server; only the one that a test asks for is started."""
    return request.getfixturevalue(request.param.replace("-", "_"))


@pytest.fixture
def label() -> str:
    """A label that no other test uses: the servers live as long as the session."""
    return f"label-{next(_labels)}"


class Connect(Protocol):
    def __call__(self, kind: str, url: str, token: str) -> Sdk: ...


@pytest.fixture(scope="session")
def connect() -> Iterator[Connect]:
    """Makes SDKs as clients of a server, each once: to start Node, or to load certificates, takes a while."""
    with ExitStack() as opened:
        opened.enter_context(pytest.MonkeyPatch.context()).setenv("NO_PROXY", "127.0.0.1")
        node = cache(lambda: opened.enter_context(Node()))

        @cache
        def connect(kind: str, url: str, token: str) -> Sdk:
            if kind == "javascript":
                return JavaScriptSdk(node(), {"baseUrl": url, "token": token, "retry": False})
            client = {"python": QStash, "python-async": AsyncQStash}[kind]
            return opened.enter_context(closing(PythonSdk(client(token, retry=False, base_url=url))))

        yield connect


@pytest.fixture(params=PYTHON + JAVASCRIPT)
def kind(request: pytest.FixtureRequest) -> str:
    """Which SDK."""
    return request.param


@pytest.fixture
def sdk(kind: str, connect: Connect, server: Server) -> Sdk:
    """Each official SDK as a client of the server."""
    return connect(kind, server.url, server.token)


@pytest.fixture(params=JAVASCRIPT)
def javascript(request: pytest.FixtureRequest, connect: Connect, server: Server) -> Sdk:
    """For what the JavaScript SDK alone can do."""
    return connect(request.param, server.url, server.token)


@pytest.fixture(params=PYTHON)
def python(request: pytest.FixtureRequest, connect: Connect, server: Server) -> Sdk:
    """For what the Python SDK alone can do."""
    return connect(request.param, server.url, server.token)


@pytest.fixture
def empty_home(tmp_path: Path) -> dict[str, str]:
    """A home without caches: nothing that was downloaded before can be found there."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
