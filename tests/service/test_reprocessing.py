import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qsops.errors import Corrupt, SettingsError
from service import __main__ as commands
from service.batches import EVENTS, batches, read_events
from service.envelope import decode, encode
from service.errors import StoreUnavailable
from service.internal import NO_EVENTS, REPROCESS_PATH
from service.processing import deduplication_id
from service.samples import TEXT
from service.store import SqliteStore
from tests.service.rig import Rig, close, make_rig

ORDER = {
    "id": "order-7",
    "kind": "order",
    "account": "shop",
    "occurred_at": "2026-01-01T00:00:00Z",
    "payload": {"text": "schön 👋"},
}


def envelope(rig: Rig, mid: str = "mid-1") -> dict[str, Any]:
    return json.loads(encode(rig.event(mid=mid)))  # type: ignore[no-any-return]


async def reprocess(rig: Rig, *events: dict[str, Any]) -> dict[str, Any]:
    answer = await rig.internal("POST", REPROCESS_PATH, json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_an_event_is_processed_once_more(rig: Rig):
    """Its claim is forgotten, and it is published anew, under an id that QStash has not seen."""
    await rig.deliver(rig.event())
    assert await reprocess(rig, envelope(rig)) == {"queued": 1, "released": 1}
    assert await rig.count("claims") == 0
    await rig.service.relay.drain(everything=True)
    (message,) = rig.qstash.published
    assert decode(message.body) == rig.event()
    assert message.deduplication_id != deduplication_id(rig.event().id)
    assert (await rig.deliver(message.body, message_id="msg_again")).json() == {"status": "processed"}
    (entry,) = await rig.ledger()
    assert (entry.state, entry.deliveries) == ("processed", 2)


async def test_each_time_is_a_message_of_its_own(rig: Rig):
    """QStash drops what has the id of an earlier one: twice on purpose is twice."""
    for _ in range(2):
        await reprocess(rig, envelope(rig))
        await rig.service.relay.drain(everything=True)
    first, second = rig.qstash.published
    assert first.deduplication_id != second.deduplication_id


async def test_effects_that_are_keyed_by_the_event_merge(rig: Rig):
    """Our own handler leaves one row, however often: the same message, not another."""
    await rig.deliver(rig.event())
    await reprocess(rig, envelope(rig))
    await rig.deliver(rig.event(), message_id="msg_again")
    assert [row["text"] for row in await rig.rows("select text from direct_messages")] == [TEXT]


async def test_what_was_never_processed_is_taken_too(rig: Rig):
    """Events from a file of another system are no error: none was released, all are on their way."""
    assert await reprocess(rig, ORDER, {**ORDER, "id": "order-8"}, ORDER) == {"queued": 2, "released": 0}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b'{"events": []}', NO_EVENTS),
        (json.dumps({"events": [ORDER, {**ORDER, "kind": None}]}).encode(), "events[1]: "),
    ],
)
async def test_a_malformed_request_changes_nothing(rig: Rig, body: bytes, named: str):
    """One malformed event refuses the request: no claim is forgotten, nothing is queued."""
    await rig.deliver(rig.event())
    answer = await rig.internal("POST", REPROCESS_PATH, content=body)
    assert (answer.status_code, named in answer.json()["error"]) == (400, True)
    assert (await rig.count("claims"), await rig.count("outbox")) == (1, 0)


class Away(SqliteStore):
    """A database that goes away between the release and the outbox."""

    is_away = True

    async def record(self, entries, outgoing, now_ms):  # type: ignore[no-untyped-def, override]
        if self.is_away:
            raise StoreUnavailable("switched off")
        await super().record(entries, outgoing, now_ms)


async def test_a_request_that_broke_in_the_middle_may_be_repeated():
    """Answered 503 it has queued nothing; the second one does what the first would have."""
    store = Away(":memory:")
    rig = make_rig(store=store)
    await rig.deliver(rig.event())
    answer = await rig.internal("POST", REPROCESS_PATH, json={"events": [envelope(rig)]})
    assert (answer.status_code, await rig.count("outbox")) == (503, 0)
    store.is_away = False
    assert await reprocess(rig, envelope(rig)) == {"queued": 1, "released": 0}
    await close(rig)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"events": [ORDER, ORDER]}),
        json.dumps({"events": [ORDER, ORDER]}, indent=2),
        json.dumps([ORDER, ORDER]),
        f"{json.dumps(ORDER)}\n\n{json.dumps(ORDER)}\n",
    ],
)
def test_a_file_may_be_an_object_a_list_or_lines(text: str):
    """Whatever form events were kept in."""
    assert read_events(text.encode()) == [ORDER, ORDER]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", "no events"),
        (b"\xff", "JSON"),
        (b"[]", "at least one"),
        (b'{"events": {}}', "at least one"),
        (json.dumps(ORDER).encode() + b"\n{secret", "line 2"),
    ],
)
def test_a_file_that_holds_none_is_named(text: bytes, named: str):
    """The place is named, and nothing of it quoted."""
    with pytest.raises(Corrupt) as raised:
        read_events(text)
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)


def test_many_events_go_in_several_requests():
    """Within the route's limits of count and bytes, in order."""
    events = [{**ORDER, "id": f"order-{number}"} for number in range(EVENTS + 3)]
    bodies = [json.loads(body)["events"] for body in batches(events)]
    assert [len(body) for body in bodies] == [EVENTS, 3]
    assert [event for body in bodies for event in body] == events
    large = [{**ORDER, "payload": {"text": "x" * (5 * 1024 * 1024)}} for _ in range(3)]
    assert [len(json.loads(body)["events"]) for body in batches(large)] == [1, 1, 1]


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[tuple[str, bytes, dict[str, str]]]]:
    """What the command posts, which a service answers that releases half."""
    sent: list[tuple[str, bytes, dict[str, str]]] = []

    class Answer:
        is_success = True

        def __init__(self, count: int) -> None:
            self._count = count

        def json(self) -> dict[str, int]:
            return {"queued": self._count, "released": self._count // 2}

    def post(url: str, *, content: bytes, headers: dict[str, str], **_: object) -> Answer:
        sent.append((url, content, headers))
        return Answer(len(json.loads(content)["events"]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QSOPS_DOTENV", "off")
    monkeypatch.setenv("INTERNAL_API_TOKEN", "t0ken")
    monkeypatch.setattr(commands.httpx, "post", post)
    return sent


def write(folder: Path, *events: dict[str, Any]) -> str:
    path = folder / "events.jsonl"
    path.write_text("\n".join(json.dumps(event) for event in events))
    return str(path)


def test_without_apply_nothing_is_sent(posted: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A dry run reads and checks the file, and says what it would do."""
    commands.reprocess(write(tmp_path, ORDER, {**ORDER, "kind": "refund"}))
    told = capsys.readouterr()
    assert json.loads(told.out) == {"events": 2, "kinds": {"order": 1, "refund": 1}, "applied": False}
    assert "--apply" in told.err
    assert posted == []


def test_with_apply_it_is_posted(posted: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """In as many requests as it takes, with the bearer token; what came of them is added up."""
    events = [{**ORDER, "id": f"order-{number}"} for number in range(EVENTS + 4)]
    commands.reprocess(write(tmp_path, *events), "http://127.0.0.1:8000/", apply=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["queued"], told["released"], told["applied"]) == (EVENTS + 4, EVENTS // 2 + 2, True)
    assert {(url, headers["Authorization"]) for url, _, headers in posted} == {
        (f"http://127.0.0.1:8000{REPROCESS_PATH}", "Bearer t0ken")
    }


def test_misuse_is_named_before_anything_is_sent(posted: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that is not there, an event that is none, no address, no token: each says which."""
    with pytest.raises(SettingsError, match=r"FILE .*nothing\.jsonl cannot be read"):
        commands.reprocess(str(tmp_path / "nothing.jsonl"), "http://127.0.0.1:8000", apply=True)
    with pytest.raises(Corrupt, match=r"events\[1\]: .*kind"):
        commands.reprocess(write(tmp_path, ORDER, {**ORDER, "kind": "a b"}), "http://127.0.0.1:8000", apply=True)
    file = write(tmp_path, ORDER)
    with pytest.raises(SettingsError, match="PUBLIC_BASE_URL"):
        commands.reprocess(file, "", apply=True)
    monkeypatch.delenv("INTERNAL_API_TOKEN")
    with pytest.raises(SettingsError, match="INTERNAL_API_TOKEN"):
        commands.reprocess(file, "http://127.0.0.1:8000", apply=True)
    assert posted == []


async def test_the_bearer_token_is_asked_for(rig: Rig):
    """Whoever may not ingest may not reprocess."""
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert (await rig.http.post(REPROCESS_PATH, json={"events": [ORDER]}, headers=headers)).status_code == 401


async def test_an_events_trace_and_order_are_those_of_its_conversation(rig: Rig):
    """Reprocessed events of one conversation keep their order."""
    await reprocess(rig, envelope(rig, "m-1"), envelope(rig, "m-2"))
    rows = await rig.rows("select conversation from outbox order by id")
    assert len({row["conversation"] for row in rows}) == 1
    assert rows[0]["conversation"] is not None
