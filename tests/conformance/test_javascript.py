from collections.abc import Iterator

import pytest

from tests.conformance.conftest import JAVASCRIPT
from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Node, SdkError
from tests.conformance.servers import DEV_KEYS, EngineServer, Server


def dead_letter(sdk: JavaScriptSdk, server: Server, destination: Destination, label: str) -> str:
    server.finish(sdk.publish(destination.hook("down"), "x", label=label, retries=0).message_id)
    return next(letter.dlq_id for letter in sdk.dead_letters(label=label))


def test_a_retried_dead_letter_is_a_new_message(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str
):
    """Retry answers with a new id, the entry is gone, and another delete of it is 404."""
    dlq_id = dead_letter(javascript, server, destination, label)
    answer = javascript.call("dlq.retry", dlq_id)
    (retried,) = answer["responses"]
    assert not answer.get("cursor")
    assert server.finish(retried["messageId"]) == "FAILED"
    (again,) = javascript.dead_letters(label=label)
    assert (again.message_id, again.dlq_id != dlq_id) == (retried["messageId"], True)
    with pytest.raises(SdkError, match="404"):
        javascript.delete_dead_letter(dlq_id)


@pytest.mark.parametrize("verb", ["dlq.delete", "dlq.retry"])
def test_a_filter_with_a_typo_is_refused(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str, verb: str
):
    """A bulk call whose filter is misspelled does nothing, or it would take every dead letter."""
    dead_letter(javascript, server, destination, label)
    with pytest.raises(SdkError, match="400"):
        javascript.call(verb, {"filter": {"labeel": label}})
    assert len(javascript.dead_letters(label=label)) == 1


@pytest.mark.parametrize(("verb", "counted"), [("dlq.delete", "deleted"), ("dlq.retry", "responses")])
def test_a_bulk_call_by_label_walks_to_its_end(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str, verb: str, counted: str
):
    """The documented loop "while cursor", one at a time, ends after all of them."""
    for _ in range(3):
        server.finish(javascript.publish(destination.hook("down"), "x", label=label, retries=0).message_id)
    done, cursor, turns = 0, None, 0
    while turns == 0 or cursor:
        assert turns < 5
        request = {"filter": {"label": label}, "count": 1, **({"cursor": cursor} if cursor else {})}
        answer = javascript.call(verb, request)
        done += answer[counted] if isinstance(answer[counted], int) else len(answer[counted])
        cursor, turns = answer.get("cursor"), turns + 1
    assert done == 3


@pytest.fixture(params=JAVASCRIPT)
def in_dev_mode(engine: EngineServer, empty_home: dict[str, str]) -> Iterator[JavaScriptSdk]:
    """The SDK as a developer has it: QSTASH_DEV=true, the engine's port, and nothing else."""
    port = engine.url.rpartition(":")[2]
    with Node({**empty_home, "QSTASH_DEV": "true", "QSTASH_DEV_PORT": port}) as node:
        yield JavaScriptSdk(node, {})


def test_dev_mode_finds_the_engine(in_dev_mode: JavaScriptSdk, engine: EngineServer, destination: Destination):
    """QSTASH_DEV=true takes the engine for the vendor's own server: publish, verify and logs without any setting."""
    url = destination.hook()
    published = in_dev_mode.publish_json(url, {"text": "👋"})
    assert engine.finish(published.message_id) == "DELIVERED"
    (seen,) = destination.arrivals(url)
    signature, body = seen.header("Upstash-Signature") or "", seen.body.decode()
    in_dev_mode.verify_as_configured({}, signature, body, url)
    in_dev_mode.verify(DEV_KEYS, signature, body, url)
    assert in_dev_mode.logs(message_id=published.message_id)[0][0].state == "DELIVERED"


@pytest.mark.parametrize("node", ["", "node"])
def test_a_machine_without_node_is_told_what_to_do(node: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Without Node, or without the SDK, the tests fail and name the script and the setting."""
    if node:
        monkeypatch.setattr("tests.conformance.sdks.node._JS", tmp_path)
        monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/node")
    else:
        monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(AssertionError, match=r"install\.sh, or set QSOPS_TESTS_WITHOUT_NODE=1"):
        Node()
