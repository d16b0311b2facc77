"""A QStash for tests of whoever sends: written from the API's description alone, with failures to order.

It shares no code with the project's wire: what it understands is what the service would.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import OutcomeUnknown, Unreachable
from qsops.wire.http import Request, Response

WINDOW_MS = 600_000
TOKEN = "token-that-must-not-be-shown"

#: What happens to one request: "served"; "unsent"; "lost", served without an answer; "hang" and "lost and hang", the
#: same for ever; or it is answered so.
Fate = str | Response

BURST = Response(
    429,
    (
        ("Burst-RateLimit-Limit", "100"),
        ("Burst-RateLimit-Remaining", "0"),
        ("Burst-RateLimit-Reset", str(EPOCH_MS // 1000 + 2)),
    ),
    b'{"error":"too many requests"}',
)
DAILY = Response(
    429,
    (
        ("RateLimit-Limit", "1000"),
        ("RateLimit-Remaining", "0"),
        ("RateLimit-Reset", str(EPOCH_MS // 1000 + 86_400)),
    ),
    b'{"error":"daily message limit exceeded"}',
)


def refusal(status: int, text: str) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps({"error": text}).encode())


class FakeQStash:
    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.fates: deque[Fate] = deque()
        self.requests: list[Request] = []
        self.accepted: list[dict[str, Any]] = []
        self.refuse: Callable[[dict[str, Any]], str | None] = lambda item: None
        self.on_request: Callable[[Request], object] = lambda request: None
        self.closed = False
        self.hanging = asyncio.Event()
        self._known: dict[str, tuple[str, int]] = {}

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        self.on_request(request)
        fate = self.fates.popleft() if self.fates else "served"
        if fate == "unsent":
            raise Unreachable("no connection to the fake")
        if isinstance(fate, Response):
            return fate
        if fate == "hang":
            await self._hang()
        answer = self._serve(request)
        if fate == "lost and hang":
            await self._hang()
        if fate == "lost":
            raise OutcomeUnknown("the fake's answer was lost")
        return answer

    async def _hang(self) -> None:
        self.hanging.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True

    def bodies(self) -> list[Any]:
        """What was accepted, in order."""
        return [item["body"] for item in self.accepted]

    def _serve(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "unable to authenticate: invalid token")
        if request.path == "/v2/batch":
            answers = [self._accept(self._item(item)) for item in json.loads(request.body)]
            return Response.of_json(200, answers)
        for prefix in ("/v2/publish/", "/v2/enqueue/"):
            if request.path.startswith(prefix):
                destination = unquote(request.target.removeprefix(prefix))
                answer = self._accept({"destination": destination, "headers": headers, "body": request.body})
                if "error" in answer:
                    return refusal(400, answer["error"])
                return Response.of_json(202 if "deduplicated" in answer else 200, answer)
        return refusal(404, f"nothing at {request.path}")

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in (item.get("headers") or {}).items()}
        return {**item, "headers": headers, "body": (item.get("body") or "").encode()}

    def _accept(self, item: dict[str, Any]) -> dict[str, Any]:
        reason = self.refuse(item)
        if reason is not None:
            return {"error": reason}
        name, now_ms = item["headers"].get("upstash-deduplication-id"), self.clock.now_ms()
        before = self._known.get(name) if name else None
        if before is not None and now_ms - before[1] < WINDOW_MS:
            return {"messageId": before[0], "deduplicated": True}
        message_id = f"msg_{len(self.accepted)}"
        self.accepted.append(item)
        if name:
            self._known[name] = (message_id, now_ms)
        return {"messageId": message_id}
