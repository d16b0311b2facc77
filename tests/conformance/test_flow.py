import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Sdk, SdkError
from tests.conformance.servers import Server
from tests.conformance.waiting import until


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@pytest.mark.account
def test_a_limit_comes_back_with_the_message(sdk: Sdk, destination: Destination, label: str):
    """What was not given is absent; the period is a second unless told."""
    options = {"delay": 3600, "retries": 0}
    first = sdk.publish(destination.hook(), "x", flow_control={"key": label, "parallelism": 2}, **options)
    limit = sdk.message(first.message_id).limit
    assert limit is not None
    assert (limit.key, limit.parallelism, limit.rate, limit.period) == (label, 2, None, 1)
    rated = {"key": f"{label}-rated", "rate": 9, "period": "1h"}
    second = sdk.publish_json(destination.hook(), {}, flow_control=rated, **options)
    limit = sdk.message(second.message_id).limit
    assert limit is not None
    assert (limit.parallelism, limit.rate, limit.period) == (None, 9, 3600)
    assert sdk.cancel_many([first.message_id, second.message_id]) == 2


def test_a_paused_key_holds_its_messages(sdk: Sdk, server: Server, destination: Destination, label: str):
    """New ones wait as well; resumed, the key lets them go in their order."""
    url = destination.hook()
    limit = {"key": label, "parallelism": 1}
    server.finish(sdk.publish(url, "first", flow_control=limit).message_id)
    sdk.flows.pause(label)
    assert sdk.flows.get(label).paused is True
    ids = [sdk.publish(url, str(n), flow_control=limit).message_id for n in range(2)]
    until(lambda: sdk.flows.get(label).waiting == 2 or None, "two that wait")
    assert len(destination.arrivals(url)) == 1
    sdk.flows.resume(label)
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 2
    assert [seen.body for seen in destination.arrivals(url, 3)] == [b"first", b"0", b"1"]
    after = sdk.flows.get(label)
    assert (after.paused, after.waiting) == (False, 0)


def test_parallelism_holds_across_urls(sdk: Sdk, server: Server, destination: Destination, label: str):
    """One call at a time for the key, whatever the URL; the others are in its wait list."""
    urls = [destination.hook() for _ in range(2)]
    gate = destination.hold(urls[0])
    limit = {"key": label, "parallelism": 1}
    ids = [sdk.publish(url, "x", flow_control=limit).message_id for url in urls]
    destination.arrivals(urls[0])
    until(lambda: sdk.flows.get(label).waiting == 1 or None, "one that waits")
    busy = sdk.flows.get(label)
    assert (busy.parallelism_max, busy.parallelism_count) == (1, 1)
    assert destination.order(*urls) == urls[:1]
    gate.open()
    assert [server.finish(message_id) for message_id in ids] == ["DELIVERED"] * 2


def test_a_rate_holds_and_is_reset(sdk: Sdk, server: Server, destination: Destination, label: str):
    """One an hour: the second waits, until the rate is reset."""
    url = destination.hook()
    limit = {"key": label, "rate": 1, "period": "1h"}
    ids = [sdk.publish(url, "x", flow_control=limit).message_id for _ in range(2)]
    assert server.finish(ids[0]) == "DELIVERED"
    until(lambda: sdk.flows.get(label).waiting == 1 or None, "one that waits")
    full = sdk.flows.get(label)
    assert (full.key, full.rate_max, full.rate_count, full.rate_period) == (label, 1, 1, 3600)
    assert len(destination.arrivals(url)) == 1
    sdk.flows.reset_rate(label)
    assert server.finish(ids[1]) == "DELIVERED"
    assert sdk.flows.get(label).rate_period_start >= full.rate_period_start


def test_the_last_message_sets_the_limits_unless_they_are_pinned(sdk: Sdk, destination: Destination, label: str):
    """Each message brings its own; pinned ones stay; unpinned, the next message's count again."""

    def publish(parallelism: int, rate: int) -> None:
        limit = {"key": label, "parallelism": parallelism, "rate": rate}
        sdk.publish(destination.hook(), "x", delay=3600, flow_control=limit)

    def limits() -> tuple[int, int, bool, bool]:
        flow = sdk.flows.get(label)
        return flow.parallelism_max, flow.rate_max, flow.pinned_parallelism, flow.pinned_rate

    publish(2, 20)
    publish(3, 30)
    assert limits() == (3, 30, False, False)
    sdk.flows.pin(label, parallelism=7, rate=70, period=60)
    assert (limits(), sdk.flows.get(label).rate_period) == ((7, 70, True, True), 60)
    publish(4, 40)
    assert limits() == (7, 70, True, True)
    sdk.flows.unpin(label, rate=True)
    assert limits() == (7, 70, True, False)
    publish(5, 50)
    assert limits() == (7, 50, True, False)
    sdk.flows.unpin(label, parallelism=True)
    publish(6, 60)
    assert limits() == (6, 60, False, False)


def test_an_unknown_key_is_404(sdk: Sdk, label: str):
    """There is nothing to tell of it."""
    with pytest.raises(SdkError, match="404"):
        sdk.flows.get(label)


@pytest.mark.account
def test_the_account_s_own_parallelism(sdk: Sdk):
    """The most calls at once, and how many there are."""
    most, now = sdk.flows.global_parallelism()
    assert 0 <= now <= most
    assert most >= 1


@pytest.mark.parametrize("limit", [{"parallelism": 0}, {"rate": 3, "period": "8d"}])
def test_a_limit_that_cannot_be_kept_is_refused(
    sdk: Sdk, destination: Destination, label: str, limit: dict[str, object]
):
    """400, and nothing is sent without the limit."""
    with pytest.raises(SdkError, match="400"):
        sdk.publish(destination.hook(), "x", flow_control={"key": label, **limit})


def test_rate_per_second_is_a_rate(javascript: JavaScriptSdk, destination: Destination, label: str):
    """The older name, which the SDK still takes and still shows."""
    request = {"url": destination.hook(), "delay": 3600, "flowControl": {"key": label, "ratePerSecond": 4}}
    message = javascript.call("messages.get", javascript.call("publish", request)["messageId"])
    assert (message["rate"], message["ratePerSecond"], message["period"]) == (4, 4, 1)
