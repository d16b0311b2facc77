"""The service, put together: ``uvicorn --factory service.app:create_app``, or ``uvicorn service.app:app``."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from qsops import config
from qsops.client import Client, HttpTransport, RetryPolicy, Transport
from qsops.clock import Clock, Ids, ManualClock, SeededIds, SystemClock, SystemIds
from service import callbacks, consumer, health, internal, log, metrics, processing, webhook
from service.alerts import Alerts, HttpPoster, Poster
from service.answers import unavailable
from service.body import BodyRefused
from service.breaker import Breaker
from service.errors import StoreUnavailable
from service.front import Front
from service.gate import Gate
from service.ingest import PUBLISH_WITHIN_S, Ingest
from service.processing import Runner
from service.pruning import Pruner
from service.publishing import Publisher
from service.relay import Relay
from service.reprocessing import Reprocessing
from service.settings import Settings, load
from service.store import Store, open_store
from service.tally import DELIVERIES, EVENTS, Tally
from service.tracing import NoTracing, tracing_of_process
from service.upkeep import Upkeep

__all__ = ["Service", "create_app"]

#: How long the relay waits for one answer; ingest has less (service/ingest.py).
RELAY_PATIENCE_S: Final = 10.0
#: Objects, and collections of each generation, between two of the collector's: deliveries leave no circles behind, and
#: a look at all that are under way after every 700 objects costs each of them some microseconds.
COLLECT_AFTER: Final = (20_000, 20, 50)
# The outbox is our way of asking again.
_ASK_ONCE: Final = RetryPolicy(faults=0, bursts=0)


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the app; it is ``app.state.service``."""

    settings: Settings
    store: Store
    relay: Relay
    client: Client
    tally: Tally
    runner: Runner
    upkeep: Upkeep

    async def aclose(self) -> None:
        """Stop what runs by itself, then let go of threads, connections and database."""
        await self.upkeep.aclose()
        await self.relay.aclose()
        self.runner.close()
        await self.client.aclose()
        await self.store.aclose()


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    transport: Transport | None = None,
    store: Store | None = None,
    poster: Poster | None = None,
    tracing: NoTracing | None = None,
) -> FastAPI:
    """The app; whatever is not given is what production has, settings from the environment among it.

    With a ``transport`` (an embedded engine) it is part of a rehearsal: it writes no log of its own, and takes the
    development keys anywhere.

    :raises SettingsError: naming the variable that is missing or malformed.
    """
    settings = settings or load()
    clock = clock or SystemClock()
    tally = Tally()
    tracing = tracing or tracing_of_process()
    lifespan = _lifespan
    if transport is None:
        _prepare_process(settings)
        lifespan = _lifespan_of_process
        transport = HttpTransport(settings.qstash_url, timeout_s=RELAY_PATIENCE_S)
    handler = processing.find(settings.qsops_handler)
    store = store or open_store(settings.database_url)
    runner = Runner(handler, store)
    ids: Ids = SeededIds(clock) if isinstance(clock, ManualClock) else SystemIds(clock)
    client = Client(transport, settings.qstash_token.get_secret_value(), clock=clock, ids=ids, policy=_ASK_ONCE)
    breaker = Breaker(clock)
    relay = Relay(store, Publisher(client, tally, breaker, RELAY_PATIENCE_S, finds_culprits=True), clock, ids)
    ingest = Ingest(settings, store, Publisher(client, tally, breaker, PUBLISH_WITHIN_S), clock, relay, tally, tracing)
    gate = Gate(settings, clock, tally)
    alerts = _alerts(settings, store, poster, clock, ids, tally)
    upkeep = Upkeep(Pruner(store, clock, settings.claim_retention_s), alerts)
    reprocessing = Reprocessing(settings, store, clock, ids, relay)

    # The pages about the routes are for the developer, and nobody else.
    has_docs = config.is_loopback(settings.public_host)
    app = Front(settings.hosts, has_docs=has_docs, title="qsops service", lifespan=lifespan)
    app.state.service = Service(settings, store, relay, client, tally, runner, upkeep)
    app.include_hot(webhook.router(settings, ingest, clock, tally, tracing))
    app.include_hot(consumer.router(consumer.Consumer(settings, store, runner, clock, relay, tally, tracing), gate))
    app.include_hot(callbacks.router(callbacks.Callbacks(settings, store, clock, tally, alerts), gate))
    verbs = internal.Internal(ingest, relay, store, clock, tally, upkeep, reprocessing)
    app.include_router(internal.router(settings, verbs))
    app.include_router(health.router(store, clock))
    app.include_router(metrics.router(store, clock, tally))
    _add_failures(app)
    return app


def _alerts(
    settings: Settings, store: Store, poster: Poster | None, clock: Clock, ids: Ids, tally: Tally
) -> Alerts | None:
    """None without an address: then failures are in the log, the ledger and the metrics."""
    url = settings.alert_webhook_url
    if url is None:
        return None
    return Alerts(store, poster or HttpPoster(url.get_secret_value()), clock, ids, tally, settings.alert_recovery_s)


def _prepare_process(settings: Settings) -> None:
    settings.check_exposure()
    log.to_stdout()
    if settings.qstash_next_signing_key is None:
        log.fault(
            "settings", warning="QSTASH_NEXT_SIGNING_KEY is not set: a rotation will refuse deliveries for a while"
        )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    try:
        await service.store.open()
    except StoreUnavailable as error:  # it opens as soon as it is there; until then /readyz says so
        log.fault("database", error=str(error))
    service.relay.start()
    service.upkeep.start()
    try:
        yield
    finally:
        await service.aclose()


@asynccontextmanager
async def _lifespan_of_process(app: FastAPI) -> AsyncIterator[None]:
    """As :func:`_lifespan`; the server has answered what it held by the time that the last line is written."""
    async with _lifespan(app):
        _collect_rarely()
        yield
    counts = app.state.service.tally.counts
    log.line("stopped", deliveries=sum(counts(DELIVERIES).values()), events=sum(counts(EVENTS).values()))


def _collect_rarely() -> None:
    """What is there now stays: a look at all of it, again and again, takes a twentieth of a delivery's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _add_failures(app: FastAPI) -> None:
    @app.exception_handler(StoreUnavailable)
    async def database_away(_: Request, error: Exception) -> Response:
        log.fault("database", error=str(error))
        return unavailable("the database is away")

    @app.exception_handler(BodyRefused)
    async def unread(_: Request, error: Exception) -> Response:
        return cast("BodyRefused", error).answer

    @app.exception_handler(ClientDisconnect)
    async def broken_off(request: Request, _: Exception) -> Response:
        """Nobody hears the answer. Without it each upload that breaks off would be a traceback in the log."""
        log.line("broken_off", route=request.url.path)
        return Response(status_code=400)


def __getattr__(name: str) -> Any:
    """``service.app:app`` is made when a server asks for it: importing this module needs no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("app", create_app())
