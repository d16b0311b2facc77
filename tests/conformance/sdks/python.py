"""qstash for Python, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError
from qstash.log import LogState

from tests.conformance.sdks.face import Letter, Log, Message, Published, SdkError
from tests.conformance.sdks.python_catalog import PythonFlows, PythonGroups, PythonQueues, PythonSchedules, limit_of

__all__ = ["PythonSdk", "python_surface"]


class PythonSdk:
    """qstash for Python; with ``client`` an AsyncQStash each call is awaited on a loop of our own."""

    language = "python"

    def __init__(self, client: QStash | AsyncQStash) -> None:
        self.client: Any = client
        self.called: set[str] = set()
        self.queues = PythonQueues(client, self.ask)
        self.groups = PythonGroups(client, self.ask)
        self.schedules = PythonSchedules(client, self.ask)
        self.flows = PythonFlows(client, self.ask)
        self._runner = asyncio.Runner()

    def publish(self, url: str, body: str | bytes | None, **options: Any) -> Published:
        return _published(self.ask(self.client.message.publish, url=url, body=body, **options))

    def publish_json(self, url: str, body: Any, **options: Any) -> Published:
        return _published(self.ask(self.client.message.publish_json, url=url, body=body, **options))

    def publish_to_group(self, group: str, body: str, **options: Any) -> list[Published]:
        return list(map(_published, self.ask(self.client.message.publish, url_group=group, body=body, **options)))

    def batch(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]:
        return list(map(_batched, self.ask(self.client.message.batch, items)))

    def batch_json(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]:
        return list(map(_batched, self.ask(self.client.message.batch_json, items)))

    def message(self, message_id: str) -> Message:
        got = self.ask(self.client.message.get, message_id)
        return Message(
            got.message_id,
            got.url,
            got.method,
            got.headers,
            got.body,
            got.body_base64,
            got.max_retries,
            got.created_at,
            got.not_before,
            got.label,
            got.retry_delay_expression,
            got.callback,
            got.failure_callback,
            got.callback_headers,
            got.failure_callback_headers,
            got.url_group,
            got.endpoint,
            got.queue,
            got.schedule_id,
            limit_of(got),
        )

    def cancel(self, message_id: str) -> None:
        self.ask(self.client.message.cancel, message_id)

    def cancel_many(self, message_ids: list[str]) -> int:
        return int(self.ask(self.client.message.cancel_many, message_ids))

    def cancel_all(self) -> int:
        return int(self.ask(self.client.message.cancel_all))

    def logs(self, cursor: str | None = None, count: int | None = None, **where: Any) -> tuple[list[Log], str | None]:
        filters: dict[str, Any] = {**where, **({"state": LogState(where["state"])} if "state" in where else {})}
        page = self.ask(self.client.log.list, cursor=cursor, count=count, filter=filters)
        return list(map(_log, page.logs)), page.cursor

    def dead_letters(self, **where: Any) -> list[Letter]:
        return self.dead_letter_page(**where)[0]

    def dead_letter_page(
        self, cursor: str | None = None, count: int | None = None, **where: Any
    ) -> tuple[list[Letter], str | None]:
        page = self.ask(self.client.dlq.list, cursor=cursor, count=count, filter=where)
        return list(map(_letter, page.messages)), page.cursor

    def delete_dead_letter(self, dlq_id: str) -> None:
        self.ask(self.client.dlq.delete, dlq_id)

    def delete_dead_letters(self, dlq_ids: list[str]) -> int:
        return int(self.ask(self.client.dlq.delete_many, dlq_ids))

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        self.ask(Receiver(*keys).verify, signature=signature, body=body, url=url)

    def ask(self, verb: Any, *args: Any, **options: Any) -> Any:
        """Call a method of the SDK, awaited if it asks for that; its errors become SdkError."""
        self.called.add(self._name(verb))
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

    def _name(self, verb: Any) -> str:
        rooms = {id(room): name for name, room in vars(self.client).items()}
        return f"{rooms.get(id(verb.__self__), type(verb.__self__).__name__)}.{verb.__name__}"


def python_surface(client: Any) -> set[str]:
    """Every public method of a client's rooms, as ``message.publish``, and those of the Receiver."""
    rooms = {name: room for name, room in vars(client).items() if name != "http"}
    found = {f"{name}.{method}" for name, room in rooms.items() for method in _methods(type(room))}
    return found | {f"Receiver.{method}" for method in _methods(Receiver)}


def _methods(owner: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")]


def _published(answer: Any) -> Published:
    return Published(answer.message_id, answer.deduplicated, getattr(answer, "url", None))


def _batched(answer: Any) -> Published | list[Published]:
    return list(map(_published, answer)) if isinstance(answer, list) else _published(answer)


def _log(x: Any) -> Log:
    return Log(
        x.message_id,
        x.state.value,
        x.time,
        x.url,
        x.label,
        x.response_status,
        x.retry_delay_expression,
        x.url_group,
        x.endpoint,
        x.queue,
        x.schedule_id,
        x.body_base64,
        x.headers,
        x.max_retries,
        x.method,
        x.callback,
        limit_of(x),
    )


def _letter(x: Any) -> Letter:
    return Letter(
        x.dlq_id,
        x.message_id,
        x.response_status,
        x.response_body,
        x.label,
        x.url,
        x.url_group,
        x.queue,
        x.schedule_id,
    )
