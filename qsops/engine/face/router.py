"""The face as a whole: authenticate, route, answer."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

from qsops.engine.accounts import Account
from qsops.engine.engine import Engine
from qsops.engine.face.call import Call
from qsops.engine.face.failures import error_response, of_database, of_rejection
from qsops.engine.face.openapi.document import DOCUMENT_PATH, document_response
from qsops.engine.face.rates import Burst, is_counted
from qsops.engine.face.routes import ROUTES, UNSERVED
from qsops.engine.faults.calls import disturbed
from qsops.engine.faults.running import OWN_PATHS
from qsops.engine.plans import BODY_LIMIT, MESSAGE_LIMIT
from qsops.engine.texts import no_such_endpoint
from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.http import Request, Response, header

__all__ = ["Face"]

_SCHEME: Final = "bearer "


class Face:
    """QStash's HTTP API over ``engine``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._burst = Burst(engine.burst_limit)

    async def handle(self, request: Request, caller_ip: str) -> Response:
        """The answer to ``request``; what goes wrong is an answer, too.

        :raises Unreachable: by a fault that was set, and OutcomeUnknown: the client gets no answer.
        """
        met = self._engine.faults.of_call(request)
        if met is None:
            return await self._answer(request, caller_ip)
        return await disturbed(met, self._engine.clock, lambda: self._answer(request, caller_ip))

    async def _answer(self, request: Request, caller_ip: str) -> Response:
        if self.is_public(request):
            return document_response()
        try:
            account = self.authenticate(request)
            left = self._count(request, account)
            response = await self._dispatch(request, account, caller_ip)
            return replace(response, headers=(*response.headers, *left)) if left else response
        except Rejected as error:
            return of_rejection(error)
        except sqlite3.OperationalError as error:
            return of_database(error)

    def is_public(self, request: Request) -> bool:
        """Whether anybody may ask for it: the API's own document. Needs no body."""
        return request.method == "GET" and request.path == DOCUMENT_PATH

    def authenticate(self, request: Request) -> Account:
        """Whose request it is, by its bearer token or its ``qstash_token`` parameter. Needs no body.

        :raises Rejected: 401; 403 for a read-only token and a request that may change something.
        """
        token = _token(request)
        account = self._engine.accounts.of_token(token) if token else None
        if account is None:
            raise Rejected(401, texts.INVALID_TOKEN)
        if account.read_only and request.method != "GET":
            raise Rejected(403, texts.READ_ONLY_TOKEN)
        return account

    def body_limit(self, request: Request) -> tuple[int, str]:
        """How large a body ``request`` may have, in bytes, and what is said of a larger one.

        A batch holds many messages, any other request that sends at most one.
        """
        limit = next(
            (one.body_limit for one in ROUTES if one.method == request.method and one.pattern.fullmatch(request.path)),
            BODY_LIMIT,
        )
        if limit == MESSAGE_LIMIT:
            most = self._engine.plan.message_bytes
            return most, texts.quota_exceeded("maxMessageSize", most)
        return limit, texts.body_too_large(limit)

    def _count(self, request: Request, account: Account) -> Headers:
        if request.path.startswith(OWN_PATHS) or not is_counted(request.method, request.path):
            return ()
        return self._burst.spend(account.number, self._engine.clock.now_ms())

    async def _dispatch(self, request: Request, account: Account, caller_ip: str) -> Response:
        known = False
        for route in ROUTES:
            match = route.pattern.fullmatch(request.path)
            if match and route.method == request.method:
                return await route.handler(Call(self._engine, account, request, caller_ip, *match.groups()))
            known = known or match is not None
        unserved = UNSERVED.fullmatch(request.path)
        if unserved:
            return error_response(501, texts.not_served(f"{request.method} {unserved[1]}"))
        return error_response(405 if known else 404, no_such_endpoint(request.method, request.path))


def _token(request: Request) -> str | None:
    told = header(request.headers, "Authorization")
    if told is not None:
        return told[len(_SCHEME) :].strip() if told.lower().startswith(_SCHEME) else None
    return parse_qs(request.query).get("qstash_token", [None])[0] if "qstash_token=" in request.query else None
