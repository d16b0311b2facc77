"""One trace from Meta's POST through QStash into the handler, and on into what the handler publishes."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qsops.models import LogFilter
from service.processing import Event, Transaction
from service.samples import encode, sample
from service.tracing import NoTracing, Tracing, tracing_of_process
from tests.pipeline.town import BASE, HOUR_MS, Town, in_town

ONWARDS = f"{BASE}/api/qstash/instagram-ingestion"


class Watched:
    """A provider of one test's own, and the spans that ended in it."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider)
        self.tracer = provider.get_tracer("handler")

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]


WATCHED: list[Watched] = []


@pytest.fixture
def watched() -> Watched:
    WATCHED[:] = [Watched()]
    return WATCHED[0]


async def traced(event: Event, tx: Transaction) -> None:
    with WATCHED[0].tracer.start_as_current_span("handler"):
        if not tx.delivery.retried and event.kind == "message":
            raise ValueError("a secret text of a person")
    if event.kind == "message":
        tx.publish(ONWARDS, body=b"{}")


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


async def post(town: Town, mid: str) -> None:
    await town.post(encode(sample("message", mid=mid, at_ms=town.clock.now_ms())))


def test_the_webhook_and_the_consumer_are_one_trace(watched: Watched):
    """The span's context travels with the message as ``traceparent``: each attempt is a child of the webhook's span."""

    async def main(town: Town) -> None:
        await post(town, "m-1")
        await post(town, "m-2")
        await town.engine.advance(HOUR_MS)

    in_town(main, tracing=watched.tracing, qsops_handler=f"{__name__}:traced")
    first, second = watched.spans("qsops.webhook")
    assert trace_id(first) != trace_id(second)
    for received in (first, second):
        deliveries = [span for span in watched.spans("qsops.delivery") if trace_id(span) == trace_id(received)]
        attempts = [span for span in deliveries if span.parent and span.parent.span_id == received.context.span_id]
        outcomes = [(span.attributes or {})["qsops.outcome"] for span in attempts]
        assert outcomes == ["failed", "processed"]
        # What the handler published goes on in the same trace, below the delivery that published it.
        (onwards,) = [span for span in deliveries if span not in attempts]
        assert onwards.parent is not None
        assert onwards.parent.span_id == attempts[1].context.span_id


def test_a_handlers_own_spans_are_children_of_the_delivery(watched: Watched):
    """Whoever traces inside a handler finds it where it belongs."""

    async def main(town: Town) -> None:
        await post(town, "m-1")
        await town.engine.advance(HOUR_MS)

    in_town(main, tracing=watched.tracing, qsops_handler=f"{__name__}:traced")
    parents = {span.context.span_id for span in watched.spans("qsops.delivery") if span.context}
    assert len(watched.spans("handler")) == 2
    assert {span.parent.span_id for span in watched.spans("handler") if span.parent} <= parents


def test_a_message_that_waited_in_the_outbox_keeps_its_trace(watched: Watched):
    """The header is part of the row: an hour without QStash later it is still the same trace."""

    async def main(town: Town) -> None:
        town.road.is_cut = True
        await post(town, "m-1")
        await town.engine.advance(HOUR_MS)
        town.road.is_cut = False
        await town.engine.advance(HOUR_MS)

    in_town(main, tracing=watched.tracing)
    (received,) = watched.spans("qsops.webhook")
    (delivered,) = watched.spans("qsops.delivery")
    assert trace_id(delivered) == trace_id(received)


def test_spans_hold_ids_and_no_word_of_a_person(watched: Watched):
    """A trace is read by more people than the database: ids and outcomes, and of an error nothing."""

    async def main(town: Town) -> str:
        await post(town, "m-1")
        await town.engine.advance(HOUR_MS)
        return (await town.ledger())[0].event_id

    event_id = in_town(main, tracing=watched.tracing, qsops_handler=f"{__name__}:traced")
    for span in watched.spans("qsops.delivery")[:1]:
        told = dict(span.attributes or {})
        assert (told["qsops.event_id"], told["qsops.retried"], told["qsops.outcome"]) == (event_id, 0, "failed")
    everything = "".join(span.to_json() for name in ("qsops.webhook", "qsops.delivery") for span in watched.spans(name))
    assert "secret text" not in everything


def test_a_foreign_traceparent_that_is_none_is_passed_over(watched: Watched):
    """A malformed header begins a new trace, and costs no delivery."""
    for value in ("", "00-0-0-01", "ff-" + "0" * 32, "\x00"):
        with watched.tracing.continued("qsops.delivery", (("traceparent", value),)) as span:
            span.set_attribute("qsops.outcome", "processed")
    assert [span.parent for span in watched.spans("qsops.delivery")] == [None] * 4


def test_without_a_provider_nothing_travels():
    """Nobody who did not ask for traces sends a header more, or pays for one."""

    async def main(town: Town) -> None:
        await post(town, "m-1")
        await town.engine.settle()
        logs = await town.app.state.service.client.logs(LogFilter())
        assert [name for log in logs.items for name, _ in log.headers if name.lower() == "traceparent"] == []

    assert type(tracing_of_process()) is NoTracing
    in_town(main)


def test_without_the_package_there_is_no_tracing(monkeypatch: pytest.MonkeyPatch):
    """OpenTelemetry is an extra."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert type(tracing_of_process()) is NoTracing


def test_a_process_that_has_set_a_provider_is_traced(monkeypatch: pytest.MonkeyPatch):
    """Setting up OpenTelemetry is all that somebody has to do."""
    monkeypatch.setattr(trace, "get_tracer_provider", TracerProvider)
    assert type(tracing_of_process()) is Tracing
