import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qsops.catalog import flow, groups, queues, schedules
from qsops.client import Client
from qsops.errors import QuotaExceeded, Rejected, SettingsError
from qsops.models import Endpoint, FlowKey, Publish, Queue, Schedule, UrlGroup
from qsops.publish import message
from qsops.wire.http import Response
from tests.client.conftest import client, clock, qstash
from tests.client.fake_qstash import FakeQStash, refusal

__all__ = ["client", "clock", "qstash"]

URL = "https://a.example/hook"
DONE = Response.of_json(200, {})
ORDERS = {"name": "orders", "createdAt": 1, "updatedAt": 2, "parallelism": 3, "paused": True, "lag": 4}

Verb = Callable[[Client], Coroutine[Any, Any, Any]]


def seen(qstash: FakeQStash) -> list[str]:
    """Each request as method and target."""
    return [f"{request.method} {request.target}" for request in qstash.requests]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"parallelism": 3, "paused": True}),
        ({"parallelism": 5}, {"parallelism": 5, "paused": True}),
        ({"paused": False}, {"parallelism": 3, "paused": False}),
    ],
)
async def test_an_upsert_changes_only_what_is_given(
    client: Client, qstash: FakeQStash, given: dict[str, Any], sent: dict[str, Any]
):
    """On the wire what is left out falls back to its default: a pause would be over, and a parallelism of 3 be 1."""
    qstash.fates.extend([Response.of_json(200, ORDERS), DONE])
    await queues.upsert(client, "orders", **given)
    assert json.loads(qstash.requests[-1].body) == {"queueName": "orders", **sent}


async def test_an_upsert_makes_what_is_not_there(client: Client, qstash: FakeQStash):
    """A new queue keeps order and runs; one of which everything is given is not read before."""
    qstash.fates.extend([refusal(404, "queue not found"), DONE, DONE])
    await queues.upsert(client, "new")
    assert json.loads(qstash.requests[-1].body) == {"queueName": "new", "parallelism": 1, "paused": False}
    await queues.upsert(client, "new", parallelism=2, paused=False)
    assert seen(qstash) == ["GET /v2/queues/new", "POST /v2/queues", "POST /v2/queues"]


async def test_an_upsert_that_cannot_read_changes_nothing(client: Client, qstash: FakeQStash):
    """A refusal other than 404 says nothing about the queue, so none is made over it."""
    qstash.fates.append(refusal(412, "quota maxQueues exceeded"))
    with pytest.raises(QuotaExceeded):
        await queues.upsert(client, "orders")
    assert seen(qstash) == ["GET /v2/queues/orders"]


@pytest.mark.parametrize("noun", [queues, groups])
async def test_a_misspelt_name_is_told_when_it_is_to_be_deleted(client: Client, qstash: FakeQStash, noun: Any):
    """To the wire one that is not there is deleted; a person has mistyped it."""
    qstash.fates.append(refusal(404, "not found: odrers"))
    with pytest.raises(Rejected, match="odrers"):
        await noun.delete(client, "odrers")
    assert [request.method for request in qstash.requests] == ["GET"]


async def test_a_schedule_whose_answer_was_lost_is_made_once(client: Client, qstash: FakeQStash):
    """It is asked for again under the same id, which replaces what may have been made."""
    created = Response.of_json(201, {"scheduleId": "nightly"})
    qstash.fates.extend(["lost", created])
    assert await schedules.upsert(client, "0 0 * * *", message(URL, json=1, queue="orders"), "nightly") == "nightly"
    first, again = qstash.requests
    assert first == again
    assert {"Upstash-Schedule-Id": "nightly", "Upstash-Queue-Name": "orders"}.items() <= dict(again.headers).items()


@pytest.mark.parametrize(
    ("verb", "named"),
    [
        (lambda c: queues.read(c, ""), "queue: ''"),
        (lambda c: queues.pause(c, "a/b"), "queue: 'a/b'"),
        (lambda c: queues.upsert(c, "q", parallelism=0), "parallelism: 0"),
        (lambda c: queues.upsert(c, "q", parallelism=True), "parallelism"),
        (lambda c: queues.upsert(c, "x" * 257, parallelism=1, paused=False), "at most 256"),
        (lambda c: schedules.upsert(c, " ", message(URL), "s"), "cron: "),
        (lambda c: schedules.upsert(c, "* * * * *", message(URL, not_before=9), "s"), "not_before: "),
        (lambda c: schedules.upsert(c, "* * * * *", message(URL), "s p"), "schedule_id: 's p'"),
        (lambda c: schedules.delete(c, ".."), "'..' is no id"),
        (lambda c: groups.add(c, "g", []), "endpoints: "),
        (lambda c: groups.add(c, "g", {"": URL}), "endpoints: ''"),
        (lambda c: groups.add(c, "g", "a.example"), "endpoints: 'a.example'"),
        (lambda c: groups.remove(c, "g", [" "]), "endpoints: ' '"),
        (lambda c: groups.set_defaults(c, "g", {"Upstash-Retries": "many"}), "Upstash-Retries: 'many'"),
        (lambda c: flow.read(c, " "), "key: ' '"),
        (lambda c: flow.pause(c, "k" * 1025), "at most 1024"),
        (lambda c: flow.read_all(c, ""), "search: "),
        (lambda c: flow.pin(c, "k"), "pin 'k'"),
        (lambda c: flow.pin(c, "k", parallelism=1, period="1m"), "pin 'k'"),
        (lambda c: flow.pin(c, "k", rate=1, period="8d"), "period: '8d'"),
        (lambda c: flow.pin(c, "k", rate=0), "rate: 0"),
        (lambda c: flow.unpin(c, "k", parallelism=False, rate=False), "unpin 'k'"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    client: Client, qstash: FakeQStash, verb: Verb, named: str
):
    """The error names the argument and the value, and nothing has left."""
    with pytest.raises(SettingsError) as refused:
        await verb(client)
    assert named in str(refused.value)
    assert qstash.requests == []


@pytest.mark.parametrize(
    ("verb", "request_line"),
    [
        (lambda c: queues.pause(c, "q.1"), "POST /v2/queues/q.1/pause"),
        (lambda c: queues.resume(c, "q.1"), "POST /v2/queues/q.1/resume"),
        (lambda c: schedules.pause(c, "s"), "PATCH /v2/schedules/s/pause"),
        (lambda c: schedules.resume(c, "s"), "PATCH /v2/schedules/s/resume"),
        (lambda c: schedules.delete(c, "s"), "DELETE /v2/schedules/s"),
        (lambda c: flow.pause(c, "a/b ö"), "POST /v2/flowControl/a%2Fb%20%C3%B6/pause"),
        (lambda c: flow.resume(c, "k"), "POST /v2/flowControl/k/resume"),
        (lambda c: flow.pin(c, "k", rate=5, period="1m"), "POST /v2/flowControl/k/pin?rate=5&period=60"),
        (lambda c: flow.unpin(c, "k", rate=False), "POST /v2/flowControl/k/unpin?parallelism=true"),
        (lambda c: flow.reset_rate(c, "k"), "POST /v2/flowControl/k/resetRate"),
    ],
)
async def test_what_is_the_same_done_twice_is_asked_again(
    client: Client, qstash: FakeQStash, verb: Verb, request_line: str
):
    """Each verb is one request; after a lost answer it is sent once more."""
    qstash.fates.extend(["lost", DONE])
    await verb(client)
    assert seen(qstash) == [request_line] * 2


async def test_endpoints_are_urls_named_urls_or_both(client: Client, qstash: FakeQStash):
    """To remove one its URL will do, or its name, which may be any text."""
    qstash.fates.extend([DONE] * 4)
    await groups.add(client, "g", URL)
    await groups.add(client, "g", {"blue one": URL})
    await groups.add(client, "g", [URL, Endpoint("https://b.example", "b")])
    await groups.remove(client, "g", ["blue one", URL])
    assert [json.loads(request.body)["endpoints"] for request in qstash.requests] == [
        [{"url": URL}],
        [{"url": URL, "name": "blue one"}],
        [{"url": URL}, {"url": "https://b.example", "name": "b"}],
        [{"name": "blue one"}, {"url": URL}],
    ]


FRAMES = [
    (
        queues.frame,
        Queue("orders", 1_767_225_600_000, 0, 2, True, 7),
        {"queue": "orders", "paused": True, "parallelism": 2, "lag": 7},
        {"updated_at"},
    ),
    (
        schedules.frame,
        Schedule(
            "s", "0 0 * * *", Publish(URL), 1_767_225_600_000, last_states=(("a", "FAIL"), ("b", "OK"), ("c", "FAIL"))
        ),
        {"schedule_id": "s", "destination": URL, "max_retries": 3, "last_states": "2 FAIL, 1 OK"},
        {"queue", "labels", "last_at", "next_at", "error"},
    ),
    (
        groups.frame,
        UrlGroup("g", 1_767_225_600_000, 1_767_225_600_000),
        {"url_group": "g"},
        {"endpoint", "url"},
    ),
    (
        flow.frame,
        FlowKey("k", 3, None, 1, 10, 4, 60, 1_767_225_600, pinned_rate=True),
        {"flow_control_key": "k", "waiting": 3, "under_way": 1, "rate": 10, "calls": 4, "pinned": "rate"},
        {"parallelism"},
    ),
]


@pytest.mark.parametrize(("frame", "row", "values", "missing"), FRAMES, ids=["queues", "schedules", "groups", "flow"])
def test_a_frame_has_its_columns_and_types_even_when_empty(
    frame: Callable[[Any], Any], row: Any, values: dict[str, Any], missing: set[str]
):
    """Times are UTC, what is not set is missing, and no rows are a frame of the same shape."""
    full, empty = frame([row]), frame([])
    assert list(full.dtypes.items()) == list(empty.dtypes.items())
    assert {name: full[name].iloc[0] for name in values} == values
    assert set(full.columns[full.isna().iloc[0]]) == missing
    times = [str(dtype) for name, dtype in full.dtypes.items() if name.endswith("_at")]
    assert set(times) == {"datetime64[us, UTC]"}
