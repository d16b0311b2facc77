"""@upstash/qstash for JavaScript, in a Node process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.conformance.sdks.face import Letter, Log, Message, Published, SdkError
from tests.standins.processes import ChildProcess

__all__ = ["JavaScriptSdk", "Node"]

NEEDS_NODE: Final = (
    "the JavaScript SDK is tested with Node 20 or later and npm, and {missing}. "
    "Run tests/conformance/js/install.sh, or set QSOPS_TESTS_WITHOUT_NODE=1 to test without it."
)
_JS: Final = Path(__file__).parents[1] / "js"


class Node(ChildProcess):
    """A Node process that drives @upstash/qstash; ``environment`` is all that it is given."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__([_node(), "driver.mjs"], cwd=_JS, environment=environment, listens=True)

    def ask(self, config: Mapping[str, Any], path: list[str], *args: Any) -> Any:
        """What a method of the SDK, made with ``config``, answers; its errors become SdkError."""
        self.say(json.dumps({"config": config, "path": path, "args": args}))
        reply = json.loads(self.wait_for_line(r"^reply (.*)$")[1])
        if "error" in reply:
            error = reply["error"]
            raise SdkError(f"{error['message']} (status {error['status']})", error["name"])
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


def _wire_published(answer: dict[str, Any]) -> Published:
    return Published(answer["messageId"], answer.get("deduplicated", False))


def _camel(options: Mapping[str, Any]) -> dict[str, Any]:
    def name(text: str) -> str:
        first, *rest = text.split("_")
        return first + "".join(part.capitalize() for part in rest)

    return {name(option): value for option, value in options.items()}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
