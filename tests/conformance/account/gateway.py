"""The only way to the account: counts what is sent, and lets through what touches nothing but this run's own things."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tests.conformance.account.costs import batch_items, most_messages, option
from tests.standins.loopback import Answer, LoopbackServer, Seen

__all__ = ["Gateway"]

_TIMEOUT_S: Final = 60
# What lies between two hops, and what the connection's own library writes.
_HOP: Final = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"}
_SENDING: Final = re.compile(r"/v2/(publish|enqueue|batch|schedules)(?:/(.*))?")
_VERB: Final = re.compile(r"/v2/schedules/([^/:]+)/(pause|resume)")
# A schedule of a test may fire once a year: it is there to be listed.
_YEARLY: Final = re.compile(r"(CRON_TZ=\S+ +)?\d+ \d+ \d+ \d+ \*")


class Gateway(LoopbackServer):
    """``prefix`` begins the name of everything that this run makes; ``limit`` is the most messages it may send.

    A request that would touch anything else, or go beyond the limit, is answered 403 and never sent; ``refused`` has
    them, and ``spent`` counts messages as if each attempt failed.
    """

    def __init__(self, url: str, token: str, prefix: str, limit: int) -> None:
        super().__init__(self._pass)
        self._target = urlsplit(url)
        self._token = token
        self._prefix = prefix
        self._limit = limit
        self._dearest = 1
        self.spent = 0
        self.stopped: str | None = None
        self.refused: list[str] = []
        self.messages: list[str] = []
        self.letters: set[str] = set()
        self.schedules: set[str] = set()
        self.queues: set[str] = set()
        self.groups: dict[str, set[str]] = {}

    def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send a request to the account as it is."""
        secure = self._target.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._target.hostname or "", self._target.port, timeout=_TIMEOUT_S)
        try:
            own = {"Authorization": f"Bearer {self._token}"} if headers is None else headers
            connection.request(method, target, body or None, own)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            return Answer(answer.status, body=answer.read(), headers=kept)
        finally:
            connection.close()

    def is_ours(self, name: str) -> bool:
        """Whether a name, or an id, is of something that this run made."""
        return name.startswith(self._prefix) or name in {*self.messages, *self.schedules, *self.letters}

    def _pass(self, seen: Seen) -> Answer:
        reason = None if seen.method == "GET" else self._objection(seen)
        if reason is not None:
            self.refused.append(f"{seen.method} {seen.path}: {reason}")
            return Answer(403, {"error": f"make conformance: {reason}"})
        headers = {name: value.encode().decode("latin-1") for name, value in seen.headers if name.lower() not in _HOP}
        answer = self.ask(seen.method, seen.target, headers, seen.body)
        if answer.status < 300:
            self._note(seen, answer.encoded())
        return answer

    def _objection(self, seen: Seen) -> str | None:
        sending = _SENDING.fullmatch(seen.path)
        if seen.method == "POST" and sending and not _VERB.fullmatch(seen.path):
            return self._not_to_be_sent(seen, sending[1], sending[2] or "")
        if seen.method == "POST" and seen.path.startswith("/v2/dlq/retry"):
            return self._foreign(seen) or self._over(self._dearest * max(1, len(_named(seen))))
        if seen.path.startswith("/v2/keys"):
            return "keys of an account are not rotated"
        return self._foreign(seen)

    def _not_to_be_sent(self, seen: Seen, kind: str, rest: str) -> str | None:
        if kind == "batch":
            items = batch_items(seen.body)
        else:
            queue, _, destination = rest.partition("/") if kind == "enqueue" else ("", "", rest)
            items = [{"destination": unquote(destination), "headers": dict(seen.headers), "queue": unquote(queue)}]
        total = 0
        for item in items:
            headers = item.get("headers") or {}
            foreign = self._foreign_names(headers, item.get("queue"), kind)
            if foreign is not None:
                return foreign
            total += most_messages(headers, len(self.groups.get(str(item.get("destination")), "x")))
        self._dearest = max(self._dearest, total)
        return self._over(total)

    def _foreign_names(self, headers: Any, queue: str | None, kind: str) -> str | None:
        options = ("upstash-flow-control-key", "upstash-queue-name", "upstash-schedule-id")
        names = [queue, *(option(headers, name) for name in options)]
        for name in names:
            if name and not self.is_ours(name):
                return f"{name} was not made by this run"
        if kind == "schedules" and not _YEARLY.fullmatch(option(headers, "upstash-cron") or ""):
            return "a schedule on an account fires once a year"
        return None

    def _foreign(self, seen: Seen) -> str | None:
        names = _named(seen)
        strange = [name for name in names if not self.is_ours(name)]
        if not names:
            return "it names nothing, and would touch everything"
        return f"{strange[0]} was not made by this run" if strange else None

    def _over(self, messages: int) -> str | None:
        if self.spent + messages > self._limit:
            self.stopped = f"stopped: the {self._limit} messages of a run are used up, {self.spent} of them so far"
            return f"{messages} more would be over the {self._limit} messages of a run"
        self.spent += messages
        return None

    def _note(self, seen: Seen, body: bytes) -> None:
        """Remember what was made, and which letters are of our messages."""
        told = _json(body)
        asked = _json(seen.body) if seen.method == "POST" else None
        self.messages += _values(told, "messageId") if seen.method == "POST" else []
        self.schedules.update(_values(told, "scheduleId") if seen.method == "POST" else [])
        steps = [unquote(step) for step in seen.path.split("/")]
        if seen.method == "POST" and steps[2] == "queues":
            self.queues.update(_values(asked, "queueName"))
        elif seen.method == "POST" and steps[2] == "enqueue":
            self.queues.add(steps[3])
        elif seen.method == "POST" and steps[2] == "batch":
            self.queues.update(_values(asked, "queue"))
        elif seen.method == "POST" and steps[2] == "topics":
            self.groups.setdefault(steps[3], set()).update(_values(asked, "url"))
        elif seen.method == "GET" and steps[2] == "dlq" and isinstance(told, dict):
            letters = told.get("messages", [])
            self.letters |= {letter["dlqId"] for letter in letters if self.made(letter)}

    def made(self, letter: dict[str, Any]) -> bool:
        """Whether a dead letter is of a message of this run, or of a callback to one of its URLs."""
        return letter["messageId"] in self.messages or self._prefix in letter["url"]


def _named(seen: Seen) -> list[str]:
    """The names, ids and values of filters that a request which changes something is about."""
    steps = [unquote(step) for step in seen.path.split("/")[3:] if step not in ("retry", "endpoints")]
    body = _json(seen.body)
    listed = [*_values(body, "messageIds"), *_values(body, "dlqIds"), *_values(body, "queueName")]
    narrowing = ("messageIds", "dlqIds", "label", "queueName", "topicName", "scheduleId", "flowControlKey")
    asked = [value for name in narrowing for text in seen.params.get(name, []) for value in text.split(",")]
    return [*steps[:1], *listed, *asked]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _values(content: Any, name: str) -> list[str]:
    """Every text under ``name``, at any depth."""
    if isinstance(content, list):
        return [value for item in content for value in _values(item, name)]
    if not isinstance(content, dict):
        return []
    found = content.get(name)
    here = [value for value in (found if isinstance(found, list) else [found]) if isinstance(value, str)]
    return here + [value for key, item in content.items() if key != name for value in _values(item, name)]
