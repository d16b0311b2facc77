import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from qsops.client import Client
from qsops.clock import ManualClock
from qsops.errors import AuthError, Corrupt, OutcomeUnknown, RateLimited, SettingsError, Unreachable
from qsops.publish import Journal, Limits, Outcome, keyed, publish_many
from qsops.wire.http import Response
from tests.client.fake_qstash import BURST, DAILY, FakeQStash, refusal

URL = "https://app.example/hook"
ROWS = [{"key": f"k{n}", "n": n} for n in range(20)]
LIMITS = Limits(batch_count=4, in_flight=2)
BATCHES = 5


class Job:
    """One publish_many over ROWS, again and again with the same journal."""

    def __init__(self, client: Client, qstash: FakeQStash, clock: ManualClock, path: Path | None) -> None:
        self.client, self.qstash, self.clock, self.path = client, qstash, clock, path

    async def run(self, rows: list[dict] | None = None, **options) -> list[Outcome]:
        with Journal(self.path, target="local", scope=URL) as journal:
            messages = keyed(ROWS if rows is None else rows, "key", {"url": URL}, URL)
            options = {"limits": LIMITS, **options}
            return await publish_many(self.client, messages, journal, clock=self.clock, **options)

    def counts(self) -> Counter:
        """How often each key arrived, as the receiver saw it."""
        return Counter(json.loads(body)["key"] for body in self.qstash.bodies())


@pytest.fixture
def job(client: Client, qstash: FakeQStash, clock: ManualClock, tmp_path: Path) -> Job:
    return Job(client, qstash, clock, tmp_path / "journal.jsonl")


ONCE = Counter({row["key"]: 1 for row in ROWS})


async def test_each_row_is_sent_once_and_reported_in_its_order(job: Job):
    """Every row has its outcome, in the order of the rows, however the batches came back."""
    outcomes = await job.run()
    assert [outcome.key for outcome in outcomes] == [row["key"] for row in ROWS]
    assert all(outcome.message_id and not outcome.error and not outcome.deduplicated for outcome in outcomes)
    assert job.counts() == ONCE
    assert len(job.qstash.requests) == BATCHES


async def test_batches_are_bounded_in_bytes(job: Job):
    """Rows of long bodies travel in smaller batches, and one that is too long alone still goes."""
    rows = [{"key": f"k{n}", "text": "x" * 10_000} for n in range(6)]
    await job.run(rows, limits=Limits(batch_count=100, batch_bytes=22_000))
    assert [request.path for request in job.qstash.requests] == ["/v2/batch"] * 3
    await job.run([{"key": "long", "text": "x" * 30_000}], limits=Limits(batch_bytes=22_000))
    assert len(job.qstash.accepted) == 7


async def test_no_more_batches_are_in_flight_than_allowed(job: Job):
    """A service is not flooded by a long job."""
    job.qstash.fates.extend(["hang"] * 9)
    task = asyncio.create_task(job.run())
    await job.qstash.hanging.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(job.qstash.requests) <= LIMITS.in_flight
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("fate", ["hang", "lost and hang"])
@pytest.mark.parametrize("served", range(BATCHES))
async def test_interrupted_at_any_batch_it_resumes_without_loss_or_duplicate(job: Job, fate: str, served: int):
    """Whichever batch was under way, before or after the service took it, the same call ends with each row once."""
    job.qstash.fates.extend(["served"] * served + [fate])
    task = asyncio.create_task(job.run())
    await job.qstash.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    job.qstash.fates.clear()
    outcomes = await job.run()
    assert job.counts() == ONCE
    assert [outcome.key for outcome in outcomes] == [row["key"] for row in ROWS]
    assert all(outcome.message_id and not outcome.error for outcome in outcomes)


async def test_a_finished_job_sends_nothing_again(job: Job):
    """A second run asks nothing of the service, and reports each row as taken before, under the same id."""
    first = await job.run()
    asked = len(job.qstash.requests)
    second = await job.run()
    assert len(job.qstash.requests) == asked
    assert [outcome.message_id for outcome in second] == [outcome.message_id for outcome in first]
    assert all(outcome.deduplicated for outcome in second)


@pytest.mark.parametrize("fates", [["lost"], ["unsent", "lost"], [BURST, "lost"], [refusal(502, "bad gateway")]])
async def test_faults_on_the_way_make_no_duplicates(job: Job, fates: list):
    """Batches are repeated under the ids of their rows."""
    job.qstash.fates.extend(fates)
    await job.run()
    assert job.counts() == ONCE


async def test_a_key_in_doubt_is_not_sent_again_beyond_the_window(job: Job):
    """After ten minutes a repeat would be a second message: the row is reported, and sent only when asked for."""
    job.qstash.fates.append("lost and hang")
    task = asyncio.create_task(job.run(limits=Limits(batch_count=4, in_flight=1)))
    await job.qstash.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    job.clock.advance(11 * 60_000)
    outcomes = await job.run()
    assert [outcome.key for outcome in outcomes if outcome.error] == ["k0", "k1", "k2", "k3"]
    assert "its answer never came" in outcomes[0].error
    assert job.counts() == ONCE
    sent = await job.run(resend_unknown=True)
    assert all(outcome.message_id for outcome in sent)
    assert job.counts()["k0"] == 2


async def test_what_surely_was_not_sent_is_sent_later(job: Job):
    """Rows that never left are in no doubt: hours later the same call sends them."""
    job.qstash.fates.extend(["unsent"] * 100)
    with pytest.raises(Unreachable) as stopped:
        await job.run()
    assert "the same call resumes" in stopped.value.__notes__[0]
    job.qstash.fates.clear()
    job.clock.advance(3_600_000)
    await job.run()
    assert job.counts() == ONCE


@pytest.mark.parametrize(("fate", "error"), [("lost", OutcomeUnknown), (Response(200, (), b"<html>"), Corrupt)])
async def test_an_unknown_outcome_stays_in_doubt(job: Job, fate: object, error: type):
    """An answer that is lost again and again, or cannot be read, leaves the rows in doubt, not unsent."""
    job.qstash.fates.extend([fate] * 100)
    with pytest.raises(error):
        await job.run()
    job.qstash.fates.clear()
    job.clock.advance(11 * 60_000)
    outcomes = await job.run()
    assert any(outcome.error for outcome in outcomes)
    assert max(job.counts().values()) == 1


@pytest.mark.parametrize(("answer", "error"), [(DAILY, RateLimited), (refusal(401, "no"), AuthError)])
async def test_what_stops_everything_is_raised_after_what_is_in_flight(job: Job, answer: object, error: type):
    """A used-up day or a wrong token ends the job; what was under way is noted, and the rest goes another day."""
    job.qstash.fates.extend(["served", "served", *[answer] * 20])
    with pytest.raises(error):
        await job.run()
    job.qstash.fates.clear()
    job.clock.advance(86_400_000)
    outcomes = await job.run()
    assert job.counts() == ONCE
    assert sum(outcome.deduplicated for outcome in outcomes) == 8


async def test_a_refused_row_is_reported_and_the_others_go_through(job: Job):
    """Of a batch only the bad row fails; once it is mended the same call sends it."""
    job.qstash.refuse = lambda item: "too bad" if b'"k5"' in item["body"] else None
    outcomes = await job.run()
    assert [(outcome.key, outcome.error) for outcome in outcomes if outcome.error] == [("k5", "too bad")]
    job.qstash.refuse = lambda item: None
    assert not any(outcome.error for outcome in await job.run())
    assert job.counts() == ONCE


async def test_a_batch_refused_for_one_row_is_tried_in_halves(job: Job):
    """Where the service refuses a whole request, for its size say, the one to blame is found."""
    job.qstash.on_request = lambda request: (
        job.qstash.fates.append(refusal(413, "too large")) if b"k5" in request.body else None
    )
    outcomes = await job.run()
    assert [(o.key, o.error) for o in outcomes if o.error] == [("k5", "too large (HTTP 413)")]
    assert len(job.counts()) == len(ROWS) - 1


async def test_a_key_with_other_content_is_no_resumption(job: Job):
    """The same key for another message would be silently dropped: it is reported instead."""
    await job.run()
    outcomes = await job.run([{"key": "k0", "n": "changed"}, {"key": "new", "n": 1}])
    assert "other content" in outcomes[0].error
    assert outcomes[1].message_id


async def test_a_body_that_is_no_text_goes_by_itself(job: Job):
    """A batch is JSON and has no form for bytes: such a message is published alone."""
    outcomes = await job.run([{"key": "a", "body": b"\xff\xfe"}, {"key": "b", "body": "text"}])
    assert all(outcome.message_id for outcome in outcomes)
    assert sorted(job.qstash.bodies()) == [b"text", b"\xff\xfe"]


async def test_every_row_is_reported_to_the_bar(job: Job):
    """Progress counts each row once, sent, refused, malformed or known before."""
    steps: list[int] = []
    await job.run(ROWS[:10], report=steps.append)
    assert sum(steps) == 10
    steps.clear()
    await job.run([*ROWS, {"n": "without a key"}], report=steps.append)
    assert sum(steps) == 21


async def test_a_fault_in_the_rows_keeps_what_was_sent(job: Job):
    """A file that breaks off in the middle ends the job with its error, and what was in flight is noted."""

    def broken():
        yield from ROWS[:8]
        raise SettingsError("rows.jsonl, line 9: no JSON")

    with pytest.raises(SettingsError, match="line 9"):
        await job.run(broken())
    sent = len(job.counts())
    assert sent == 4
    outcomes = await job.run()
    assert sum(outcome.deduplicated for outcome in outcomes) == sent
    assert job.counts() == ONCE


async def test_without_a_journal_the_keys_still_deduplicate(job: Job):
    """Two runs within the window send each row once, even if nothing was remembered here."""
    job.path = None
    await job.run()
    outcomes = await job.run()
    assert job.counts() == ONCE
    assert all(outcome.deduplicated for outcome in outcomes)
