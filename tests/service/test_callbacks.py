import pytest

from qsops.models import CallbackReport
from qsops.wire.callbacks import callback_body
from service.errors import StoreUnavailable
from service.publishing import CALLBACK_PATH, CONSUMER_PATH, FAILURE_PATH
from service.store import SqliteStore
from tests.service.rig import Rig, close, make_rig


def report(event_id: str, **changes: object) -> bytes:
    values = {
        "source_message_id": "msg_7",
        "status": 500,
        "url": "https://service.example" + CONSUMER_PATH,
        "method": "POST",
        "retried": 5,
        "max_retries": 5,
        "source_headers": (("Qsops-Event-Id", event_id),),
        "dlq_id": "1767225600000-0",
    }
    return callback_body(CallbackReport(**{**values, **changes}))  # type: ignore[arg-type]


async def test_a_failure_callback_makes_its_event_dead(rig: Rig):
    """A dead message is known without polling, with the answer that decided it."""
    await rig.post_sample("message")
    (entry,) = await rig.ledger()
    answer = await rig.deliver(report(entry.event_id), path=FAILURE_PATH)
    assert (answer.status_code, answer.json()) == (200, {"recorded": True})
    (entry,) = await rig.ledger(state="dead")
    assert entry.reason == "answered 500"
    (row,) = await rig.rows("select * from callbacks")
    assert (row["message_id"], row["event_id"], row["outcome"], row["status"], row["dlq_id"]) == (
        "msg_7", entry.event_id, "failure", 500, "1767225600000-0"
    )  # fmt: skip


async def test_a_callback_is_recorded_once(rig: Rig):
    """A callback is itself delivered at least once."""
    answers = [(await rig.deliver(report("e"), path=FAILURE_PATH)).json() for _ in range(2)]
    assert answers == [{"recorded": True}, {"recorded": False}]
    assert await rig.count("callbacks") == 1


async def test_a_replay_brings_a_dead_event_back(rig: Rig):
    """What was dead and is delivered after all is processed."""
    await rig.deliver(report(rig.event().id), path=FAILURE_PATH)
    await rig.post_sample("message")
    await rig.deliver(rig.event())
    assert [entry.state for entry in await rig.ledger()] == ["processed"]


async def test_a_late_failure_does_not_undo_what_was_processed(rig: Rig):
    """A message may fail for its answer alone: its event was processed, and stays so."""
    await rig.deliver(rig.event())
    await rig.deliver(report(rig.event().id), path=FAILURE_PATH)
    assert [entry.state for entry in await rig.ledger()] == ["processed"]


async def test_a_delivery_callback_is_recorded_and_kills_nobody(rig: Rig):
    """Delivery callbacks come after each attempt, failed ones too, and decide nothing."""
    await rig.post_sample("message")
    (entry,) = await rig.ledger()
    for retried in range(2):
        await rig.deliver(report(entry.event_id, retried=retried), path=CALLBACK_PATH)
    assert [entry.state for entry in await rig.ledger()] == ["published"]
    assert [row["outcome"] for row in await rig.rows("select outcome from callbacks")] == ["delivery", "delivery"]


@pytest.mark.parametrize("path", [CALLBACK_PATH, FAILURE_PATH])
async def test_a_callback_is_signed_for_its_own_url(rig: Rig, path: str):
    """A signature for another of our routes opens none of these."""
    answer = await rig.deliver(report("e"), path=path, url="https://service.example" + CONSUMER_PATH)
    assert answer.status_code == 401
    assert await rig.count("callbacks") == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}"])
async def test_a_broken_callback_is_489(rig: Rig, body: bytes):
    """No retry mends it."""
    assert (await rig.deliver(body, path=FAILURE_PATH)).status_code == 489


class Away(SqliteStore):
    """A store that cannot record."""

    async def report(self, report, outcome, event_id, now_ms, cause=None):  # type: ignore[no-untyped-def, override]
        raise StoreUnavailable("switched off")


async def test_without_a_database_a_callback_comes_again():
    """503 with Retry-After, on the callback's own curve."""
    rig = make_rig(store=Away(":memory:"))
    answer = await rig.deliver(report("e"), path=FAILURE_PATH, retried=1)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "148")
    await close(rig)
