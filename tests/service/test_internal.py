import json

import pytest

from qsops.wire.ledger import LEDGER_PATH, parse_ledger
from service.envelope import decode, encode
from service.errors import StoreUnavailable
from service.internal import BODY_LIMIT, CLOSED, INGEST_PATH, NO_EVENTS, REFUSALS_PATH, RELAY_PATH, UNAUTHORIZED
from service.samples import ACCOUNT, entry, item, post
from service.samples import encode as encode_post
from service.store import SqliteStore
from tests.service.rig import Rig, close, make_rig, refused

ROUTES = [("POST", INGEST_PATH), ("POST", RELAY_PATH), ("GET", LEDGER_PATH), ("GET", REFUSALS_PATH)]
ORDER = {"id": "order-7", "kind": "order", "account": "shop", "payload": {"text": "schön 👋"}}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_internal_routes_want_the_bearer_token(rig: Rig, method: str, path: str):
    """Whoever does not have INTERNAL_API_TOKEN gets nothing."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}, {"Authorization": ""}):
        answer = await rig.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_token_of_ours_they_are_closed(method: str, path: str):
    """INTERNAL_API_TOKEN unset means closed, not open."""
    rig = make_rig(internal_api_token=None)
    answer = await rig.http.request(method, path, headers={"Authorization": "Bearer None"})
    assert (answer.status_code, answer.json()["detail"]) == (403, CLOSED)
    await close(rig)


async def test_other_producers_ingest_events(rig: Rig):
    """Events of any producer travel like Instagram's, under the identity that their producer gave them."""
    answer = await rig.internal("POST", INGEST_PATH, json={"events": [ORDER, ORDER, {**ORDER, "id": "order-8"}]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "duplicates": 1, "queued": 0})
    event = decode(rig.qstash.published[0].body)
    assert (event.id, event.kind, event.account, event.payload) == ("order-7", "order", "shop", ORDER["payload"])
    rig.qstash.answer = refused(503)
    answer = await rig.internal("POST", INGEST_PATH, json={"events": [{**ORDER, "id": "order-9"}]})
    assert answer.json() == {"accepted": 1, "duplicates": 0, "queued": 1}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b"[]", NO_EVENTS),
        (b'{"events": []}', NO_EVENTS),
        (b'{"events": {}}', NO_EVENTS),
        (json.dumps({"events": [ORDER] * 1001}).encode(), NO_EVENTS),
        (json.dumps({"events": [ORDER, {**ORDER, "id": "a b"}]}).encode(), "events[1]: "),
        (json.dumps({"events": [{**ORDER, "payload": None}]}).encode(), "payload"),
    ],
)
async def test_a_malformed_ingest_is_400_and_changes_nothing(rig: Rig, body: bytes, named: str):
    """One malformed event refuses the request, by its number and field."""
    answer = await rig.internal("POST", INGEST_PATH, content=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert (rig.qstash.requests, await rig.count("events")) == ([], 0)


async def test_a_large_ingest_is_413(rig: Rig):
    """Bodies have a limit everywhere."""
    assert (await rig.internal("POST", INGEST_PATH, content=b"x" * (BODY_LIMIT + 1))).status_code == 413


async def test_the_ledger_is_read_by_cursor(rig: Rig):
    """Every entry is seen once, in the order of receipt, also when more arrive while one reads."""
    items = [item("message", f"m-{number}", number + 1) for number in range(7)]
    await rig.webhook(encode_post(post(entry(ACCOUNT, 1, messaging=items[:5]))))
    seen, cursor = [], "0"
    while cursor:
        page = parse_ledger((await rig.internal("GET", LEDGER_PATH, params={"cursor": cursor, "limit": 2})).json())
        seen += [entry.mid for entry in page.items]
        cursor = page.cursor or ""
        if len(seen) == 2:
            await rig.webhook(encode_post(post(entry(ACCOUNT, 1, messaging=items[5:]))))
    assert seen == [f"m-{number}" for number in range(7)]


async def test_the_ledger_has_filters(rig: Rig):
    """One event is found by its id, its mid or its message; many by state and kind."""
    for name in ("message", "unsend", "comment"):
        await rig.post_sample(name, "m" if name != "comment" else "c")
    everything = await rig.ledger()
    one = everything[0]
    assert await rig.ledger(event_id=one.event_id) == [one]
    assert await rig.ledger(message_id=one.message_id or "") == [one]
    assert [entry.kind for entry in await rig.ledger(mid="m")] == ["message", "unsend"]
    assert [entry.mid for entry in await rig.ledger(kind="comment", state="published")] == ["c"]
    assert await rig.ledger(event_id="nobody's") == []


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "-1"}, {"limit": "0"}, {"limit": "1001"}])
async def test_a_malformed_page_is_refused(rig: Rig, query: dict[str, str]):
    """A cursor or limit that is none is named."""
    answer = await rig.internal("GET", LEDGER_PATH, params=query)
    assert answer.status_code == 422
    assert next(iter(query)) in answer.text


class Away(SqliteStore):
    """A store whose database is away."""

    async def ping(self) -> None:
        raise StoreUnavailable("switched off")

    async def ledger(self, which, cursor, limit):  # type: ignore[no-untyped-def, override]
        raise StoreUnavailable("switched off")

    async def known(self, event_ids):  # type: ignore[no-untyped-def, override]
        raise StoreUnavailable("switched off")


async def test_without_a_database_it_lives_and_is_not_ready():
    """/healthz says that the process lives, /readyz that it cannot take traffic; routes answer 503, never 500."""
    rig = make_rig(store=Away(":memory:"))
    assert (await rig.http.get("/healthz")).json() == {"status": "ok"}
    answers = [
        await rig.http.get("/readyz"),
        await rig.internal("GET", LEDGER_PATH),
        await rig.internal("POST", INGEST_PATH, json={"events": [ORDER]}),
    ]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "10")] * 3
    await close(rig)


async def test_an_old_outbox_is_degraded_and_still_ready(rig: Rig):
    """QStash's outage must not take every replica out: it is told, with 200."""
    assert (await rig.http.get("/readyz")).json()["status"] == "ok"
    rig.qstash.answer = refused(503)
    await rig.post_sample("message")
    rig.clock.advance(301_000)
    answer = await rig.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "degraded", "outbox": {"queued": 1, "parked": 0, "oldest_s": 301.0}},
    )


async def test_refusals_are_bounded_and_newest_first(rig: Rig):
    """A flood of forgeries fills a list of a hundred, and a counter."""
    for number in range(120):
        await rig.deliver(encode(rig.event()), key="sig_wrong", message_id=f"msg_{number}")
    told = (await rig.internal("GET", REFUSALS_PATH)).json()
    assert sum(sum(causes.values()) for causes in told["counts"].values()) == 120
    assert len(told["refusals"]) == 100
    assert told["refusals"][0]["message_id"] == "msg_119"
