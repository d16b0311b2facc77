import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import PythonSdk, Sdk, SdkError
from tests.conformance.servers import Server


@pytest.mark.account
def test_the_log_tells_the_way_of_a_message(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Newest first, from DELIVERED (once) back to CREATED, with URL, label and the retry-delay expression."""
    url = destination.hook()
    message_id = sdk.publish_json(url, {"n": 1}, label=label, retries=0, retry_delay="7000 * retried").message_id
    server.finish(message_id)
    logs, cursor = sdk.logs(message_id=message_id)
    assert cursor is None
    assert [log.state for log in logs] == ["DELIVERED", "ACTIVE", "CREATED"]
    assert {log.message_id for log in logs} == {message_id}
    assert {(log.url, log.label, log.retry_delay) for log in logs} == {(url, label, "7000 * retried")}
    assert [log.time for log in logs] == sorted((log.time for log in logs), reverse=True)


def test_the_log_tells_of_each_attempt(sdk: Sdk, server: Server, destination: Destination, label: str):
    """A failing destination: ACTIVE and ERROR for each attempt, with its status, RETRY between, FAILED at the end."""
    url = destination.hook("down")
    message_id = sdk.publish(url, "x", label=label, retries=1, retry_delay="0").message_id
    assert server.finish(message_id) == "FAILED"
    logs, _ = sdk.logs(message_id=message_id)
    states = [log.state for log in reversed(logs)]
    assert states == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "FAILED"]
    assert [log.response_status for log in logs if log.state == "ERROR"] == [500, 500]
    assert [seen.header("Upstash-Retried") for seen in destination.arrivals(url, 2)] == ["0", "1"]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_pages_hold_each_entry_once(sdk: Sdk, server: Server, destination: Destination, label: str, count: int):
    """Walking by the cursor until it is absent gives each entry once, whatever the page size."""
    published = [sdk.publish_json(destination.hook(), {"n": n}, label=label) for n in range(3)]
    for answer in published:
        server.finish(answer.message_id)
    logs, cursor = sdk.logs(count=count, label=label)
    turns = 1
    while cursor is not None:
        assert turns < 20
        page, cursor = sdk.logs(cursor=cursor, count=count, label=label)
        assert len(page) <= count
        logs, turns = logs + page, turns + 1
    found = sorted((log.message_id, log.state) for log in logs)
    assert found == sorted((a.message_id, s) for a in published for s in ("CREATED", "ACTIVE", "DELIVERED"))


@pytest.mark.parametrize("state", ["CREATED", "DELIVERED", "FAILED"])
def test_logs_by_state(sdk: Sdk, server: Server, destination: Destination, label: str, state: str):
    """A state filter leaves the entries of that state."""
    good = sdk.publish_json(destination.hook(), {}, label=label).message_id
    bad = sdk.publish_json(destination.hook("down"), {}, label=label, retries=0).message_id
    server.finish(good)
    server.finish(bad)
    expected = {"CREATED": {good, bad}, "DELIVERED": {good}, "FAILED": {bad}}[state]
    assert {log.message_id for log in sdk.logs(label=label, state=state)[0]} == expected


def test_logs_by_url(sdk: Sdk, server: Server, destination: Destination, label: str):
    """A URL filter takes the whole URL, query included."""
    url = destination.hook(rest="?a=1")
    message_id = sdk.publish_json(url, {}, label=label).message_id
    sdk.publish_json(destination.hook(), {}, label=label, delay=3600)
    server.finish(message_id)
    assert {log.message_id for log in sdk.logs(url=url)[0]} == {message_id}


def test_a_dead_letter_can_be_read_and_deleted(sdk: Sdk, server: Server, destination: Destination, label: str):
    """What failed for good lies in the DLQ with the answer that decided it, and is deleted once."""
    message_id = sdk.publish(destination.hook("down"), "x", label=label, retries=0).message_id
    assert server.finish(message_id) == "FAILED"
    (letter,) = sdk.dead_letters(label=label)
    assert (letter.message_id, letter.response_status, letter.response_body) == (message_id, 500, "it is down")
    sdk.delete_dead_letter(letter.dlq_id)
    assert sdk.dead_letters(label=label) == []
    with pytest.raises(SdkError, match="404"):
        sdk.delete_dead_letter(letter.dlq_id)


def test_several_dead_letters_go_at_once(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Bulk deletion by ids deletes those, and says how many."""
    for _ in range(3):
        server.finish(sdk.publish(destination.hook("down"), "x", label=label, retries=0).message_id)
    first, second, kept = sdk.dead_letters(label=label)
    assert sdk.delete_dead_letters([first.dlq_id, second.dlq_id]) == 2
    assert sdk.dead_letters(label=label) == [kept]


def test_one_dead_letter_can_be_read(python: PythonSdk, server: Server, destination: Destination, label: str):
    """A single get has the message's body beside the answer's."""
    message_id = python.publish(destination.hook("down"), "Olá 👋", label=label, retries=0).message_id
    server.finish(message_id)
    (letter,) = python.dead_letters(label=label)
    got = python.ask(python.client.dlq.get, letter.dlq_id)
    assert (got.dlq_id, got.message_id, got.body, got.response_status) == (letter.dlq_id, message_id, "Olá 👋", 500)


def test_an_answer_that_never_came_has_status_0(python: PythonSdk, server: Server, label: str):
    """Nobody listens at the destination: the SDK needs a number there, and 0 is none of HTTP's."""
    message_id = python.publish("http://127.0.0.1:9/nobody", "x", label=label, retries=0).message_id
    assert server.finish(message_id) == "FAILED"
    (letter,) = python.dead_letters(label=label)
    assert letter.response_status == 0
