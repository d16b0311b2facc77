"""What an operator sees of the whole path: callbacks, alerts, log lines; and what nobody may see there."""

import json
import logging
import re
from dataclasses import dataclass, field

import pytest

from qsops.models import Callback, Publish
from service.log import LOGGER
from service.metrics import METRICS_PATH
from service.processing import Event, Transaction, handle_incoming_messaging_event
from service.publishing import FAILURE_PATH
from service.rehearsal import APP_SECRET, INTERNAL_TOKEN, POISON_ID, make_workload
from service.rehearsal.settings import VERIFY_TOKEN
from service.samples import PERSON, TEXT, encode, sample
from tests.pipeline.town import BASE, HOUR_MS, Town, in_town

FLAKY = "service.rehearsal:flaky_handler"
NOWHERE = "https://elsewhere.example/crm"
ALERTS_TO = "https://hooks.example/services/T0/canary-alert-path"
DAY_MS = 24 * HOUR_MS
MENDED: list[bool] = []


@dataclass
class Receiver:
    """Takes every post of an alert."""

    texts: list[str] = field(default_factory=list)

    async def post(self, text: str) -> str | None:
        self.texts.append(text)
        return None


async def publishing(event: Event, tx: Transaction) -> None:
    await handle_incoming_messaging_event(event, tx)
    tx.publish(NOWHERE, json={"text": "to nobody"}, retries=0)


async def broken(event: Event, tx: Transaction) -> None:
    if not MENDED:
        raise ValueError(f"{event.account} {TEXT}")


async def post(town: Town, mid: str = "m-1") -> None:
    await town.post(encode(sample("message", mid=mid, at_ms=town.clock.now_ms())))


def test_what_a_handler_published_is_known_to_be_dead():
    """A follow-up that fails for good is reported with the event that caused it, which stays processed."""

    async def main(town: Town) -> None:
        await post(town)
        await town.engine.advance(HOUR_MS)
        (entry,) = await town.ledger()
        assert entry.state == "processed"
        (row,) = await town.rows("select * from callbacks")
        assert (row["outcome"], row["event_id"]) == ("failure", entry.event_id)
        (letter,) = await town.dead_letters()
        assert (row["message_id"], row["dlq_id"]) == (letter.message.message_id, letter.dlq_id)
        assert row["message_id"] != entry.message_id

    in_town(main, qsops_handler=f"{__name__}:publishing")


@pytest.mark.parametrize("switched_on", [False, True])
def test_delivery_callbacks_come_where_they_are_switched_on(switched_on: bool):
    """Each attempt is billed twice with them: QSOPS_DELIVERY_CALLBACK decides, and a failure is told either way."""

    async def main(town: Town) -> None:
        await town.post(*make_workload(60, 4).bodies)
        await town.engine.settle()
        rows = await town.rows("select * from callbacks")
        failures = [row["event_id"] for row in rows if row["outcome"] == "failure"]
        attempts = [row for row in rows if row["outcome"] == "delivery"]
        assert failures == [POISON_ID]
        if not switched_on:
            assert attempts == []
            return
        ledger = await town.ledger()
        assert {row["event_id"] for row in attempts} == {entry.event_id for entry in ledger}
        assert {row["status"] for row in attempts} >= {200, 489}
        told = (await town.http.get(METRICS_PATH)).text
        assert f'qsops_callbacks_total{{outcome="delivery"}} {len(attempts)}.0' in told

    in_town(main, qsops_handler=FLAKY, qsops_delivery_callback=switched_on)


def test_a_callback_of_a_message_that_is_not_ours_is_recorded_without_an_event():
    """Whoever publishes by hand with our callback is known by the message's id alone."""

    async def main(town: Town) -> None:
        await town.app.state.service.client.publish(
            Publish(NOWHERE, b"x", retries=0, failure_callback=Callback(BASE + FAILURE_PATH))
        )
        await town.engine.advance(HOUR_MS)
        (row,) = await town.rows("select outcome, event_id from callbacks")
        assert (row["outcome"], row["event_id"]) == ("failure", None)

    in_town(main)


def test_a_broken_handler_rings_once_and_its_mending_once():
    """Forty dead messages are one post; when the handler works again, and has for a while, there is another."""
    receiver = Receiver()
    MENDED.clear()

    async def main(town: Town) -> None:
        for number in range(40):
            await post(town, f"m-{number}")
        await town.engine.advance(HOUR_MS)
        (told,) = receiver.texts
        assert "answered 500: the handler failed: ValueError. " in told
        assert [word for word in (TEXT, PERSON, "m-1", "canary") if word in told] == []
        MENDED.append(True)
        await post(town, "m-41")
        await town.engine.advance(HOUR_MS)
        assert receiver.texts[1:] == [
            "Recovered: answered 500: the handler failed: ValueError. 40 messages failed; none in 15 min, "
            "and deliveries succeed."
        ]

    told = {"alert_webhook_url": ALERTS_TO, "qsops_retries": 0, "qsops_handler": f"{__name__}:broken"}
    in_town(main, poster=receiver, **told)


def test_nothing_that_is_logged_is_a_secret_or_a_persons_word(caplog: pytest.LogCaptureFixture):
    """The workload with all its faults, a cut road and a database away: ids, causes and times, and nothing else."""
    workload = make_workload(300, 11)

    async def main(town: Town) -> None:
        await town.post(*workload.bodies[:10])
        town.road.is_cut = True
        await town.post(*workload.bodies[10:])
        await town.http.post(
            "/api/webhooks/instagram", content=workload.bodies[0], headers={"X-Hub-Signature-256": "x"}
        )
        await town.http.post("/api/qstash/instagram-ingestion", content=workload.bodies[0])
        await town.engine.advance(HOUR_MS // 12)
        town.road.is_cut = False
        town.store.is_away = True
        await town.engine.advance(HOUR_MS // 12)
        town.store.is_away = False
        await town.engine.advance(2 * DAY_MS)
        assert {entry.state for entry in await town.ledger()} == {"processed", "dead"}

    with caplog.at_level(logging.DEBUG):
        in_town(main, qsops_handler=FLAKY, poster=Receiver(), alert_webhook_url=ALERTS_TO)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    words, people = _words(workload.bodies), _people(workload.bodies)
    assert (len(words) > 100, len(people)) == (True, 12)
    assert [word for word in words | people if word in logged] == []
    settings_secrets = (APP_SECRET, VERIFY_TOKEN, INTERNAL_TOKEN, "canary-alert-path", "sig_", "eyJ")
    assert [secret for secret in settings_secrets if secret in logged] == []
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == LOGGER.name]
    assert {line["log"] for line in lines} >= {"webhook", "delivery", "callback", "refused", "alert"}


def test_a_delivery_is_one_line_that_can_be_joined():
    """Message id, event id, attempt, outcome and milliseconds, under the ids that the ledger and QStash's log have."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    async def main(town: Town) -> None:
        await post(town)
        await town.engine.settle()
        (entry,) = await town.ledger()
        (line,) = [json.loads(line) for line in lines if '"log":"delivery"' in line]
        assert line == {
            "log": "delivery",
            "message_id": entry.message_id,
            "event_id": entry.event_id,
            "kind": "message",
            "retried": 0,
            "outcome": "processed",
            "status": 200,
            "ms": 0.0,
        }

    handler, level = Lines(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        in_town(main)
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def _words(bodies: tuple[bytes, ...]) -> set[str]:
    """What people wrote, each text and each of its longer words, as they are and as JSON would spell them."""
    texts = {text for body in bodies for text in _texts(json.loads(body))}
    words = {word for text in texts for word in re.split(r"\s+", text) if len(word) > 4 or not word.isascii()}
    plain = {*texts, *words} - {""}
    return plain | {json.dumps(text)[1:-1] for text in plain}


def _people(bodies: tuple[bytes, ...]) -> set[str]:
    return {match for body in bodies for match in re.findall(r'"sender": ?\{"id": ?"(9\d+)"', body.decode())}


def _texts(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {item for key, item in value.items() if key in ("text", "emoji", "title") and isinstance(item, str)}
        return own.union(*(_texts(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_texts(item) for item in value))
    return set()
