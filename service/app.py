"""The service, put together: ``uvicorn --factory service.app:create_app``, or ``uvicorn service.app:app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from qsops.client import Client, HttpTransport, RetryPolicy, Transport
from qsops.clock import Clock, Ids, ManualClock, SeededIds, SystemClock, SystemIds
from service import callbacks, consumer, internal, log, processing, webhook
from service.answers import unavailable
from service.errors import StoreUnavailable
from service.gate import Gate
from service.ingest import Ingest
from service.publishing import Publisher
from service.relay import Relay
from service.settings import Settings, load
from service.store import Store, open_store
from service.tally import Tally

__all__ = ["Service", "create_app"]

#: Meta waits for the answer: what takes longer goes to the outbox, where nobody waits.
PUBLISH_PATIENCE_S: Final = 3.0
RELAY_PATIENCE_S: Final = 30.0
#: An outbox older than this is reported, though not as unready: else QStash's outage would take every replica out.
DEGRADED_AFTER_S: Final = 300
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

    async def aclose(self) -> None:
        """Stop the relay, then let go of connections and database."""
        await self.relay.aclose()
        await self.client.aclose()
        await self.store.aclose()


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    transport: Transport | None = None,
    store: Store | None = None,
) -> FastAPI:
    """The app; whatever is not given is what production has, settings from the environment among it.

    With a ``transport`` (an embedded engine) it is part of a rehearsal: it writes no log of its own, and takes the
    development keys anywhere.

    :raises SettingsError: naming the variable that is missing or malformed.
    """
    settings = settings or load()
    clock = clock or SystemClock()
    tally = Tally()
    if transport is None:
        _prepare_process(settings)
        transport = HttpTransport(settings.qstash_url, timeout_s=RELAY_PATIENCE_S)
    handler = processing.find(settings.qsops_handler)
    store = store or open_store(settings.database_url)
    ids: Ids = SeededIds(clock) if isinstance(clock, ManualClock) else SystemIds(clock)
    client = Client(transport, settings.qstash_token.get_secret_value(), clock=clock, ids=ids, policy=_ASK_ONCE)
    relay = Relay(store, Publisher(client, tally, RELAY_PATIENCE_S), clock, ids)
    ingest = Ingest(settings, store, Publisher(client, tally, PUBLISH_PATIENCE_S), clock, relay)
    gate = Gate(settings, clock, tally)

    app = FastAPI(title="qsops service", lifespan=_lifespan, redoc_url=None)
    app.state.service = Service(settings, store, relay, client, tally)
    app.include_router(webhook.router(settings, ingest, clock, tally))
    app.include_router(consumer.router(consumer.Consumer(settings, store, handler, clock, relay), gate))
    app.include_router(callbacks.router(callbacks.Callbacks(store, clock), gate))
    app.include_router(internal.router(settings, internal.Internal(ingest, relay, store, clock, tally)))
    _add_health(app, store, clock)
    _add_failures(app)
    return app


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
    # What an earlier process left in the outbox.
    service.relay.wake()
    try:
        yield
    finally:
        await service.aclose()


def _add_health(app: FastAPI, store: Store, clock: Clock) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> Response:
        """It can take traffic: the database can be written. An old outbox is told, and is still 200."""
        try:
            await store.ping()
            backlog = await store.backlog()
        except StoreUnavailable:
            return unavailable("the database is away")
        age_s = 0 if backlog.oldest_ms is None else (clock.now_ms() - backlog.oldest_ms) / 1000
        status = "degraded" if age_s > DEGRADED_AFTER_S else "ok"
        outbox = {"queued": backlog.queued, "parked": backlog.parked, "oldest_s": age_s}
        return JSONResponse({"status": status, "outbox": outbox})


def _add_failures(app: FastAPI) -> None:
    @app.exception_handler(StoreUnavailable)
    async def database_away(_: Request, error: Exception) -> Response:
        log.fault("database", error=str(error))
        return unavailable("the database is away")

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
