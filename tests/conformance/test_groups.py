import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Sdk, SdkError
from tests.conformance.servers import Server


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@pytest.mark.account
def test_a_group_is_made_changed_listed_and_deleted(sdk: Sdk, destination: Destination, label: str):
    """Adding makes the group, adding again names or renames an endpoint, and deleting takes the whole."""
    first, second = destination.hook(), destination.hook()
    sdk.groups.add(label, [{"url": first, "name": "one"}])
    made = sdk.groups.get(label)
    assert (made.name, made.endpoints) == (label, {first: "one"})
    sdk.groups.add(label, [{"url": first, "name": "uno"}, {"url": second}])
    changed = sdk.groups.get(label)
    assert changed.endpoints == {first: "uno", second: None}
    assert made.created_at == changed.created_at <= changed.updated_at
    assert [group for group in sdk.groups.list() if group.name == label] == [changed]
    sdk.groups.delete(label)
    assert label not in {group.name for group in sdk.groups.list()}
    with pytest.raises(SdkError, match="404"):
        sdk.groups.get(label)


@pytest.mark.account
def test_endpoints_are_removed_by_url_or_by_name(sdk: Sdk, destination: Destination, label: str):
    """Either will do, and the group ends with its last endpoint."""
    first, second, third = (destination.hook() for _ in range(3))
    sdk.groups.add(label, [{"url": first}, {"url": second, "name": "two"}, {"url": third, "name": "three"}])
    sdk.groups.remove(label, [{"url": first}, {"name": "two"}])
    assert sdk.groups.get(label).endpoints == {third: "three"}
    sdk.groups.remove(label, [{"name": "three"}])
    with pytest.raises(SdkError, match="404"):
        sdk.groups.get(label)


def test_a_group_that_is_not_there_is_deleted_all_the_same(sdk: Sdk, label: str):
    """The Python SDK's own users delete before they create."""
    sdk.groups.delete(label)
    assert label not in {group.name for group in sdk.groups.list()}


def test_an_endpoint_has_no_field_but_its_own(javascript: JavaScriptSdk, destination: Destination, label: str):
    """The JavaScript SDK's users compare it for equality."""
    endpoints = [{"url": destination.hook(), "name": "one"}, {"url": destination.hook()}]
    javascript.groups.add(label, endpoints)
    assert javascript.call("topics.get", label)["endpoints"] == endpoints


def test_topics_are_groups(javascript: JavaScriptSdk, destination: Destination, label: str):
    """The older name of the same room, which the SDK keeps."""
    url = destination.hook()
    javascript.call("topics.addEndpoints", {"name": label, "endpoints": [{"url": url}]})
    assert javascript.call("topics.get", label) in javascript.call("topics.list")
    assert javascript.groups.get(label).endpoints == {url: None}
    javascript.call("topics.addEndpoints", {"name": label, "endpoints": [{"url": destination.hook()}]})
    javascript.call("topics.removeEndpoints", {"name": label, "endpoints": [{"url": url}]})
    assert len(javascript.groups.get(label).endpoints) == 1
    javascript.call("topics.delete", label)
    assert label not in {group.name for group in javascript.groups.list()}


@pytest.mark.account
def test_publishing_to_a_group_answers_for_each_endpoint(
    sdk: Sdk, server: Server, destination: Destination, label: str
):
    """One message an endpoint, each with its URL in the answer and the group in its log."""
    urls = [destination.hook() for _ in range(2)]
    sdk.groups.add(label, [{"url": url, "name": f"n{n}"} for n, url in enumerate(urls)])
    answers = sdk.publish_to_group(label, "x", retries=0, content_type="text/plain")
    assert sorted(answer.url or "" for answer in answers) == sorted(urls)
    assert len({answer.message_id for answer in answers}) == 2
    for answer in answers:
        assert server.finish(answer.message_id) == "DELIVERED"
        logs, _ = sdk.logs(message_id=answer.message_id)
        assert {(log.group, log.url) for log in logs} == {(label, answer.url)}
    sdk.groups.delete(label)


def test_each_endpoint_gets_its_own_delivery(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Signed for its own URL, and told the group's name; the message tells the endpoint's."""
    urls = [destination.hook() for _ in range(2)]
    sdk.groups.add(label, [{"url": url, "name": f"n{n}"} for n, url in enumerate(urls)])
    answers = {answer.url: answer.message_id for answer in sdk.publish_to_group(label, "x")}
    for n, url in enumerate(urls):
        assert server.finish(answers[url]) == "DELIVERED"
        (seen,) = destination.arrivals(url)
        assert (seen.header("Upstash-Topic-Name"), seen.header("Upstash-Message-Id")) == (label, answers[url])
        sdk.verify(server.keys(), seen.header("Upstash-Signature") or "", "x", url)
        message = sdk.message(answers[url])
        assert (message.group, message.endpoint, message.url) == (label, f"n{n}", url)


def test_a_group_that_fails_in_part(sdk: Sdk, server: Server, destination: Destination, label: str):
    """One endpoint's failure is its own: the other is delivered, and the DLQ has the one."""
    good, bad = destination.hook(), destination.hook("down")
    sdk.groups.add(label, [{"url": good}, {"url": bad}])
    answers = {answer.url: answer.message_id for answer in sdk.publish_to_group(label, "x", retries=0)}
    assert (server.finish(answers[good]), server.finish(answers[bad])) == ("DELIVERED", "FAILED")
    (letter,) = sdk.dead_letters(url_group=label)
    assert (letter.message_id, letter.group, letter.url) == (answers[bad], label, bad)


def test_publishing_to_an_unknown_group_is_404(sdk: Sdk, label: str):
    """Nobody would get it."""
    with pytest.raises(SdkError, match="404"):
        sdk.publish_to_group(label, "x")
