"""What stands at the other end of a delivery: apps mounted in this process, or services over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from qsops.config import is_loopback
from qsops.engine.embedded import Embedded
from qsops.errors import AuthError, OutcomeUnknown, Rejected, ServerFault, SettingsError, Unreachable
from qsops.models import Headers, LedgerEntry
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import Response
from qsops.wire.ledger import LEDGER_PATH, parse_ledger
from qsops.wire.values import json_answer

__all__ = ["Consumers", "OwnReceiver"]

ANSWER_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class OwnReceiver:
    """A destination that answers for itself: outside of an embedded session nothing can be scripted."""

    url: str
    #: Always empty: ask the destination, or the session's logs.
    received: tuple[Any, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        return f"the destination {self.url} answers for itself"


class Consumers:
    """Requests to the other end, and the ledger of the service there. With ``engine`` they stay in this process."""

    def __init__(self, engine: Embedded | None, ledger_url: str | None, ledger_token: str | None) -> None:
        self._engine = engine
        self._ledger_url = ledger_url
        self._ledger_token = ledger_token
        #: One for loopback, which no proxy may see, and one for the rest.
        self._http: dict[bool, httpx.AsyncClient] = {}

    def read_ledger_of(self, url: str, token: str) -> None:
        """From now on the ledger is that of the service at ``url``."""
        self._ledger_url, self._ledger_token = url, token

    async def request(self, method: str, url: str, headers: Headers, content: bytes) -> Response:
        """One request; a status is no error here.

        :raises Unreachable: no connection could be made, or nothing is mounted there.
        :raises OutcomeUnknown: the answer was lost.
        """
        if self._engine is None:
            return await self._over_http(method, url, headers, content)
        outcome = await self._engine.call(method, url, headers, content)
        if not outcome.status:
            raise Unreachable(f"{_origin(url)}: {outcome.error}")
        return Response(outcome.status, outcome.headers, outcome.body)

    async def ledger(self, **which: str) -> list[LedgerEntry]:
        """What the service says of an event; ``which`` is one of event_id, mid, message_id. None known: empty.

        :raises ServiceError: there is a service, and it did not say.
        """
        if self._ledger_url is None or self._ledger_token is None:
            return []
        base = self._ledger_url.rstrip("/")
        url = f"{base}{LEDGER_PATH}?{urlencode(which)}"
        answer = await self.request("GET", url, (("Authorization", f"Bearer {self._ledger_token}"),), b"")
        if answer.status in (401, 403):
            raise AuthError(answer.status, f"the ledger at {base} refused INTERNAL_API_TOKEN")
        if answer.status != 200:
            fault = ServerFault if answer.status >= 500 else Rejected
            raise fault(answer.status, f"the ledger at {base} did not answer")
        return list(parse_ledger(json_answer(answer)).items)

    async def aclose(self) -> None:
        """Close connections."""
        for client in self._http.values():
            await client.aclose()

    async def _over_http(self, method: str, url: str, headers: Headers, content: bytes) -> Response:
        near = is_loopback(urlsplit(url).hostname or "")
        client = self._http.get(near)
        if client is None:
            client = self._http[near] = httpx.AsyncClient(timeout=ANSWER_TIMEOUT_S, trust_env=not near)
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        try:
            answer = await client.request(method, url, headers=pairs, content=content)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"no connection to {_origin(url)}: {error}") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SettingsError(f"url: {url!r} cannot be asked: {error}") from error
        except httpx.RequestError as error:
            lost = f"{method} to {_origin(url)} was sent, but its answer was lost: {type(error).__name__}"
            raise OutcomeUnknown(lost) from error
        return Response(answer.status_code, headers_from_wire(answer.headers.raw), answer.content)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    # Not the user and password that a URL may hold.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
