"""The routes: which request does what to the account. Each returns a status and what is answered as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from tests.standins.hosted.account import Account
from tests.standins.hosted.options import Asked, read_publish, split_destination
from tests.standins.hosted.refusals import BAD_TOKEN, READ_ONLY, Refusal, not_found
from tests.standins.hosted.selection import CANCEL, DLQ_BULK, DLQ_LIST, arguments, select
from tests.standins.loopback import Answer, Seen

__all__ = ["Face"]

_DLQ_PAGE: Final = 100
_CANCEL_MOST: Final = 500
# These alone have no per-second limit.
_UNLIMITED: Final = ("/v2/publish/", "/v2/enqueue/", "/v2/batch")

Reply = tuple[int, Any]


class Face:
    """Answers requests on behalf of ``account``; ``token`` may do anything, ``read_only_token`` only read."""

    def __init__(self, account: Account, token: str, read_only_token: str) -> None:
        self._account = account
        self._token = token
        self._read_only_token = read_only_token
        self._routes: list[tuple[str, str, Callable[..., Reply]]] = [
            ("POST", r"/v2/publish/(.+)", self._publish),
            ("POST", r"/v2/enqueue/([^/]+)/(.+)", self._enqueue),
            ("POST", r"/v2/batch", self._batch),
            ("GET", r"/v2/messages/([^/]+)", self._message),
            ("DELETE", r"/v2/messages/([^/]+)", self._cancel),
            ("DELETE", r"/v2/messages/?", self._cancel_many),
            ("GET", r"/v2/(?:events|logs)", self._logs),
            ("GET", r"/v2/dlq/?", self._dlq),
            ("GET", r"/v2/dlq/([^/]+)", self._dead_letter),
            ("DELETE", r"/v2/dlq/?", self._dlq_delete_many),
            ("DELETE", r"/v2/dlq/([^/]+)", self._dlq_delete),
            ("POST", r"/v2/dlq/retry/?", self._dlq_retry_many),
            ("POST", r"/v2/dlq/retry/([^/]+)", self._dlq_retry),
            ("GET", r"/v2/keys", self._keys),
            ("POST", r"/v2/keys/rotate", self._rotate),
        ]

    def answer(self, seen: Seen) -> Answer:
        """What the service answers; a refusal is an answer as well."""
        headers: dict[str, str] = {}
        try:
            self._authenticate(seen)
            if not seen.path.startswith(_UNLIMITED):
                headers = self._account.limits.count_request(self._account.now_ms)
            status, content = self._route(seen)
        except Refusal as refusal:
            return refusal.answer()
        return Answer(status, content, headers)

    def _authenticate(self, seen: Seen) -> None:
        given = (seen.header("Authorization") or "").removeprefix("Bearer ") or seen.params.get("qstash_token", [""])[0]
        if given not in (self._token, self._read_only_token):
            raise Refusal(401, BAD_TOKEN)
        if given == self._read_only_token and seen.method != "GET":
            raise Refusal(403, READ_ONLY)

    def _route(self, seen: Seen) -> Reply:
        for method, pattern, handler in self._routes:
            match = re.fullmatch(pattern, seen.path)
            if match and method == seen.method:
                return handler(seen, *match.groups())
        raise not_found("route", f"{seen.method} {seen.path}")

    def _publish(self, seen: Seen, rest: str, queue: str | None = None) -> Reply:
        destination, in_query = split_destination(rest, seen.query)
        headers = {name.lower(): value for name, value in seen.headers} | in_query
        asked = read_publish(destination, headers, seen.body, queue)
        status, receipts = self._account.publish(asked)
        return status, receipts[0] if asked.is_url else receipts

    def _enqueue(self, seen: Seen, queue: str, rest: str) -> Reply:
        return self._publish(seen, rest, _name(queue))

    def _batch(self, seen: Seen) -> Reply:
        try:
            items = seen.json()
        except ValueError as error:
            raise Refusal(400, f"invalid batch: {error}") from error
        if not isinstance(items, list):
            raise Refusal(400, "invalid batch: an array is needed")
        return 200, [self._batch_item(item) for item in items]

    def _batch_item(self, item: Any) -> Any:
        try:
            asked = _read_item(item)
            _, receipts = self._account.publish(asked)
        except Refusal as refusal:
            if refusal.status == 429:
                raise
            return {"error": refusal.text}
        return receipts[0] if asked.is_url else receipts

    def _message(self, _: Seen, message_id: str) -> Reply:
        return 200, self._account.message(message_id)

    def _cancel(self, _: Seen, message_id: str) -> Reply:
        self._account.cancel(message_id)
        return 200, {"cancelled": 1}

    def _cancel_many(self, seen: Seen) -> Reply:
        params = arguments(seen, CANCEL)
        if "messageIds" in params:
            params = {"messageIds": params["messageIds"]}
        chosen = select(self._account.pending.values(), params)[: _count(params, _CANCEL_MOST)]
        for message in chosen:
            self._account.cancel(message["messageId"])
        return 200, {"cancelled": len(chosen)}

    def _logs(self, seen: Seen) -> Reply:
        return 200, self._account.journal.page(seen.path, seen.params)

    def _dlq(self, seen: Seen) -> Reply:
        chosen, cursor = self._dead_letters(arguments(seen, DLQ_LIST))
        return 200, {"messages": chosen} | ({"cursor": cursor} if cursor else {})

    def _dead_letter(self, _: Seen, dlq_id: str) -> Reply:
        return 200, self._account.dead[self._known(dlq_id)]

    def _dlq_delete(self, _: Seen, dlq_id: str) -> Reply:
        del self._account.dead[self._known(dlq_id)]
        return 200, None

    def _dlq_delete_many(self, seen: Seen) -> Reply:
        chosen, cursor = self._dead_letters(arguments(seen, DLQ_BULK))
        for letter in chosen:
            del self._account.dead[letter["dlqId"]]
        return 200, {"deleted": len(chosen)} | ({"cursor": cursor} if cursor else {})

    def _dlq_retry(self, seen: Seen, dlq_id: str) -> Reply:
        return 201, {"messageId": self._account.revive(self._known(dlq_id), _overrides(seen))}

    def _dlq_retry_many(self, seen: Seen) -> Reply:
        params = arguments(seen, DLQ_BULK)
        for dlq_id in params.get("dlqIds", []):
            self._known(dlq_id)
        chosen, cursor = self._dead_letters(params)
        overrides = _overrides(seen)
        responses = [{"messageId": self._account.revive(letter["dlqId"], overrides)} for letter in chosen]
        # Here alone the live service answers an empty cursor at the end.
        return 201, {"responses": responses, "cursor": cursor or ""}

    def _keys(self, _: Seen) -> Reply:
        return 200, {"current": self._account.current_key, "next": self._account.next_key}

    def _rotate(self, seen: Seen) -> Reply:
        self._account.rotate()
        return self._keys(seen)

    def _known(self, dlq_id: str) -> str:
        if dlq_id not in self._account.dead:
            raise not_found("dlq message", dlq_id)
        return dlq_id

    def _dead_letters(self, params: dict[str, list[str]]) -> tuple[list[dict[str, Any]], str | None]:
        letters = select(self._account.dead.values(), params)
        earliest_first = params.get("order") == ["earliestFirst"]
        letters.sort(key=lambda letter: _dlq_place(letter["dlqId"]), reverse=not earliest_first)
        if "cursor" in params:
            last = _dlq_place(params["cursor"][0])
            letters = [
                letter
                for letter in letters
                if (_dlq_place(letter["dlqId"]) > last if earliest_first else _dlq_place(letter["dlqId"]) < last)
            ]
        page = letters[: _count(params, _DLQ_PAGE)]
        more = len(letters) > len(page) and "dlqIds" not in params
        return page, page[-1]["dlqId"] if more else None


def _dlq_place(dlq_id: str) -> tuple[int, int]:
    ms, _, seq = dlq_id.partition("-")
    return int(ms), int(seq or 0)


def _count(params: dict[str, list[str]], most: int) -> int:
    count = int(params.get("count", [str(most)])[0])
    if not 1 <= count <= most:
        raise Refusal(400, f"count: {count} is not between 1 and {most}")
    return count


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", unquote(text)):
        raise Refusal(400, f"invalid name: {text}")
    return unquote(text)


def _read_item(item: Any) -> Asked:
    if not isinstance(item, dict) or not isinstance(item.get("destination"), str):
        raise Refusal(400, "invalid batch item: an object with a destination is needed")
    headers = {name.lower(): str(value) for name, value in (item.get("headers") or {}).items()}
    return read_publish(item["destination"], headers, (item.get("body") or "").encode(), item.get("queue"))


def _overrides(seen: Seen) -> dict[str, Any]:
    """The options that a retry sets anew; what it does not name stays as it was stored."""
    headers = {name.lower(): value for name, value in seen.headers}
    read = read_publish("http://unused", headers, b"", None).fields
    named = {"upstash-retries": "maxRetries", "upstash-method": "method", "upstash-retry-delay": "retryDelayExpression"}
    return {wire: read[wire] for name, wire in named.items() if name in headers}
