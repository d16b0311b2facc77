from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, Letter, PythonSdk, Sdk, SdkError
from tests.conformance.servers import Server

#: Where the SDKs and the engine are.
HERE = "127.0.0.1"


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@dataclass(frozen=True)
class Pair:
    """A message that a filter takes, and one that it leaves; ``filters`` are all that take the one alone."""

    taken: str
    left: str
    filters: dict[str, Any]


def delayed(sdk: JavaScriptSdk, destination: Destination, label: str) -> Pair:
    """Two messages under way that differ in all that a filter can ask for but their sender."""
    urls = [destination.hook(rest=f"/{label}-{n}") for n in range(2)]
    groups = [f"{label}-group-{n}" for n in range(2)]
    for url, group in zip(urls, groups, strict=True):
        sdk.groups.add(group, [{"url": url}])
    ids = [
        sdk.call_queue(
            f"{label}-queue-{n}",
            "enqueue",
            {
                "urlGroup": groups[n],
                "body": "x",
                "delay": 3600,
                "label": f"{label}-{n}",
                "flowControl": {"key": f"{label}-{n}", "rate": 1},
            },
        )[0]["messageId"]
        for n in range(2)
    ]
    path = urls[0].removeprefix(destination.url)
    filters = {
        "url": urls[0],
        "urlGroup": groups[0],
        "queueName": f"{label}-queue-0",
        "label": f"{label}-0",
        "flowControlKey": f"{label}-0",
        "path": path,
        "host": destination.url.removeprefix("http://"),
        "callerIp": HERE,
        "fromDate": {"$date": sdk.message(ids[0]).created_at},
        "toDate": sdk.message(ids[0]).created_at,
    }
    return Pair(ids[0], ids[1], filters)


@pytest.mark.parametrize("name", ["url", "urlGroup", "queueName", "label", "flowControlKey", "path"])
def test_a_bulk_cancel_takes_what_its_filter_names(
    javascript: JavaScriptSdk, destination: Destination, label: str, name: str
):
    """Each filter by itself takes the message that it names, and no other."""
    pair = delayed(javascript, destination, label)
    assert javascript.call("messages.cancel", {"filter": {name: pair.filters[name]}}) == {"cancelled": 1}
    assert javascript.message(pair.left).message_id == pair.left
    with pytest.raises(SdkError, match="404"):
        javascript.message(pair.taken)


@pytest.mark.parametrize("name", ["host", "callerIp", "fromDate", "toDate"])
def test_filters_are_anded(javascript: JavaScriptSdk, destination: Destination, label: str, name: str):
    """What many messages share narrows a label down, and takes nothing where it does not fit."""
    pair = delayed(javascript, destination, label)
    strange = {"host": "example.com", "callerIp": "192.0.2.1", "fromDate": {"$date": 4_000_000_000_000}, "toDate": 1}
    own = pair.filters["label"]
    assert javascript.call("messages.cancel", {"filter": {"label": own, name: strange[name]}}) == {"cancelled": 0}
    assert javascript.call("messages.cancel", {"filter": {"label": own, name: pair.filters[name]}}) == {"cancelled": 1}


def test_the_values_of_a_filter_are_ored(javascript: JavaScriptSdk, destination: Destination, label: str):
    """Either URL will do."""
    urls = [destination.hook() for _ in range(3)]
    for url in urls:
        javascript.publish(url, "x", delay=3600)
    assert javascript.call("messages.cancel", {"filter": {"url": urls[:2]}}) == {"cancelled": 2}
    assert javascript.call("messages.cancel", {"filter": {"url": urls}}) == {"cancelled": 1}


def test_the_older_verbs_do_the_same(javascript: JavaScriptSdk, destination: Destination):
    """delete, deleteMany and deleteAll are still there."""
    ids = [javascript.publish(destination.hook(), "x", delay=3600).message_id for _ in range(4)]
    javascript.call("messages.delete", ids[0])
    assert javascript.call("messages.deleteMany", ids[1:3]) == 2
    assert javascript.call("messages.deleteAll") >= 1
    for message_id in ids:
        with pytest.raises(SdkError, match="404"):
            javascript.message(message_id)


@dataclass(frozen=True)
class Dead:
    """The letter that a filter takes, and one that it leaves."""

    taken: Letter
    left: Letter
    filters: dict[str, Any]


def dead(sdk: Sdk, server: Server, destination: Destination, label: str) -> Dead:
    """Two letters that differ in all that a filter can ask for but their sender."""
    kinds = ["down", "poison"]
    urls = [destination.hook(kind) for kind in kinds]
    groups = [f"{label}-group-{n}" for n in range(2)]
    ids = []
    for n, (url, group) in enumerate(zip(urls, groups, strict=True)):
        sdk.groups.add(group, [{"url": url}])
        options = {"retries": 0, "label": f"{label}-{n}"}
        ids.append(sdk.queues.enqueue_to_group(f"{label}-queue-{n}", group, "x", **options)[0])
    assert [server.finish(message_id) for message_id in ids] == ["FAILED"] * 2
    (taken,), (left,) = (sdk.dead_letters(message_id=message_id) for message_id in ids)
    filters = {
        "message_id": ids[0],
        "url": urls[0],
        "url_group": groups[0],
        "queue": f"{label}-queue-0",
        "label": f"{label}-0",
    }
    return Dead(taken, left, filters)


@pytest.mark.parametrize("name", ["message_id", "url", "url_group", "queue", "label"])
def test_dead_letters_by_each_filter(sdk: Sdk, server: Server, destination: Destination, label: str, name: str):
    """Each filter by itself lists the letter that it names, with all that the SDKs read of it."""
    pair = dead(sdk, server, destination, label)
    assert sdk.dead_letters(**{name: pair.filters[name]}) == [pair.taken]
    letter = pair.taken
    assert (letter.url, letter.group, letter.queue, letter.label) == (
        pair.filters["url"],
        pair.filters["url_group"],
        pair.filters["queue"],
        pair.filters["label"],
    )


def test_dead_letters_by_status_sender_and_time(sdk: Sdk, server: Server, destination: Destination, label: str):
    """What many letters share narrows a label down."""
    pair = dead(sdk, server, destination, label)
    own = pair.filters["label"]
    at_ms = int(pair.taken.dlq_id.partition("-")[0])
    for fitting in ({"response_status": 500}, {"caller_ip": HERE}, {"from_time": at_ms}, {"to_time": at_ms}):
        assert sdk.dead_letters(label=own, **fitting) == [pair.taken], fitting
    for strange in (
        {"response_status": 489},
        {"caller_ip": "192.0.2.1"},
        {"from_time": at_ms + 1},
        {"to_time": at_ms - 1},
    ):
        assert sdk.dead_letters(label=own, **strange) == [], strange


def test_dead_letters_come_in_pages(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Newest first, so many a page, each once, and no cursor after the last."""
    ids = []
    for _ in range(3):
        ids.append(sdk.publish(destination.hook("down"), "x", retries=0, label=label).message_id)
        server.finish(ids[-1])
    letters, cursor = sdk.dead_letter_page(count=2, label=label)
    assert cursor is not None
    rest, end = sdk.dead_letter_page(cursor=cursor, count=2, label=label)
    assert [letter.message_id for letter in letters + rest] == ids[::-1]
    assert end is None


def test_dead_letters_by_ids(javascript: JavaScriptSdk, server: Server, destination: Destination, label: str):
    """JavaScript lists by ids, deletes by an object of ids, and by the older deleteMany."""
    pair = dead(javascript, server, destination, label)
    ids = [pair.taken.dlq_id, pair.left.dlq_id]
    listed = javascript.call("dlq.listMessages", {"dlqIds": ids})["messages"]
    assert {letter["dlqId"] for letter in listed} == set(ids)
    assert javascript.call("dlq.delete", {"dlqIds": ids[:1]}) == {"deleted": 1}
    assert javascript.call("dlq.deleteMany", {"dlqIds": ids[1:]}) == {"deleted": 1}
    assert javascript.call("dlq.listMessages", {"dlqIds": ids})["messages"] == []


@pytest.mark.parametrize("name", ["url", "urlGroup", "queueName", "label", "messageId", "responseStatus"])
def test_a_bulk_delete_takes_what_its_filter_names(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str, name: str
):
    """Each filter, beside the label's list of both, takes the letter that it names."""
    pair = dead(javascript, server, destination, label)
    taken = pair.taken
    own = {
        "url": taken.url,
        "urlGroup": taken.group,
        "queueName": taken.queue,
        "label": taken.label,
        "messageId": taken.message_id,
        "responseStatus": 500,
    }
    both = {"label": [f"{label}-0", f"{label}-1"]}
    assert javascript.call("dlq.delete", {"filter": {**both, name: own[name]}})["deleted"] == 1
    assert javascript.call("dlq.listMessages", {"filter": both})["messages"][0]["dlqId"] == pair.left.dlq_id


def test_a_bulk_retry_sends_again(javascript: JavaScriptSdk, server: Server, destination: Destination, label: str):
    """All that a filter names, each as a new message with the old body and headers."""
    urls = [destination.hook("down") for _ in range(2)]
    for n, url in enumerate(urls):
        options = {"retries": 0, "label": label, "headers": {"Own": str(n)}}
        server.finish(javascript.publish(url, f"body {n}", **options).message_id)
    answer = javascript.call("dlq.retry", {"filter": {"label": label}})
    ids = [each["messageId"] for each in answer["responses"]]
    assert [server.finish(message_id) for message_id in ids] == ["FAILED"] * 2
    for n, url in enumerate(urls):
        first, again = destination.arrivals(url, 2)
        assert (again.body, again.header("Own")) == (first.body, first.header("Own")) == (f"body {n}".encode(), str(n))
        assert again.header("Upstash-Message-Id") in ids


@pytest.mark.account(failing=True)
def test_a_dead_letter_is_read_retried_and_deleted(sdk: Sdk, server: Server, destination: Destination, label: str):
    """What fails lies in the DLQ; JavaScript sends it again, and either deletes it."""
    message_id = sdk.publish(destination.hook("down"), "x", retries=0, label=label).message_id
    assert server.finish(message_id) == "FAILED"
    (letter,) = sdk.dead_letters(label=label)
    assert letter.message_id == message_id
    assert letter.response_status >= 400
    if isinstance(sdk, JavaScriptSdk):
        (again,) = sdk.call("dlq.retry", letter.dlq_id)["responses"]
        assert server.finish(again["messageId"]) == "FAILED"
        (letter,) = sdk.dead_letters(label=label)
    sdk.delete_dead_letter(letter.dlq_id)
    assert sdk.dead_letters(label=label) == []


def test_everything_in_the_dlq(javascript: JavaScriptSdk, server: Server, destination: Destination, label: str):
    """all: true retries, and deletes, page by page until there is no cursor."""
    server.finish(javascript.publish(destination.hook("down"), "x", retries=0, label=label).message_id)
    retried, cursor = [], None
    while not retried or cursor:
        answer = javascript.call("dlq.retry", {"all": True, **({"cursor": cursor} if cursor else {})})
        retried += answer["responses"]
        cursor = answer.get("cursor")
    for each in retried:
        server.finish(each["messageId"])
    assert len(javascript.dead_letters(label=label)) == 1
    while javascript.call("dlq.delete", {"all": True}).get("cursor"):
        pass
    assert javascript.dead_letters() == []


def test_logs_by_each_filter(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Group, queue and label, each by itself, lead to the entries of one message."""
    pair = dead(sdk, server, destination, label)
    for name in ("url", "url_group", "queue", "label"):
        found = sdk.logs(**{name: pair.filters[name]})[0]
        assert {log.message_id for log in found} == {pair.taken.message_id}, name
        assert (found[0].group, found[0].queue, found[0].method, found[0].max_retries) == (
            pair.filters["url_group"],
            pair.filters["queue"],
            "POST",
            0,
        )


def test_logs_by_ids_and_by_time(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Several ids at once, and a window of time with both ends in it."""
    pair = dead(sdk, server, destination, label)
    both = {pair.taken.message_id, pair.left.message_id}
    found = (
        sdk.logs(message_ids=sorted(both))[0]
        if isinstance(sdk, PythonSdk)
        else sdk.call("logs", {"messageIds": sorted(both)})["logs"]
    )
    ids = {log.message_id if isinstance(sdk, PythonSdk) else log["messageId"] for log in found}
    assert ids == both
    whole = sdk.logs(label=pair.filters["label"])[0]
    last = max(log.time for log in whole)
    assert {log.time for log in sdk.logs(label=pair.filters["label"], from_time=last, to_time=last)[0]} == {last}
    assert sdk.logs(label=pair.filters["label"], from_time=last + 1)[0] == []


def test_logs_by_what_javascript_alone_can_ask(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str
):
    """Host, path, sender and flow control, several labels, and the older events()."""
    urls = [destination.hook(rest=f"/{label}/{n}") for n in range(2)]
    ids = []
    for n, url in enumerate(urls):
        limit = {"key": f"{label}-{n}", "parallelism": 1}
        ids.append(javascript.publish(url, "x", label=f"{label}-{n}", flow_control=limit).message_id)
        server.finish(ids[-1])
    for where in (
        {"path": urls[0].removeprefix(destination.url)},
        {"flowControlKey": f"{label}-0"},
        {"label": f"{label}-0", "host": destination.url.removeprefix("http://")},
        {"label": f"{label}-0", "callerIp": HERE, "fromDate": {"$date": 1}},
    ):
        answer = javascript.call("events", {"filter": where})
        assert {log["messageId"] for log in answer["logs"]} == {ids[0]}, where
        assert answer["events"] == answer["logs"]
    labels = [f"{label}-0", f"{label}-1"]
    assert {log.message_id for log in javascript.logs(label=labels)[0]} == set(ids)
    assert javascript.logs(label=f"{label}-0", host="example.com")[0] == []


def test_logs_of_what_is_in_progress(sdk: Sdk, destination: Destination, label: str):
    """IN_PROGRESS is a filter alone: what is active, or between two attempts."""
    url = destination.hook()
    gate = destination.hold(url)
    message_id = sdk.publish(url, "x", label=label).message_id
    destination.arrivals(url)
    assert {log.state for log in sdk.logs(label=label, state="IN_PROGRESS")[0]} <= {"ACTIVE", "RETRY", "ERROR"}
    gate.open()
    assert {log.message_id for log in sdk.logs(label=label)[0]} == {message_id}
