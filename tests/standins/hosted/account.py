"""What one account holds: messages under way, what was published before, dead letters, keys."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from tests.standins.hosted.journal import Journal
from tests.standins.hosted.limits import Limits
from tests.standins.hosted.options import Asked
from tests.standins.hosted.refusals import LOOPBACK_DESTINATION, Refusal, not_found

__all__ = ["START_MS", "Account"]

#: Where the stand-in's clock starts: 2026-01-01T00:00:00Z.
START_MS = 1_767_225_600_000
CALLER_IP = "203.0.113.7"
_DEDUPLICATION_MS = 600_000
# How long a finished message stays readable is not documented; the SDK's own tests need about a second.
_READABLE_MS = 60_000


class Account:
    """The state, and what changes it. Times are unix milliseconds of a clock that only a test moves."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.limits = Limits()
        self.journal = Journal(lambda: self.now_ms)
        self.groups: dict[str, list[dict[str, str]]] = {}
        self.pending: dict[str, dict[str, Any]] = {}
        self.finished: dict[str, tuple[int, dict[str, Any]]] = {}
        self.dead: dict[str, dict[str, Any]] = {}
        self.refuses_loopback = False
        self._published: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._made = 0
        self._rotations = 0
        self.current_key, self.next_key = self._key(), self._key()

    def publish(self, asked: Asked) -> tuple[int, list[dict[str, Any]]]:
        """Accept a message (one for each endpoint of a URL group): the status, and a receipt for each."""
        self.limits.check(asked, self.now_ms)
        endpoints = self._endpoints(asked)
        key = self._deduplication_key(asked)
        if key is not None and key in self._published:
            until_ms, receipts = self._published[key]
            if self.now_ms < until_ms:
                return 202, [{**receipt, "deduplicated": True} for receipt in receipts]
        self.limits.count_messages(len(endpoints), self.now_ms)
        receipts = [self._accept(asked, endpoint) for endpoint in endpoints]
        if key is not None:
            self._published[key] = self.now_ms + _DEDUPLICATION_MS, receipts
        return 200, receipts

    def message(self, message_id: str) -> dict[str, Any]:
        """A message under way, or one that finished a moment ago."""
        if message_id in self.pending:
            return self.pending[message_id]
        until_ms, message = self.finished.get(message_id, (0, {}))
        if self.now_ms >= until_ms:
            raise not_found("message", message_id)
        return message

    def cancel(self, message_id: str) -> None:
        """Take a message back; CANCELED is written for when it would have been delivered."""
        if message_id not in self.pending:
            raise not_found("message", message_id)
        message = self.pending.pop(message_id)
        self.log(message, "CANCEL_REQUESTED")
        self.log(message, "CANCELED", time_ms=max(self.now_ms, message["notBefore"]))

    def log(self, message: dict[str, Any], state: str, *, time_ms: int | None = None, **fields: Any) -> None:
        """One transition of a message."""
        left_out = {"createdAt", "notBefore", "body", "bodyBase64", "retryDelayExpression", "dlqId"}
        entry = {name: value for name, value in message.items() if name not in left_out}
        if "body" in message or "bodyBase64" in message:
            entry["body"] = message.get("bodyBase64") or base64.b64encode(message["body"].encode()).decode()
        if "retryDelayExpression" in message:
            entry["retryDelay"] = message["retryDelayExpression"]
        self.journal.add({**entry, "state": state, **fields}, time_ms=time_ms)

    def finish(self, message_id: str, state: str, **fields: Any) -> dict[str, Any]:
        """DELIVERED or FAILED: the message is under way no more."""
        message = self.pending.pop(message_id)
        self.finished[message_id] = self.now_ms + _READABLE_MS, message
        self.log(message, state, **fields)
        return message

    def bury(self, message_id: str, status: int, body: bytes) -> str:
        """FAILED for good: into the dead letter queue, under the id that is returned."""
        message = self.finish(message_id, "FAILED")
        self._made += 1
        dlq_id = f"{self.now_ms}-{self._made}"
        try:
            answer = {"responseBody": body.decode()}
        except UnicodeDecodeError:
            answer = {"responseBodyBase64": base64.b64encode(body).decode()}
        self.dead[dlq_id] = {**message, "dlqId": dlq_id, "responseStatus": status, "responseHeader": {}, **answer}
        return dlq_id

    def revive(self, dlq_id: str, overrides: dict[str, Any]) -> str:
        """Publish a dead letter anew: the id of the new message."""
        letter = self.dead.pop(dlq_id)
        gone = ("dlqId", "responseStatus", "responseHeader", "responseBody", "responseBodyBase64")
        kept = {name: value for name, value in letter.items() if name not in gone}
        message_id = self._message_id()
        self.pending[message_id] = {
            **kept,
            **overrides,
            "messageId": message_id,
            "createdAt": self.now_ms,
            "notBefore": self.now_ms,
        }
        self.log(self.pending[message_id], "CREATED")
        return message_id

    def rotate(self) -> None:
        """The next key becomes the current one, and a new one is next."""
        self.current_key, self.next_key = self.next_key, self._key()

    def _endpoints(self, asked: Asked) -> list[dict[str, str]]:
        if not asked.is_url:
            if asked.destination not in self.groups:
                raise not_found("url group", asked.destination)
            return self.groups[asked.destination]
        if self.refuses_loopback and urlsplit(asked.destination).hostname in ("127.0.0.1", "localhost", "::1"):
            raise Refusal(400, LOOPBACK_DESTINATION)
        return [{"url": asked.destination}]

    def _accept(self, asked: Asked, endpoint: dict[str, str]) -> dict[str, Any]:
        message_id = self._message_id()
        not_before_ms = self.now_ms + asked.delay_s * 1000
        if asked.not_before_s is not None:
            not_before_ms = asked.not_before_s * 1000
        message = {
            "messageId": message_id,
            "url": endpoint["url"],
            "createdAt": self.now_ms,
            "notBefore": not_before_ms,
            "callerIP": CALLER_IP,
            "header": asked.header,
            **asked.fields,
        }
        if not asked.is_url:
            message |= {"topicName": asked.destination}
            message |= {"endpointName": endpoint["name"]} if "name" in endpoint else {}
        self.pending[message_id] = message
        self.log(message, "CREATED")
        return {"messageId": message_id} | ({} if asked.is_url else {"url": endpoint["url"]})

    def _deduplication_key(self, asked: Asked) -> str | None:
        if asked.deduplication_id is not None:
            return f"id:{asked.deduplication_id}"
        if not asked.by_content:
            return None
        content = json.dumps([asked.destination, asked.body.hex(), sorted(asked.header.items())])
        return f"content:{hashlib.sha256(content.encode()).hexdigest()}"

    def _message_id(self) -> str:
        self._made += 1
        return f"msg_standin{self._made:08d}"

    def _key(self) -> str:
        self._rotations += 1
        return "sig_" + hashlib.sha256(f"stand-in {self._rotations}".encode()).hexdigest()[:28]
