"""What a publish asks for: option headers, or their query form, read into the JSON of a message."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.standins.hosted.refusals import BAD_DEDUPLICATION_ID, BAD_SCHEME, Refusal

__all__ = ["Asked", "canonical", "read_publish", "seconds", "split_destination"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORWARD = "upstash-forward-"


@dataclass(frozen=True, slots=True)
class Asked:
    """One publish: where to, and the fields of the message it becomes (those that were set)."""

    destination: str
    body: bytes
    fields: dict[str, Any]
    delay_s: int = 0
    not_before_s: int | None = None
    deduplication_id: str | None = None
    by_content: bool = False
    header: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_url(self) -> bool:
        return "://" in self.destination


def canonical(name: str) -> str:
    """``test-header`` as ``Test-Header``."""
    return "-".join(part.capitalize() for part in name.split("-"))


def seconds(text: str, name: str) -> int:
    """A duration such as ``1d10h30m``, in seconds."""
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise Refusal(400, f"{name}: invalid duration {text}")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))


def split_destination(rest: str, query: str) -> tuple[str, dict[str, str]]:
    """The destination out of a raw path and query, and the options that came in the query.

    What is no option of ours in the query belongs to the destination, in its own spelling.
    """
    own, options = [], {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name.lower().startswith("upstash-"):
            options[name.lower()] = unquote(value)
        elif name != "qstash_token":
            own.append(pair)
    # A proxy on the way may have folded the two slashes into one.
    destination = re.sub(r"^(https?):/(?!/)", r"\1://", rest)
    return (f"{destination}?{'&'.join(own)}" if own else destination), options


def read_publish(destination: str, headers: dict[str, str], body: bytes, queue: str | None) -> Asked:
    """``headers`` have lower-case names. Raises Refusal(400) for what the reference refuses."""
    if "://" in destination and not destination.startswith(("http://", "https://")):
        raise Refusal(400, BAD_SCHEME)
    deduplication_id = headers.get("upstash-deduplication-id")
    if deduplication_id is not None and ":" in deduplication_id:
        raise Refusal(400, BAD_DEDUPLICATION_ID)
    header = {canonical(n.removeprefix(_FORWARD)): [v] for n, v in headers.items() if n.startswith(_FORWARD)}
    if "content-type" in headers:
        header.setdefault("Content-Type", [headers["content-type"]])
    not_before = headers.get("upstash-not-before")
    return Asked(
        destination,
        body,
        {**_options(headers), **_flow_control(headers), **_body(body), **({"queueName": queue} if queue else {})},
        delay_s=seconds(headers.get("upstash-delay", "0s"), "Upstash-Delay"),
        not_before_s=_whole(not_before, "Upstash-Not-Before") if not_before else None,
        deduplication_id=deduplication_id,
        by_content=headers.get("upstash-content-based-deduplication", "").lower() == "true",
        header=header,
    )


def _options(headers: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "method": headers.get("upstash-method", "POST"),
        "maxRetries": _whole(headers.get("upstash-retries", "3"), "Upstash-Retries"),
    }
    for name, wire in (
        ("upstash-callback", "callback"),
        ("upstash-failure-callback", "failureCallback"),
        ("upstash-retry-delay", "retryDelayExpression"),
    ):
        if headers.get(name):
            fields[wire] = headers[name]
    labels = [label.strip() for label in headers.get("upstash-label", "").split(",") if label.strip()]
    if labels:
        fields |= {"label": labels[0], "labels": labels}
    if "upstash-timeout" in headers:
        fields["timeout"] = seconds(headers["upstash-timeout"], "Upstash-Timeout") * 1000
    return fields


def _whole(text: str, name: str) -> int:
    if not text.isdigit():
        raise Refusal(400, f"{name}: {text} is no whole number")
    return int(text)


def _flow_control(headers: dict[str, str]) -> dict[str, Any]:
    key = headers.get("upstash-flow-control-key")
    if not key:
        return {}
    given = dict(
        part.strip().split("=", 1) for part in headers.get("upstash-flow-control-value", "").split(",") if part
    )
    if not {"parallelism", "rate"} & set(given):
        raise Refusal(400, "flow control needs parallelism or rate")
    period = given.pop("period", "1")
    fields = {"flowControlKey": key, "period": int(period) if period.isdigit() else seconds(period, "period")}
    return fields | {name: _whole(value, name) for name, value in given.items()}


def _body(body: bytes) -> dict[str, str]:
    if not body:
        return {}
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(body).decode()}
