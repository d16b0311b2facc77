import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from qstash import AsyncQStash, QStash

from tests.conformance.account import Account, AccountDestination, asked
from tests.conformance.claims import claimed_by
from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Node, PythonSdk, Sdk
from tests.conformance.servers import EngineServer, Server, StandInServer
from tests.standins.hosted import HostedQStash

PYTHON = ["python", "python-async"]
JAVASCRIPT = ["javascript"]

#: The settings of a run against an account; None, as ever but in `make conformance`, is one against our own servers.
ACCOUNT = asked(os.environ)
SERVERS = ["stand-in", "engine"] if ACCOUNT is None else ["account"]

_labels = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "account: also holds for a real account; failing=True needs a URL that fails")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here.

    The JavaScript SDK on request: a machine that lacks Node fails these tests, with what to do. On an account all that
    is not marked for one.
    """
    wanted = [item for item in items if not _is_left_out(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    if ACCOUNT is not None:
        ACCOUNT.left_out = sorted({item.nodeid.partition("[")[0] for item in items} - {_test(item) for item in wanted})
    items[:] = wanted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ACCOUNT is not None:
        for line in ACCOUNT.report():
            terminalreporter.write_line(line)


def _is_left_out(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    wants_node = call is not None and JAVASCRIPT[0] in call.params.values()
    if wants_node and os.environ.get("QSOPS_TESTS_WITHOUT_NODE") == "1":
        return True
    mark = item.get_closest_marker("account")
    if ACCOUNT is None:
        return False
    return mark is None or (mark.kwargs.get("failing", False) and ACCOUNT.failing is None)


def _test(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


@pytest.fixture(scope="session")
def destination() -> Iterator[Destination | AccountDestination]:
    if ACCOUNT is not None:
        yield AccountDestination(ACCOUNT)
        return
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


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The account that `make conformance` was given; what the tests made in it is taken away in the end."""
    assert ACCOUNT is not None
    with ACCOUNT:
        yield ACCOUNT


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Either server; only the one that a test asks for is started."""
    return request.getfixturevalue(request.param.replace("-", "_"))


@pytest.fixture
def whole_server(request: pytest.FixtureRequest) -> Server:
    """A server that has all of QStash: the engine, or the account. The stand-in knows what client and session need."""
    return request.getfixturevalue("engine" if ACCOUNT is None else "account")


@pytest.fixture
def label(request: pytest.FixtureRequest) -> Iterator[str]:
    """A label, or a name of anything, that no other test uses: the servers live as long as the session.

    Queues and groups that begin with it are taken away from the engine in the end: a plan has only so many.
    """
    label = f"{ACCOUNT.prefix if ACCOUNT else 'label'}-{next(_labels)}"
    yield label
    server = request.node.funcargs.get("server")
    if isinstance(server, EngineServer):
        server.tidy(label)


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
    return _fresh(connect(kind, server.url, server.token))


@pytest.fixture(params=JAVASCRIPT)
def javascript(request: pytest.FixtureRequest, connect: Connect, server: Server) -> Sdk:
    """For what the JavaScript SDK alone can do."""
    return _fresh(connect(request.param, server.url, server.token))


@pytest.fixture(params=PYTHON)
def python(request: pytest.FixtureRequest, connect: Connect, server: Server) -> Sdk:
    """For what the Python SDK alone can do."""
    return _fresh(connect(request.param, server.url, server.token))


@pytest.fixture
def spare(kind: str, connect: Connect, server: Server) -> Sdk:
    """An SDK as a client of another account, whose keys a test may change."""
    return _fresh(connect(kind, server.url, server.spare_token))


def _fresh(sdk: Sdk) -> Sdk:
    sdk.called.clear()
    return sdk


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that docs/fidelity names for a method of an SDK has called it."""
    yield
    sdks = [value for value in item.funcargs.values() if isinstance(value, PythonSdk | JavaScriptSdk)]
    for language in {sdk.language for sdk in sdks}:
        called = {name for sdk in sdks if sdk.language == language for name in sdk.called}
        left = claimed_by(_test(item), language) - called
        assert not left, f"docs/fidelity/sdks.toml names this test for {sorted(left)}, which it did not call"


@pytest.fixture(autouse=True)
def _nothing_is_sent_beyond_the_budget() -> Iterator[None]:
    """A run that has used up its messages ends there."""
    yield
    if ACCOUNT is not None and ACCOUNT.stopped is not None:
        pytest.exit(ACCOUNT.stopped, returncode=3)


@pytest.fixture
def empty_home(tmp_path: Path) -> dict[str, str]:
    """A home without caches: nothing that was downloaded before can be found there."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
