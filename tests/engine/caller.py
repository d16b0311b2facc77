"""A client of the engine that knows nothing but HTTP, so that the engine's tests lean on no other room."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from qsops.config.dev_users import DEV_USERS
from qsops.wire import texts
from qsops.wire.http import Request, Response

TOKENS = [user.token for user in DEV_USERS]


@dataclass(frozen=True)
class Answer:
    status: int
    json: Any

    @property
    def error(self) -> str:
        return self.json["error"]


class Caller:
    """One account. ``send`` carries a request to the engine."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]], token: str | None = TOKENS[0]) -> None:
        self._send = send
        self._token = token

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict | list = b"",
        headers: dict[str, str] | None = None,
        /,
        **query: Any,
    ) -> Answer:
        """``query`` values may be lists; a body that is no bytes goes as JSON."""
        sent = list((headers or {}).items())
        if self._token is not None:
            sent.append(("Authorization", f"Bearer {self._token}"))
        path, _, raw_query = path.partition("?")
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(method, path, raw_query or urlencode(query, doseq=True), tuple(sent), raw)
        response = await self._send(request)
        return Answer(response.status, json.loads(response.body))

    async def publish(self, url: str, body: bytes = b"", **options: Any) -> str:
        """The id of the new message; ``retry_delay=…`` goes as ``Upstash-Retry-Delay``."""
        answer = await self.ask("POST", f"/v2/publish/{url}", body, option_headers(**options))
        assert answer.status == 200, answer
        return answer.json["messageId"]

    async def schedule(
        self, cron: str = "* * * * *", to: str = "https://shop.test/hook", body: bytes = b"", **options: Any
    ) -> str:
        """The id of the new schedule."""
        answer = await self.ask("POST", f"/v2/schedules/{to}", body, option_headers(cron=cron, **options))
        assert answer.status == 200, answer
        return answer.json["scheduleId"]

    async def read_schedule(self, schedule_id: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"/v2/schedules/{schedule_id}")
        assert answer.status == 200, answer
        return answer.json

    async def logs(self, **query: Any) -> list[dict[str, Any]]:
        """Newest first, as they come."""
        return (await self.ask("GET", "/v2/events", **query)).json["events"]

    async def states(self, message_id: str) -> list[str]:
        """The states of one message, oldest first."""
        return [entry["state"] for entry in reversed(await self.logs(messageId=message_id))]

    async def dead_letters(self, **query: Any) -> list[dict[str, Any]]:
        return (await self.ask("GET", "/v2/dlq", **query)).json["messages"]


def option_headers(**options: Any) -> dict[str, str]:
    return {f"Upstash-{name.replace('_', '-').title()}": str(value) for name, value in options.items()}


def out_of_range(count: int, most: int) -> str:
    """What is said of a page of another size than there is."""
    return texts.invalid_parameter("count", str(count), f"it is a whole number from 1 to {most}")
