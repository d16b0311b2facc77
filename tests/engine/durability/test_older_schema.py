import json
import sqlite3
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import TOKENS, Caller
from tests.engine.durability.engine import EngineProcess

FIXTURES = Path(__file__).parent / "fixtures"
KNOWN = json.loads((FIXTURES / "schema_1.json").read_text())
IDS = KNOWN["ids"]
URL = "https://example.com"
OWN_TOKEN = "a-token-of-ones-own"
ACCOUNTS = [*TOKENS[:2], OWN_TOKEN]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "engine.db"
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / "schema_1.sql").read_text())
    connection.close()
    return path


@pytest.fixture
async def engine(database: Path) -> AsyncIterator[Embedded]:
    """The engine of today on it, at the time when the other one was closed."""
    engine = Embedded(clock=ManualClock(KNOWN["now_ms"]), db=database, seed=1, token=OWN_TOKEN)
    yield engine
    await engine.aclose()


def lacking(before: Any, now: Any) -> bool:
    """Whether ``now`` lacks something of ``before``; what has been added is no loss."""
    if isinstance(before, dict) and isinstance(now, dict):
        return any(name not in now or lacking(value, now[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        return len(before) != len(now) or any(map(lacking, before, now))
    return before != now


async def listing(caller: Caller, path: str, key: str, query: dict[str, str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await caller.ask("GET", path, count=3, **query, **cursor)).json
        items += page[key]
        if "cursor" not in page:
            return items
        cursor = {"cursor": page["cursor"]}


async def test_every_answer_is_what_it_was(engine: Embedded):
    """Each message, dead letter, key and page of the log is told as the engine told it that wrote the file."""
    for told in KNOWN["answers"]:
        caller = Caller(engine.send, ACCOUNTS[told["account"]])
        if "items" in told:
            items = await listing(caller, told["path"], told["key"], told["query"])
            assert not lacking(told["items"], items), (told["path"], told["query"], told["items"], items)
        else:
            answer = await caller.ask("GET", told["path"])
            assert answer.status == told["status"], (told, answer)
            assert not lacking(told["answer"], answer.json), (told["path"], told["answer"], answer.json)


async def test_what_was_pending_arrives(engine: Embedded):
    """Delayed, retrying, interrupted and due: each goes out once under its id, as it was; the recalled does not."""
    receiver = engine.receiver(URL)
    assert await engine.settle()
    came = {}
    for request in receiver.received:
        headers = {name.lower(): value for name, value in request.headers}
        came[headers["upstash-message-id"]] = request, headers
    due = {"other's", "of one's own", "delayed", "not before", "hidden and delayed", "once", "alike"}
    due |= {"retrying", "under way", "due"}
    assert set(IDS.values()) & set(came) == {IDS[name] for name in due}
    assert len(receiver.received) == len(due) + 2  # and the reports on two of them
    for name in due:
        request, headers = came[IDS[name]]
        assert headers["x-trace"] == f"trace-{name}"
        assert headers["upstash-retried"] == ("1" if name == "retrying" else "0")
        assert request.body == body_of(IDS[name])
    assert came[IDS["hidden and delayed"]][1]["authorization"] == "Bearer of-somebody"
    (keys,) = (told["answer"] for told in KNOWN["answers"] if (told["path"], told["account"]) == ("/v2/keys", 2))
    request, headers = came[IDS["of one's own"]]
    token = headers["upstash-signature"]
    claims = jwt.decode(token, keys["current"], ["HS256"], issuer="Upstash", options={"verify_exp": False})
    assert claims["sub"] == request.url
    states = await Caller(engine.send).states(IDS["recalled"])
    assert states == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]


def body_of(message_id: str) -> bytes:
    """The body of a pending message, as the older engine's file has it."""
    if message_id == IDS["hidden and delayed"]:
        return b"a secret"
    (message,) = (
        told["answer"]
        for told in KNOWN["answers"]
        if told["path"] == f"/v2/messages/{message_id}" and told["status"] == 200
    )
    return b64decode(message["bodyBase64"]) if "bodyBase64" in message else message.get("body", "").encode()


async def test_what_was_published_once_is_not_taken_again(engine: Embedded):
    """Deduplication, by id and by content, goes on across the migration."""
    caller = Caller(engine.send)
    by_id = await caller.ask("POST", f"/v2/publish/{URL}/fine", b"again", {"Upstash-Deduplication-Id": "one"})
    assert (by_id.status, by_id.json["messageId"], by_id.json["deduplicated"]) == (202, IDS["once"], True)
    alike = {"Content-Type": "text/plain", "Upstash-Forward-X-Trace": "trace-alike"}
    alike["Upstash-Content-Based-Deduplication"] = "true"
    by_content = await caller.ask("POST", f"/v2/publish/{URL}/fine", b"by its content", alike)
    assert (by_content.status, by_content.json["messageId"]) == (202, IDS["alike"])


async def test_a_dead_letter_is_sent_again_as_it_was(engine: Embedded):
    """A retry of an old dead letter brings the original, what was redacted too; the deleted one is gone."""
    receiver = engine.receiver(f"{URL}/broken")
    caller = Caller(engine.send)
    for letter in await caller.dead_letters():
        assert (await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")).status == 201
    await engine.advance(0)
    assert {request.body for request in receiver.received} == {b"give up", b"a secret"}
    assert await caller.dead_letters() == []


def test_a_newer_schema_is_refused_in_one_line(database: Path):
    """``qsops engine`` on a file of a newer version says so, what to do, and nothing else."""
    with sqlite3.connect(database) as connection:
        connection.execute("pragma user_version = 999")
    connection.close()
    with pytest.raises(AssertionError) as refused:
        EngineProcess(database)
    _, _, heard = str(refused.value).partition("heard:\n")
    assert heard.count("\n") == 1
    assert "has schema version 999" in heard
    assert "open it with the newer version that wrote it" in heard
