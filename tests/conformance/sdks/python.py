"""qstash for Python, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError
from qstash.log import LogState

from tests.conformance.sdks.face import Letter, Log, Message, Published, SdkError

__all__ = ["PythonSdk"]


class PythonSdk:
    """qstash for Python; with ``client`` an AsyncQStash each call is awaited on a loop of our own."""

    def __init__(self, client: QStash | AsyncQStash) -> None:
        self.client: Any = client
        self._runner = asyncio.Runner()

    def publish(self, url: str, body: str, **options: Any) -> Published:
        return _published(self.ask(self.client.message.publish, url=url, body=body, **options))

    def publish_json(self, url: str, body: Any, **options: Any) -> Published:
        return _published(self.ask(self.client.message.publish_json, url=url, body=body, **options))

    def batch_json(self, items: list[dict[str, Any]]) -> list[Published]:
        return [_published(answer) for answer in self.ask(self.client.message.batch_json, items)]

    def message(self, message_id: str) -> Message:
        got = self.ask(self.client.message.get, message_id)
        return Message(
            got.message_id,
            got.url,
            got.method,
            got.headers,
            got.body,
            got.max_retries,
            got.created_at,
            got.not_before,
            got.label,
            got.retry_delay_expression,
            got.callback,
            got.failure_callback,
        )

    def cancel(self, message_id: str) -> None:
        self.ask(self.client.message.cancel, message_id)

    def cancel_many(self, message_ids: list[str]) -> int:
        return int(self.ask(self.client.message.cancel_many, message_ids))

    def cancel_all(self) -> int:
        return int(self.ask(self.client.message.cancel_all))

    def logs(self, cursor: str | None = None, count: int | None = None, **where: str) -> tuple[list[Log], str | None]:
        filters: dict[str, Any] = {**where, **({"state": LogState(where["state"])} if "state" in where else {})}
        page = self.ask(self.client.log.list, cursor=cursor, count=count, filter=filters)
        return [
            Log(x.message_id, x.state.value, x.time, x.url, x.label, x.response_status, x.retry_delay_expression)
            for x in page.logs
        ], page.cursor

    def dead_letters(self, **where: str) -> list[Letter]:
        page = self.ask(self.client.dlq.list, filter=where)
        return [Letter(x.dlq_id, x.message_id, x.response_status, x.response_body, x.label) for x in page.messages]

    def delete_dead_letter(self, dlq_id: str) -> None:
        self.ask(self.client.dlq.delete, dlq_id)

    def delete_dead_letters(self, dlq_ids: list[str]) -> int:
        return int(self.ask(self.client.dlq.delete_many, dlq_ids))

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        self.ask(Receiver(*keys).verify, signature=signature, body=body, url=url)

    def ask(self, verb: Any, *args: Any, **options: Any) -> Any:
        """Call a method of the SDK, awaited if it asks for that; its errors become SdkError."""
        try:
            answer = verb(*args, **options)
            return self._runner.run(answer) if inspect.iscoroutine(answer) else answer
        except QStashError as error:
            raise SdkError(str(error), type(error).__name__) from error

    def close(self) -> None:
        # The SDK offers no way to close its connections.
        http = self.client.http._client
        if hasattr(http, "aclose"):
            self._runner.run(http.aclose())
        else:
            http.close()
        self._runner.close()


def _published(answer: Any) -> Published:
    return Published(answer.message_id, answer.deduplicated)
