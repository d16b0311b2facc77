"""What operators and other producers call: ingest, relay, ledger, refusals. Closed without INTERNAL_API_TOKEN."""

from __future__ import annotations

import hmac
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from qsops.clock import Clock, utc
from qsops.errors import Corrupt
from qsops.wire.ledger import LEDGER_PATH, ledger_json
from service.answers import refusal, unavailable
from service.body import read_body
from service.envelope import Event, event_of, parse_json
from service.errors import StoreUnavailable
from service.ingest import Ingest
from service.publishing import PUBLISH_FAILED
from service.relay import Relay
from service.reprocessing import Reprocessing
from service.settings import Settings
from service.store import LedgerFilter, Store
from service.tally import Tally
from service.upkeep import Upkeep

__all__ = ["INGEST_PATH", "REFUSALS_PATH", "RELAY_PATH", "REPROCESS_PATH", "Internal", "router"]

INGEST_PATH: Final = "/api/internal/ingest-event"
RELAY_PATH: Final = "/api/internal/relay"
REPROCESS_PATH: Final = "/api/internal/reprocess"
REFUSALS_PATH: Final = "/api/internal/refusals"

CLOSED: Final = "INTERNAL_API_TOKEN is not set: the internal routes are closed"
UNAUTHORIZED: Final = "the bearer token is not INTERNAL_API_TOKEN"
NO_EVENTS: Final = "events must be a list of 1 to 1000 envelopes"
BODY_LIMIT: Final = 16 * 1024 * 1024
EVENTS_LIMIT: Final = 1000
PAGE_LIMIT: Final = 1000
#: The largest number that either database takes.
CURSOR_LIMIT: Final = 2**63 - 1
#: What both databases can compare with: PostgreSQL has no text with a null byte.
_Text = Annotated[str | None, Query(pattern=r"^[^\x00]*$")]


class Internal:
    """The verbs behind the internal routes."""

    def __init__(
        self,
        ingest: Ingest,
        relay: Relay,
        store: Store,
        clock: Clock,
        tally: Tally,
        upkeep: Upkeep,
        reprocessing: Reprocessing,
    ) -> None:
        self._ingest = ingest
        self._relay = relay
        self._store = store
        self._clock = clock
        self._tally = tally
        self._upkeep = upkeep
        self._reprocessing = reprocessing

    async def ingest(self, body: bytes) -> Response:
        """Take events of another producer in; one that is malformed refuses the request, and nothing is taken."""
        try:
            accepted = await self._ingest.accept(_events(parse_json(body), self._clock.now_ms()))
        except Corrupt as error:
            return refusal(400, str(error))
        return JSONResponse(
            {"accepted": accepted.accepted, "duplicates": accepted.duplicates, "queued": accepted.queued}
        )

    async def reprocess(self, body: bytes) -> Response:
        """Take events once more that were processed; one that is malformed refuses the request."""
        try:
            taken = await self._reprocessing.take(_events(parse_json(body), self._clock.now_ms()))
        except Corrupt as error:
            return refusal(400, str(error))
        return JSONResponse({"queued": taken.queued, "released": taken.released})

    async def relay(self) -> dict[str, Any]:
        """Send the outbox for a bounded time; what is left of it, and how publishing failed since this process began.

        ``oldest_s`` is for how long the oldest message that is left has waited. Whoever finds ``queued`` above 0 may
        ask again; where no loop lives between requests, a schedule does.
        """
        drained = await self._relay.drain(everything=True)
        self._relay.wake()
        await self._upkeep.once()
        backlog = await self._relay.backlog()
        return {
            "sent": drained.sent,
            "queued": backlog.queued,
            "parked": backlog.parked,
            "oldest_s": 0 if backlog.oldest_ms is None else (self._clock.now_ms() - backlog.oldest_ms) / 1000,
            "failures": dict(self._tally.counts(PUBLISH_FAILED)),
        }

    async def ledger(self, which: LedgerFilter, cursor: int, limit: int) -> dict[str, Any]:
        """One page of the ledger."""
        return ledger_json(await self._store.ledger(which, cursor, limit))

    def refusals(self) -> dict[str, Any]:
        """The last refused requests of this process, newest first, and how many of each cause there were."""
        refused = self._tally.refusals()
        routes = sorted({refusal["route"] for refusal in refused})
        return {"counts": {route: dict(self._tally.counts(route)) for route in routes}, "refusals": refused}


def router(settings: Settings, internal: Internal) -> APIRouter:
    """The internal routes, behind the bearer token."""
    token = settings.internal_api_token.get_secret_value() if settings.internal_api_token else None

    async def authorized(request: Request) -> None:
        if token is None:
            raise HTTPException(403, CLOSED)
        given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            raise HTTPException(401, UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})

    routes = APIRouter(tags=["internal"], dependencies=[Depends(authorized)])

    @routes.post(INGEST_PATH)
    async def ingest(request: Request) -> Response:
        """``{"events": [envelope without v, …]}``"""
        try:
            return await internal.ingest(await read_body(request, BODY_LIMIT))
        except StoreUnavailable:
            return unavailable("the database is away: nothing was taken")

    @routes.post(REPROCESS_PATH)
    async def reprocess(request: Request) -> Response:
        """``{"events": [envelope without v, …]}``: their claims are forgotten, and they are published anew."""
        try:
            return await internal.reprocess(await read_body(request, BODY_LIMIT))
        except StoreUnavailable:
            return unavailable("the database is away: come again, which does no harm")

    @routes.post(RELAY_PATH)
    async def relay() -> dict[str, Any]:
        """Send the outbox now."""
        return await internal.relay()

    @routes.get(LEDGER_PATH)
    async def ledger(
        which: Annotated[LedgerFilter, Depends(_ledger_filter)],
        cursor: Annotated[int, Query(ge=0, le=CURSOR_LIMIT)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    ) -> dict[str, Any]:
        """What was received and processed, in the order of receipt."""
        return await internal.ledger(which, cursor, limit)

    @routes.get(REFUSALS_PATH)
    async def refusals() -> dict[str, Any]:
        """The last refused requests."""
        return internal.refusals()

    return routes


async def _ledger_filter(
    event_id: _Text = None, mid: _Text = None, message_id: _Text = None, state: _Text = None, kind: _Text = None
) -> LedgerFilter:
    # Async, since a plain dependency would cost a thread, whose time a manual clock cannot know.
    return LedgerFilter(event_id, mid, message_id, state, kind)


def _events(value: Any, now_ms: int) -> list[Event]:
    items = value.get("events") if isinstance(value, dict) else None
    if not isinstance(items, list) or not 0 < len(items) <= EVENTS_LIMIT:
        raise Corrupt(NO_EVENTS)
    received_at = utc(now_ms)
    found = []
    for number, item in enumerate(items):
        try:
            found.append(event_of(item, received_at))
        except Corrupt as error:
            raise Corrupt(f"events[{number}]: {error}") from error
    return found
