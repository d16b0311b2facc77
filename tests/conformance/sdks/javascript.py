"""@upstash/qstash for JavaScript, in a Node process."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.conformance.sdks.face import Letter, Log, Message, Published
from tests.conformance.sdks.javascript_catalog import (
    JavaScriptFlows,
    JavaScriptGroups,
    JavaScriptQueues,
    JavaScriptSchedules,
    camel,
    given,
    limit_of,
)
from tests.conformance.sdks.node import Node

__all__ = ["JavaScriptSdk"]


class JavaScriptSdk:
    """@upstash/qstash for JavaScript, in ``node``; ``config`` is its Client's."""

    language = "javascript"

    def __init__(self, node: Node, config: Mapping[str, Any]) -> None:
        self._node = node
        self._config = config
        self.called: set[str] = set()
        self.queues = JavaScriptQueues(self.call_queue)
        self.groups = JavaScriptGroups(self.call)
        self.schedules = JavaScriptSchedules(self.call)
        self.flows = JavaScriptFlows(self.call)

    def publish(self, url: str, body: str | bytes | None, **options: Any) -> Published:
        sent = {"$bytes": base64.b64encode(body).decode()} if isinstance(body, bytes) else body
        return _published(self.call("publish", {"url": url, **given(body=sent), **camel(options)}))

    def publish_json(self, url: str, body: Any, **options: Any) -> Published:
        return _published(self.call("publishJSON", {"url": url, "body": body, **camel(options)}))

    def publish_to_group(self, group: str, body: str, **options: Any) -> list[Published]:
        return list(map(_published, self.call("publish", {"urlGroup": group, "body": body, **camel(options)})))

    def batch(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]:
        return list(map(_batched, self.call("batch", list(map(camel, items)))))

    def batch_json(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]:
        return list(map(_batched, self.call("batchJSON", list(map(camel, items)))))

    def message(self, message_id: str) -> Message:
        got = self.call("messages.get", message_id)
        return Message(
            got["messageId"],
            got["url"],
            got["method"],
            got["header"],
            got.get("body"),
            got.get("bodyBase64"),
            got["maxRetries"],
            got["createdAt"],
            got["notBefore"],
            got.get("label"),
            got.get("retryDelayExpression"),
            got.get("callback"),
            got.get("failureCallback"),
            got.get("callbackHeader"),
            got.get("failureCallbackHeader"),
            got.get("urlGroup"),
            got.get("endpointName"),
            got.get("queueName"),
            got.get("scheduleId"),
            limit_of(got),
        )

    def cancel(self, message_id: str) -> None:
        self.call("messages.cancel", message_id)

    def cancel_many(self, message_ids: list[str]) -> int:
        return int(self.call("messages.cancel", message_ids)["cancelled"])

    def cancel_all(self) -> int:
        return int(self.call("messages.cancel", {"all": True})["cancelled"])

    def logs(self, cursor: str | None = None, count: int | None = None, **where: Any) -> tuple[list[Log], str | None]:
        page = self.call("logs", given(cursor=cursor, count=count, filter=camel(where)))
        return list(map(_log, page["logs"])), page.get("cursor")

    def dead_letters(self, **where: Any) -> list[Letter]:
        return self.dead_letter_page(**where)[0]

    def dead_letter_page(
        self, cursor: str | None = None, count: int | None = None, **where: Any
    ) -> tuple[list[Letter], str | None]:
        page = self.call("dlq.listMessages", given(cursor=cursor, count=count, filter=camel(where)))
        return list(map(_letter, page["messages"])), page.get("cursor")

    def delete_dead_letter(self, dlq_id: str) -> None:
        self.call("dlq.delete", dlq_id)

    def delete_dead_letters(self, dlq_ids: list[str]) -> int:
        return int(self.call("dlq.delete", dlq_ids)["deleted"])

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        config = {"currentSigningKey": keys[0], "nextSigningKey": keys[1]}
        self.verify_as_configured(config, signature, body, url)

    def verify_as_configured(self, config: dict[str, str], signature: str, body: str, url: str) -> None:
        """Verify with a Receiver of this config; empty, it takes its keys where the SDK finds them."""
        self.called.add("Receiver.verify")
        self._node.ask(config, ["verify"], {"signature": signature, "body": body, "url": url})

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the Client, e.g. ``dlq.retry``, and return what its promise brings."""
        self.called.add(method)
        return self._node.ask(self._config, method.split("."), *args)

    def call_queue(self, name: str | None, method: str, *args: Any) -> Any:
        """Call a method of ``client.queue({queueName: name})``; without a name, of ``client.queue()``."""
        self.called.add(f"queue().{method}")
        return self._node.ask(self._config, [{"call": "queue", "with": given(queueName=name)}, method], *args)

    def call_chat(self, method: str, *args: Any) -> Any:
        """Call a method of ``client.chat()``."""
        self.called.add(f"chat().{method}")
        return self._node.ask(self._config, [{"call": "chat"}, method], *args)

    def configured(self, config: Mapping[str, Any]) -> JavaScriptSdk:
        """Another Client in the same process."""
        return JavaScriptSdk(self._node, config)

    def surface(self) -> set[str]:
        """Every method that a Client has, as ``dlq.retry`` or ``queue().get``, and those of the Receiver."""
        return set(self._node.ask(self._config, ["surface"]))


def _published(answer: dict[str, Any]) -> Published:
    return Published(answer["messageId"], answer.get("deduplicated", False), answer.get("url"))


def _batched(answer: Any) -> Published | list[Published]:
    return list(map(_published, answer)) if isinstance(answer, list) else _published(answer)


def _log(x: dict[str, Any]) -> Log:
    return Log(
        x["messageId"],
        x["state"],
        x["time"],
        x["url"],
        x.get("label"),
        x.get("responseStatus"),
        x.get("retryDelayExpr"),
        x.get("urlGroup"),
        x.get("endpointName"),
        x.get("queueName"),
        x.get("scheduleId"),
        x.get("body"),
        x.get("header"),
        x.get("maxRetries"),
        x.get("method"),
        x.get("callback"),
        limit_of(x),
    )


def _letter(x: dict[str, Any]) -> Letter:
    return Letter(
        x["dlqId"],
        x["messageId"],
        x["responseStatus"],
        x.get("responseBody"),
        x.get("label"),
        x["url"],
        x.get("urlGroup"),
        x.get("queueName"),
        x.get("scheduleId"),
    )
