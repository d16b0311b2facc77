import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qsops.clock import ManualClock
from service.envelope import encode
from service.errors import StoreUnavailable
from service.metrics import METRICS_PATH, PATIENCE_S
from service.store import Backlog, SqliteStore
from tests.service import virtual
from tests.service.rig import Rig, close, make_rig, refused

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(rig: Rig) -> Samples:
    answer = await rig.http.get(METRICS_PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, what: str, **labels: str) -> float:
    return samples[f"qsops_{what}", tuple(sorted(labels.items()))]


async def test_deliveries_are_counted_by_what_became_of_them(rig: Rig):
    """Outcomes, claim conflicts and the handlers' times are told apart, and a repeat is no second success."""
    await rig.deliver(rig.event())
    await rig.deliver(rig.event(), retried=1)
    await rig.deliver(b"{")
    told = await scrape(rig)
    assert value(told, "deliveries_total", outcome="processed") == 1
    assert value(told, "deliveries_total", outcome="duplicate") == value(told, "claim_conflicts_total") == 1
    assert value(told, "deliveries_total", outcome="malformed") == 1
    # What could not be read was handled by nobody.
    assert value(told, "handler_seconds_count") == value(told, "handler_seconds_bucket", le="+Inf") == 2


async def test_a_handler_that_fails_is_timed_too():
    """A slow failure is a slow handler; the histogram must not hide it."""
    rig = make_rig(qsops_handler="tests.service.handlers:raising")
    await rig.deliver(rig.event())
    told = await scrape(rig)
    assert value(told, "deliveries_total", outcome="failed") == value(told, "handler_seconds_count") == 1
    await close(rig)


async def test_received_events_and_publish_failures_are_counted(rig: Rig):
    """What Meta posted, and why QStash did not take it."""
    await rig.post_sample("message", "m-1")
    await rig.post_sample("message", "m-1")
    rig.qstash.answer = refused(503)
    await rig.post_sample("message", "m-2")
    told = await scrape(rig)
    for outcome in ("published", "duplicate", "queued"):
        assert value(told, "webhook_events_total", outcome=outcome) == 1, outcome
    assert value(told, "publish_failures_total", name="server_fault") == 1


async def test_refused_signatures_are_counted_by_route_and_cause(rig: Rig):
    """Whoever forges, and with what, can be told from a key that we have wrong."""
    await rig.deliver(rig.event(), key="sig_wrong")
    await rig.deliver(rig.event(), url="https://elsewhere.example/")
    await rig.webhook(b"{}", **{"X-Hub-Signature-256": "sha256=00"})
    told = await scrape(rig)
    assert value(told, "signature_failures_total", route="consumer", cause="key") == 1
    assert value(told, "signature_failures_total", route="consumer", cause="url") == 1
    assert value(told, "signature_failures_total", route="webhook", cause="signature") == 1


async def test_the_outbox_is_as_it_is_when_asked(rig: Rig):
    """Depth and age come from the database, so every process tells the same."""
    assert value(await scrape(rig), "outbox_oldest_seconds") == 0
    rig.qstash.answer = refused(503)
    await rig.post_sample("message")
    rig.clock.advance(90_000)
    told = await scrape(rig)
    assert value(told, "outbox_messages", state="queued") == 1
    assert value(told, "outbox_messages", state="parked") == 0
    assert value(told, "outbox_oldest_seconds") == 90


class Away(SqliteStore):
    """A database that is away, or hangs."""

    hangs = False

    async def lag(self) -> Backlog:
        if self.hangs:
            await asyncio.Event().wait()
        raise StoreUnavailable("switched off")


async def test_without_a_database_its_gauges_are_missing():
    """No outbox is not an empty outbox; the counters are told all the same."""
    rig = make_rig(store=Away(":memory:"))
    rig.service.tally.delivered("processed")
    told = await scrape(rig)
    assert value(told, "deliveries_total", outcome="processed") == 1
    assert not [name for name, _ in told if "outbox" in name]
    await close(rig)


def test_a_database_that_hangs_does_not_hang_the_scrape():
    """Prometheus gives up after ten seconds, and would take the process for dead."""

    async def main(clock: ManualClock) -> None:
        store = Away(":memory:")
        store.hangs = True
        rig = make_rig(clock, store=store)
        scraping = asyncio.create_task(scrape(rig))
        await virtual.advance(clock, int(PATIENCE_S * 1000))
        assert not [name for name, _ in await scraping if "outbox" in name]
        await close(rig)

    virtual.run(main)


async def test_each_app_counts_for_itself(rig: Rig):
    """One registry an app: what one has counted is not in another's, and making many is no error."""
    other = make_rig()
    await rig.deliver(rig.event())
    assert value(await scrape(rig), "deliveries_total", outcome="processed") == 1
    assert ("qsops_deliveries_total", (("outcome", "processed"),)) not in await scrape(other)
    await close(other)


async def test_no_id_is_a_label(rig: Rig):
    """Labels are closed sets: neither ids nor texts, which would be a series each and somebody's data."""
    event = rig.event()
    await rig.deliver(event, message_id="msg_77")
    await rig.deliver(encode(event), message_id="msg_78", key="sig_wrong")
    text = (await rig.http.get(METRICS_PATH)).text
    assert [word for word in (event.id, "msg_77", "msg_78", event.account) if word in text] == []


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.3, 61.0])
async def test_a_time_falls_into_its_bucket(rig: Rig, seconds: float):
    """A bucket counts what took at most as long as it says; what is beyond all is in the last."""
    rig.service.tally.handler_took(seconds)
    told = await scrape(rig)
    counted = {
        float(labels[0][1]): count for (name, labels), count in told.items() if name == "qsops_handler_seconds_bucket"
    }
    assert counted == {bound: float(seconds <= bound) for bound in counted}
    assert value(told, "handler_seconds_sum") == seconds
