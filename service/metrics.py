"""``GET /metrics``: what this process has counted, in Prometheus' words, and the outbox as it is when asked.

Labels are closed sets of causes and outcomes: never an id, never a person. Several processes behind one address are
several targets: Prometheus adds up the counters, and the outbox's gauges are the same at each, so take their maximum.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from qsops.clock import Clock
from service.errors import StoreUnavailable
from service.publishing import CALLBACK_PATH, CONSUMER_PATH, FAILURE_PATH, PUBLISH_FAILED
from service.store import Backlog, Store
from service.tally import ALERTS, CALLBACKS, DELIVERIES, EVENTS, SECONDS, Tally
from service.webhook import WEBHOOK_PATH

__all__ = ["METRICS_PATH", "exposition", "router"]

METRICS_PATH: Final = "/metrics"
#: A database that hangs must not hang the scrape; the gauges are left out.
PATIENCE_S: Final = 2.0

_DUPLICATE: Final = "duplicate"
_REFUSING: Final = {
    WEBHOOK_PATH: "webhook",
    CONSUMER_PATH: "consumer",
    CALLBACK_PATH: "callback",
    FAILURE_PATH: "failure",
}


def router(store: Store, clock: Clock, tally: Tally) -> APIRouter:
    """The route that Prometheus scrapes."""
    routes = APIRouter(tags=["health"])

    async def backlog() -> Backlog | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await store.lag()
        except (StoreUnavailable, TimeoutError):
            return None

    @routes.get(METRICS_PATH)
    async def metrics() -> Response:
        """Counters, the handlers' times, and the outbox."""
        text = exposition(tally, await backlog(), clock.now_ms())
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes


def exposition(tally: Tally, backlog: Backlog | None, now_ms: int) -> bytes:
    """The text of one scrape; without a ``backlog`` the outbox's gauges are missing, which is not zero."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(tally, backlog, now_ms))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Scrape(Collector):
    """One look at the counts."""

    def __init__(self, tally: Tally, backlog: Backlog | None, now_ms: int) -> None:
        self._tally = tally
        self._backlog = backlog
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        counts = self._tally.counts
        deliveries = counts(DELIVERIES)
        yield _counter("qsops_deliveries", "Verified deliveries by what became of them", "outcome", deliveries)
        conflicts = CounterMetricFamily("qsops_claim_conflicts", "Deliveries of events that were claimed before")
        conflicts.add_metric((), deliveries.get(_DUPLICATE, 0))
        yield conflicts
        yield self._handler_seconds()
        yield _counter("qsops_webhook_events", "Events received, by what became of them", "outcome", counts(EVENTS))
        yield _counter("qsops_publish_failures", "Messages not taken by QStash", "name", counts(PUBLISH_FAILED))
        yield _counter("qsops_callbacks", "Callbacks of QStash by what they report", "outcome", counts(CALLBACKS))
        yield _counter("qsops_alerts", "Posts to ALERT_WEBHOOK_URL by what became of them", "outcome", counts(ALERTS))
        yield self._refusals()
        yield from self._outbox()

    def _handler_seconds(self) -> Metric:
        handled, sum_s = self._tally.handled()
        bounds = [*(f"{bound:g}" for bound in SECONDS), "+Inf"]
        family = HistogramMetricFamily("qsops_handler_seconds", "How long handlers ran, whatever came of it")
        family.add_metric((), list(zip(bounds, accumulate(handled), strict=True)), sum_s)
        return family

    def _refusals(self) -> Metric:
        family = CounterMetricFamily(
            "qsops_signature_failures", "Requests refused for their signature", labels=("route", "cause")
        )
        for path, route in _REFUSING.items():
            for cause, count in self._tally.counts(path).items():
                family.add_metric((route, cause), count)
        return family

    def _outbox(self) -> Iterator[Metric]:
        if self._backlog is None:
            return
        depth = GaugeMetricFamily("qsops_outbox_messages", "Messages in the outbox", labels=("state",))
        depth.add_metric(("queued",), self._backlog.queued)
        depth.add_metric(("parked",), self._backlog.parked)
        yield depth
        oldest_ms = self._now_ms if self._backlog.oldest_ms is None else self._backlog.oldest_ms
        age_s = max(0.0, (self._now_ms - oldest_ms) / 1000)
        yield GaugeMetricFamily("qsops_outbox_oldest_seconds", "For how long the oldest queued message waits", age_s)


def _counter(name: str, documentation: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family
