"""Which messages or dead letters a bulk call means. A parameter that is not known is refused, or a typo takes all."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from tests.standins.hosted.refusals import Refusal
from tests.standins.loopback import Seen

__all__ = ["CANCEL", "DLQ_BULK", "DLQ_LIST", "arguments", "select"]

_SHARED: Final = {"url", "topicName", "queueName", "scheduleId", "callerIp", "label", "flowControlKey"}
_DATES: Final = {"fromDate", "toDate"}
_PAGING: Final = {"cursor", "count"}
CANCEL: Final = _SHARED | _DATES | {"messageIds", "host", "path", "callerIP", "count"}
DLQ_BULK: Final = _SHARED | _DATES | _PAGING | {"dlqIds", "messageId", "responseStatus", "api"}
DLQ_LIST: Final = DLQ_BULK | {"order"}
# Names a token may travel under in the query, and parameters that choose nothing.
_SILENT: Final = {"qstash_token", "cursor", "count", "order", "api"}


def arguments(seen: Seen, known: Collection[str]) -> dict[str, list[str]]:
    """The arguments of a call, from its query and, as the Python SDK sends them, from a JSON body."""
    params = dict(seen.params)
    if seen.body:
        try:
            params |= {name: [str(value) for value in values] for name, values in json.loads(seen.body).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise Refusal(400, f"invalid body: {error}") from error
    unknown = sorted(set(params) - set(known) - {"qstash_token"})
    if unknown:
        raise Refusal(400, f"unknown parameter: {', '.join(unknown)}")
    return params


def select(items: Iterable[dict[str, Any]], params: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The items that match: values of one filter are ORed (repeated or comma-separated), filters are ANDed."""
    wanted = {name: ",".join(values).split(",") for name, values in params.items() if name not in _SILENT}
    return [item for item in items if all(_matches(item, name, values) for name, values in wanted.items())]


def _matches(item: dict[str, Any], name: str, values: list[str]) -> bool:
    if name in _DATES:
        at_ms = int(item["createdAt"])
        return at_ms >= int(values[0]) if name == "fromDate" else at_ms <= int(values[0])
    if name == "label":
        return bool(set(item.get("labels", [])) & set(values))
    if name in ("host", "path"):
        url = urlsplit(item["url"])
        return (url.netloc if name == "host" else url.path) in values
    field = {"messageIds": "messageId", "dlqIds": "dlqId", "callerIp": "callerIP"}.get(name, name)
    return str(item.get(field)) in values
