"""Meta's side: the handshake, and the POSTs with everything that happened."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from qsops.clock import Clock, utc
from qsops.errors import Corrupt
from service import log
from service.answers import Answer, refusal, unavailable
from service.body import read_body
from service.envelope import Event, parse_json
from service.errors import StoreUnavailable
from service.ingest import Accepted, Ingest
from service.instagram import ACCOUNT_UNKNOWN, SIGNATURE_HEADER, signature_holds, updates
from service.settings import Settings
from service.tally import EVENTS, Refusal, Tally
from service.tracing import NO_TRACING, NoTracing

__all__ = ["BODY_LIMIT", "HANDSHAKE_REFUSED", "SIGNATURE_REFUSED", "WEBHOOK_PATH", "events_of", "router"]

WEBHOOK_PATH: Final = "/api/webhooks/instagram"
#: 1,000 updates are up to 6.3 MB; an answer of 413 to a real POST is 36 hours of loss.
BODY_LIMIT: Final = 16 * 1024 * 1024
#: Ids of events for another account that one line of the log names.
IDS_LOGGED: Final = 20
_ANSWERS: Final = 64
_SIGNATURE_HEADER: Final = SIGNATURE_HEADER.lower().encode()
HANDSHAKE_REFUSED: Final = "the verify token is not ours"
SIGNATURE_REFUSED: Final = "the signature does not hold"


def router(
    settings: Settings, ingest: Ingest, clock: Clock, tally: Tally, tracing: NoTracing = NO_TRACING
) -> APIRouter:
    """The two routes that Meta calls."""
    routes = APIRouter(tags=["instagram"])
    verify_token = settings.instagram_verify_token.get_secret_value()
    app_secret = settings.instagram_app_secret.get_secret_value()
    accounts = settings.account_ids

    @routes.get(WEBHOOK_PATH)
    async def handshake(request: Request) -> Response:
        """Meta asks whether we know the verify token; the challenge goes back as it came."""
        query = request.query_params
        given = query.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
        if query.get("hub.mode") == "subscribe" and hmac.compare_digest(given, verify_token.encode()):
            return PlainTextResponse(query.get("hub.challenge", ""))
        return refusal(403, HANDSHAKE_REFUSED)

    @routes.post(WEBHOOK_PATH)
    async def receive(request: Request) -> Response:
        """Everything of a POST is published or in the outbox before Meta is answered 200."""
        body = await read_body(request, BODY_LIMIT)
        if not signature_holds(app_secret, body, _signature(request)):
            tally.refuse(Refusal(clock.now_ms(), WEBHOOK_PATH, "signature", SIGNATURE_REFUSED))
            log.fault("refused", route=WEBHOOK_PATH, cause="signature", bytes=len(body))
            return refusal(403, SIGNATURE_REFUSED)
        with tracing.received("qsops.webhook"):
            return await _take(body)

    async def _take(body: bytes) -> Response:
        try:
            ours, foreign = _parted(events_of(body, clock.now_ms()), accounts)
            accepted = await ingest.accept(ours)
        except Corrupt as error:
            return refusal(400, str(error))
        except StoreUnavailable as error:
            log.fault("webhook", error=str(error))
            return unavailable("the database is away: nothing was stored, come again")
        if foreign:
            tally.count(EVENTS, "foreign", len(foreign))
            _log_foreign(foreign)
        log.record(_Line(accepted.accepted, accepted.duplicates, accepted.queued, len(foreign)))
        return _answer(accepted, len(foreign))

    return routes


class _Line(log.Line, tag="webhook"):
    accepted: int
    duplicates: int
    queued: int
    foreign: int = 0


# Most posts hold one event, and are told the same.
@lru_cache(_ANSWERS)
def _answer(accepted: Accepted, foreign: int) -> Answer:
    told = {"accepted": accepted.accepted, "duplicates": accepted.duplicates, "queued": accepted.queued}
    return Answer({**told, "foreign": foreign} if foreign else told)


def _signature(request: Request) -> str | None:
    """The one value of its header; of several nobody can say which is meant."""
    values = [value for name, value in request.scope["headers"] if name == _SIGNATURE_HEADER]
    return values[0].decode("latin-1") if len(values) == 1 else None


def _parted(events: list[Event], accounts: frozenset[str] | None) -> tuple[list[Event], list[Event]]:
    """Events of our accounts, and those of others; where Meta did not say whose one is, it is taken for ours."""
    if accounts is None:
        return events, []
    ours = [event for event in events if event.account in accounts or event.account == ACCOUNT_UNKNOWN]
    return ours, [event for event in events if event.account not in accounts and event.account != ACCOUNT_UNKNOWN]


def _log_foreign(events: Sequence[Event]) -> None:
    """They are gone for good, since Meta is answered 200: the log is where somebody may find out about them."""
    by_account: dict[str, list[str]] = {}
    for event in events:
        by_account.setdefault(event.account, []).append(event.id)
    for account, ids in by_account.items():
        log.fault("foreign", account=account, setting="INSTAGRAM_ACCOUNT_IDS", events=len(ids), first=ids[:IDS_LOGGED])


def events_of(body: bytes, now_ms: int) -> list[Event]:
    """The events of a POST. :raises Corrupt: when it is no JSON, or nested beyond what can be written again."""
    received_at = utc(now_ms)
    value = parse_json(body)
    try:
        found = updates(value)
    except RecursionError as error:
        raise Corrupt("the body is nested too deeply") from error
    return [
        Event(one.id, one.kind, one.account, one.occurred_at or received_at, received_at, one.payload) for one in found
    ]
