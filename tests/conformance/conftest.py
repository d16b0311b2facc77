import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from qstash import AsyncQStash, QStash

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, PythonSdk, Sdk
from tests.conformance.servers import EngineServer, Server, StandInServer
from tests.standins.hosted import HostedQStash

PYTHON = ["python", "python-async"]
# Left out only on request, and never silently: a machine that lacks Node fails these tests with what to do.
JAVASCRIPT = [] if os.environ.get("QSOPS_TESTS_WITHOUT_NODE") == "1" else ["javascript"]

_labels = itertools.count(1)


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


@pytest.fixture(params=PYTHON + JAVASCRIPT)
def sdk(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    """Each official SDK as a client of the server."""
    yield from client(request.param, server, monkeypatch)


@pytest.fixture(params=JAVASCRIPT)
def javascript(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    """For what the JavaScript SDK alone can do."""
    yield from client(request.param, server, monkeypatch)


@pytest.fixture(params=PYTHON)
def python(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    """For what the Python SDK alone can do."""
    yield from client(request.param, server, monkeypatch)


def client(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sdk = connect(kind, server.url, server.token)
    yield sdk
    sdk.close()


def connect(kind: str, url: str, token: str) -> Sdk:
    if kind == "python":
        return PythonSdk(QStash(token, retry=False, base_url=url))
    if kind == "python-async":
        return PythonSdk(AsyncQStash(token, retry=False, base_url=url))
    return JavaScriptSdk({"baseUrl": url, "token": token, "retry": False})


@pytest.fixture
def empty_home(tmp_path: Path) -> dict[str, str]:
    """A home without caches: nothing that was downloaded before can be found there."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
