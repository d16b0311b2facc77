import pytest

from qsops.clock import EPOCH_MS
from qsops.engine import texts as own_texts
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from tests.engine.caller import Caller

TEXT = "503 30% host=a.test from=10m for=5m"
WORDS = {"what": "503", "percent": 30.0, "host": "a.test", "from": "10m", "for": "5m"}
SHOWN = {
    "faultId": "fault_1",
    "fault": TEXT,
    "words": WORDS,
    "setAt": EPOCH_MS,
    "state": "waiting",
    "met": 0,
}


@pytest.mark.parametrize("body", [{"fault": TEXT}, WORDS, {**WORDS, "what": 503, "percent": 30, "after": False}])
async def test_a_fault_is_set(engine: Embedded, caller: Caller, body: dict):
    """As text or by its words; it comes back both ways, with its id and where its time stands."""
    assert (await caller.ask("POST", "/qsops/faults", body)).json == SHOWN
    assert (await caller.ask("GET", "/qsops/faults/fault_1")).json == SHOWN
    assert (await caller.ask("GET", "/qsops/faults")).json == {"faults": [SHOWN]}
    await engine.advance(600_000)
    assert (await caller.ask("GET", "/qsops/faults/fault_1")).json["state"] == "active"


async def test_a_fault_is_taken_back(engine: Embedded, caller: Caller):
    """One by its id, or all at once; what is gone is 404."""
    for text in ("500", "reset", "engine 500"):
        await caller.ask("POST", "/qsops/faults", {"fault": text})
    assert (await caller.ask("DELETE", "/qsops/faults/fault_2")).json == {"deleted": 1}
    for method in ("GET", "DELETE"):
        gone = await caller.ask(method, "/qsops/faults/fault_2")
        assert (gone.status, gone.error) == (404, own_texts.fault_not_found("fault_2"))
    assert (await caller.ask("DELETE", "/qsops/faults")).json == {"deleted": 2}
    assert engine.faults.all() == ()


async def test_what_has_happened_is_counted(engine: Embedded, caller: Caller):
    """A fault tells how often it was met, so that a drill can see that it took place."""
    engine.receiver("https://a.test")
    await caller.ask("POST", "/qsops/faults", {"fault": "500 for=1s"})
    for _ in range(3):
        await caller.publish("https://a.test", retries=0)
    await engine.settle()
    assert (await caller.ask("GET", "/qsops/faults/fault_1")).json["met"] == 3
    assert len(await caller.dead_letters()) == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is not JSON"),
        (b"[]", "fault: expected an object"),
        (b'{"fault": "7xx"}', "fault '7xx': '7xx' is neither a status from 400 to 599"),
        (b'{"what": "503", "colour": "red"}', "fault: colour: a fault has no such word"),
    ],
)
async def test_what_is_no_fault_is_refused(engine: Embedded, caller: Caller, body: bytes, why: str):
    """400 that names what was sent and what to write; nothing is set."""
    answer = await caller.ask("POST", "/qsops/faults", body)
    assert answer.status == 400
    assert answer.error.startswith(texts.invalid_body(why))
    assert engine.faults.all() == ()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/qsops/faults", "/qsops/faults/fault_1"])
async def test_a_parameter_is_refused(engine: Embedded, caller: Caller, method: str, path: str):
    """Nobody clears all by a narrowing that there is not: 400 that names it, and nothing is touched."""
    await caller.ask("POST", "/qsops/faults", {"fault": TEXT})
    path = "/qsops/faults" if method == "POST" else path
    answer = await caller.ask(method, path, {"fault": "500"} if method == "POST" else b"", hostt="x")
    assert (answer.status, answer.error) == (400, texts.unknown_parameter("hostt"))
    assert [one.fault_id for one in engine.faults.all()] == ["fault_1"]


async def test_faults_ask_for_a_token(engine: Embedded):
    """Nobody sets a fault without an account."""
    answer = await Caller(engine.send, None).ask("POST", "/qsops/faults", {"fault": "500"})
    assert (answer.status, answer.error) == (401, texts.INVALID_TOKEN)
    assert engine.faults.all() == ()


async def test_a_fault_of_the_engine_can_be_taken_back_by_it(engine: Embedded, caller: Caller):
    """Its own paths meet no fault, and count against no limit."""
    await caller.ask("POST", "/qsops/faults", {"fault": "engine 500"})
    assert (await caller.ask("GET", "/v2/keys")).status == 500
    assert (await caller.ask("DELETE", "/qsops/faults")).status == 200
    assert (await caller.ask("GET", "/v2/keys")).status == 200
