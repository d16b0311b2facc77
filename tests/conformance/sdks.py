"""The official SDKs, unmodified, under one face: what a test asks of one it can ask of all three.

Options are named as in Python (``retry_delay``); results are the handful of fields that every SDK has.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError
from qstash.log import LogState

from tests.standins.processes import ChildProcess

__all__ = ["JavaScriptSdk", "Letter", "Log", "Message", "Node", "Published", "PythonSdk", "Sdk", "SdkError"]

NEEDS_NODE: Final = (
    "the JavaScript SDK is tested with Node 20 or later and npm, and {missing}. "
    "Run tests/conformance/js/install.sh, or set QSOPS_TESTS_WITHOUT_NODE=1 to test without it."
)
_JS: Final = Path(__file__).with_name("js")


class SdkError(Exception):
    """Whatever an SDK raised, with its text."""


@dataclass(frozen=True, slots=True)
class Published:
    message_id: str
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str
    url: str
    method: str
    header: dict[str, list[str]]
    body: str | None
    max_retries: int
    created_at: int
    not_before: int
    label: str | None
    retry_delay: str | None
    callback: str | None
    failure_callback: str | None


@dataclass(frozen=True, slots=True)
class Log:
    message_id: str
    state: str
    time: int
    url: str
    label: str | None
    response_status: int | None
    retry_delay: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    dlq_id: str
    message_id: str
    response_status: int
    response_body: str | None
    label: str | None


class Sdk(Protocol):
    """One SDK as a client of one server."""

    def publish(self, url: str, body: str, **options: Any) -> Published: ...
    def publish_json(self, url: str, body: Any, **options: Any) -> Published: ...
    def batch_json(self, items: list[dict[str, Any]]) -> list[Published]: ...
    def message(self, message_id: str) -> Message: ...
    def cancel(self, message_id: str) -> None: ...
    def cancel_many(self, message_ids: list[str]) -> int: ...
    def cancel_all(self) -> int: ...
    def logs(
        self, cursor: str | None = None, count: int | None = None, **where: str
    ) -> tuple[list[Log], str | None]: ...
    def dead_letters(self, **where: str) -> list[Letter]: ...
    def delete_dead_letter(self, dlq_id: str) -> None: ...
    def delete_dead_letters(self, dlq_ids: list[str]) -> int: ...

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        """Raises SdkError unless the signature holds."""
        ...


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
            raise SdkError(str(error)) from error

    def close(self) -> None:
        # The SDK offers no way to close its connections.
        http = self.client.http._client
        if hasattr(http, "aclose"):
            self._runner.run(http.aclose())
        else:
            http.close()
        self._runner.close()


class Node(ChildProcess):
    """A Node process that drives @upstash/qstash; ``environment`` is all that it is given."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__([_node(), "driver.mjs"], cwd=_JS, environment=environment, listens=True)

    def ask(self, config: Mapping[str, Any], path: list[str], *args: Any) -> Any:
        """What a method of the SDK, made with ``config``, answers; its errors become SdkError."""
        self.say(json.dumps({"config": config, "path": path, "args": args}))
        reply = json.loads(self.wait_for_line(r"^reply (.*)$")[1])
        if "error" in reply:
            raise SdkError(f"{reply['error']['message']} (status {reply['error']['status']})")
        return reply["value"]


class JavaScriptSdk:
    """@upstash/qstash for JavaScript, in ``node``; ``config`` is its Client's."""

    def __init__(self, node: Node, config: Mapping[str, Any]) -> None:
        self._node = node
        self._config = config

    def publish(self, url: str, body: str, **options: Any) -> Published:
        return _wire_published(self.call("publish", {"url": url, "body": body, **_camel(options)}))

    def publish_json(self, url: str, body: Any, **options: Any) -> Published:
        return _wire_published(self.call("publishJSON", {"url": url, "body": body, **_camel(options)}))

    def batch_json(self, items: list[dict[str, Any]]) -> list[Published]:
        return [_wire_published(answer) for answer in self.call("batchJSON", [_camel(item) for item in items])]

    def message(self, message_id: str) -> Message:
        got = self.call("messages.get", message_id)
        return Message(
            got["messageId"],
            got["url"],
            got["method"],
            got["header"],
            got.get("body"),
            got["maxRetries"],
            got["createdAt"],
            got["notBefore"],
            got.get("label"),
            got.get("retryDelayExpression"),
            got.get("callback"),
            got.get("failureCallback"),
        )

    def cancel(self, message_id: str) -> None:
        self.call("messages.cancel", message_id)

    def cancel_many(self, message_ids: list[str]) -> int:
        return int(self.call("messages.cancel", message_ids)["cancelled"])

    def cancel_all(self) -> int:
        return int(self.call("messages.cancel", {"all": True})["cancelled"])

    def logs(self, cursor: str | None = None, count: int | None = None, **where: str) -> tuple[list[Log], str | None]:
        page = self.call("logs", _given(cursor=cursor, count=count, filter=_camel(where)))
        return [
            Log(
                x["messageId"],
                x["state"],
                x["time"],
                x["url"],
                x.get("label"),
                x.get("responseStatus"),
                x.get("retryDelayExpr"),
            )
            for x in page["logs"]
        ], page.get("cursor")

    def dead_letters(self, **where: str) -> list[Letter]:
        page = self.call("dlq.listMessages", {"filter": _camel(where)})
        return [
            Letter(x["dlqId"], x["messageId"], x["responseStatus"], x.get("responseBody"), x.get("label"))
            for x in page["messages"]
        ]

    def delete_dead_letter(self, dlq_id: str) -> None:
        self.call("dlq.delete", dlq_id)

    def delete_dead_letters(self, dlq_ids: list[str]) -> int:
        return int(self.call("dlq.delete", dlq_ids)["deleted"])

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        config = {"currentSigningKey": keys[0], "nextSigningKey": keys[1]}
        self.verify_as_configured(config, signature, body, url)

    def verify_as_configured(self, config: dict[str, str], signature: str, body: str, url: str) -> None:
        """Verify with a Receiver of this config; empty, it takes its keys where the SDK finds them."""
        self._node.ask(config, ["verify"], {"signature": signature, "body": body, "url": url})

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the Client, e.g. ``dlq.retry``, and return what its promise brings."""
        return self._node.ask(self._config, method.split("."), *args)


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise AssertionError(NEEDS_NODE.format(missing="there is no `node` on the PATH"))
    if not (_JS / "node_modules" / "@upstash" / "qstash").is_dir():
        raise AssertionError(NEEDS_NODE.format(missing="@upstash/qstash is not installed"))
    return node


def _published(answer: Any) -> Published:
    return Published(answer.message_id, answer.deduplicated)


def _wire_published(answer: dict[str, Any]) -> Published:
    return Published(answer["messageId"], answer.get("deduplicated", False))


def _camel(options: Mapping[str, Any]) -> dict[str, Any]:
    def name(text: str) -> str:
        first, *rest = text.split("_")
        return first + "".join(part.capitalize() for part in rest)

    return {name(option): value for option, value in options.items()}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
