import pytest
from qstash import AsyncQStash, QStash

from scripts.fidelity.rows import method_rows
from tests.conformance.sdks import JavaScriptSdk, python_surface
from tests.conformance.servers import Server

ROWS = method_rows()


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


def listed(names: list[str | None]) -> set[str]:
    given = [name for name in names if name is not None]
    assert len(given) == len(set(given)), "a method stands in two rows"
    return set(given)


@pytest.mark.parametrize("client", [QStash, AsyncQStash])
def test_each_method_of_the_python_sdk_is_listed(client: type):
    """What the SDK offers is what docs/fidelity/sdks.toml lists: a method that it gains fails here."""
    assert python_surface(client("token")) == listed([row.python for row in ROWS])


def test_each_method_of_the_javascript_sdk_is_listed(javascript: JavaScriptSdk):
    """What a Client has at run time is what docs/fidelity/sdks.toml lists."""
    assert javascript.surface() == listed([row.javascript for row in ROWS])


def test_each_method_is_called_or_says_why_not():
    """A row has tests, which are seen to call the method, or a reason, and not both."""
    assert [row.name for row in ROWS if bool(row.tests) == bool(row.why)] == []
    assert len([row for row in ROWS if row.tests]) > 40
