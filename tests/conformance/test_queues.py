import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Sdk, SdkError
from tests.conformance.servers import Server
from tests.conformance.waiting import until


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@pytest.mark.account
def test_a_queue_is_made_changed_listed_and_deleted(sdk: Sdk, label: str):
    """Upsert makes a queue and then changes it; get and list show all that the SDKs read."""
    sdk.queues.upsert(label, parallelism=2)
    made = sdk.queues.get(label)
    assert (made.name, made.parallelism, made.paused, made.lag) == (label, 2, False, 0)
    sdk.queues.upsert(label, parallelism=1, paused=True)
    changed = sdk.queues.get(label)
    assert (changed.parallelism, changed.paused) == (1, True)
    assert made.created_at == changed.created_at <= changed.updated_at
    assert [queue for queue in sdk.queues.list() if queue.name == label] == [changed]
    sdk.queues.delete(label)
    assert label not in {queue.name for queue in sdk.queues.list()}
    with pytest.raises(SdkError, match="404"):
        sdk.queues.get(label)


def test_a_queue_that_is_not_there_is_deleted_all_the_same(sdk: Sdk, label: str):
    """The documents list no answer but 200."""
    sdk.queues.delete(label)
    assert label not in {queue.name for queue in sdk.queues.list()}


@pytest.mark.parametrize("name", ["two words", "a/b", "ü"])
def test_a_queue_s_name_keeps_to_its_alphabet(sdk: Sdk, name: str):
    """Letters, digits, hyphen, underscore and dot: anything else is 400 and names the queue."""
    with pytest.raises(SdkError, match="400"):
        sdk.queues.upsert(name)


@pytest.mark.account
def test_enqueueing_makes_the_queue(sdk: Sdk, server: Server, destination: Destination, label: str):
    """What is enqueued is delivered once, and message and log tell the queue."""
    message_id = sdk.queues.enqueue(label, destination.hook(), "x", retries=0, content_type="text/plain")
    assert server.finish(message_id) == "DELIVERED"
    made = sdk.queues.get(label)
    assert (made.parallelism, made.paused) == (1, False)
    logs, _ = sdk.logs(message_id=message_id)
    assert {log.queue for log in logs} == {label}


def test_a_queue_keeps_its_order(sdk: Sdk, server: Server, destination: Destination, label: str):
    """One after the other, in the order in which they were enqueued."""
    url = destination.hook()
    ids = [sdk.queues.enqueue_json(label, url, {"n": n}) for n in range(5)]
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 5
    seen = destination.arrivals(url, 5)
    assert [each.json() for each in seen] == [{"n": n} for n in range(5)]
    assert [each.header("Upstash-Message-Id") for each in seen] == ids
    assert {each.header("Content-Type") for each in seen} == {"application/json"}


def test_a_paused_queue_takes_and_keeps(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Enqueueing to it is accepted and counted as lag; resumed, it goes on with the earliest."""
    url = destination.hook()
    sdk.queues.upsert(label)
    sdk.queues.pause(label)
    ids = [sdk.queues.enqueue(label, url, str(n)) for n in range(3)]
    waiting = sdk.queues.get(label)
    assert (waiting.paused, waiting.lag) == (True, 3)
    assert {sdk.message(message_id).queue for message_id in ids} == {label}
    sdk.queues.resume(label)
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 3
    assert [each.body for each in destination.arrivals(url, 3)] == [b"0", b"1", b"2"]
    until(lambda: sdk.queues.get(label).lag == 0 or None, "an empty queue")


def test_a_failing_message_keeps_its_place(sdk: Sdk, server: Server, destination: Destination, label: str):
    """The next one waits for its last attempt, and for its callbacks."""
    first, told, second = destination.hook("down"), destination.hook("ok", "/told"), destination.hook()
    options = {"retries": 1, "retry_delay": "0", "failure_callback": told}
    sdk.queues.upsert(label, paused=True)
    failing = sdk.queues.enqueue(label, first, "x", **options)
    last = sdk.queues.enqueue(label, second, "y")
    sdk.queues.resume(label)
    assert (server.finish(failing), server.finish(last)) == ("FAILED", "DELIVERED")
    assert destination.order(first, told, second) == [first, first, told, second]


def test_parallelism_lets_so_many_go_at_once(sdk: Sdk, server: Server, destination: Destination, label: str):
    """With two consumers the second goes while the first waits for its answer, and the third does not."""
    urls = [destination.hook() for _ in range(3)]
    gates = [destination.hold(url) for url in urls]
    sdk.queues.upsert(label, parallelism=2)
    ids = [sdk.queues.enqueue(label, url, "x") for url in urls]
    for url in urls[:2]:
        destination.arrivals(url)
    assert destination.order(*urls) == urls[:2]
    for gate in gates:
        gate.open()
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 3


def test_a_deleted_queue_s_messages_are_told(sdk: Sdk, destination: Destination, label: str):
    """A queue can be deleted while messages wait in it."""
    sdk.queues.upsert(label, paused=True)
    sdk.queues.enqueue(label, destination.hook(), "x")
    sdk.queues.delete(label)
    with pytest.raises(SdkError, match="404"):
        sdk.queues.get(label)


def test_enqueueing_to_a_group(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Each endpoint gets a message of its own, through the queue."""
    urls = [destination.hook() for _ in range(2)]
    sdk.groups.add(label, [{"url": url} for url in urls])
    ids = sdk.queues.enqueue_to_group(f"{label}-queue", label, "x")
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 2
    for url, message_id in zip(urls, ids, strict=True):
        (seen,) = destination.arrivals(url)
        assert seen.header("Upstash-Message-Id") == message_id
        assert {log.queue for log in sdk.logs(message_id=message_id)[0]} == {f"{label}-queue"}


def test_what_is_enqueued_twice_is_sent_once(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Deduplication holds for a queue as for a publish."""
    url = destination.hook()
    ids = [sdk.queues.enqueue(label, url, str(n), deduplication_id=label) for n in range(2)]
    assert ids[0] == ids[1]
    assert server.finish(ids[0]) == "DELIVERED"
    assert [seen.body for seen in destination.arrivals(url)] == [b"0"]


def test_a_delay_and_a_limit_in_a_queue(javascript: JavaScriptSdk, destination: Destination, label: str):
    """JavaScript alone can give both with an enqueue; the message has them, and the place in the queue."""
    limit = {"key": label, "rate": 5, "period": "1m"}
    request = {"url": destination.hook(), "body": "x", "delay": 3600, "flowControl": limit}
    message_id = javascript.call_queue(label, "enqueue", request)["messageId"]
    message = javascript.message(message_id)
    assert message.queue == label
    assert message.not_before - message.created_at in range(3_599_000, 3_601_001)
    assert message.limit is not None
    assert (message.limit.key, message.limit.rate, message.limit.period) == (label, 5, 60)
    javascript.cancel(message_id)
