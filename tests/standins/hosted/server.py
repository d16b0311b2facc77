"""The stand-in as a test holds it: a real HTTP server with an account, a clock to move, and faults to ask for."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from typing import Any

from tests.standins.hosted import deliveries
from tests.standins.hosted.account import Account
from tests.standins.hosted.face import Face
from tests.standins.hosted.faults import Fault, Faults
from tests.standins.hosted.limits import Limits
from tests.standins.hosted.refusals import quota_exceeded
from tests.standins.loopback import Answer, Gate, LoopbackServer, Seen

__all__ = ["HostedQStash"]


def _token(user: str) -> str:
    return base64.b64encode(json.dumps({"UserID": user, "Password": "not-a-secret"}).encode()).decode()


class HostedQStash(LoopbackServer):
    """A hosted account on loopback.

    State can be set through :attr:`account` (``limits``, ``groups``, ``journal.page_size``, …) under ``lock``;
    ``on`` is the beginning of ``"METHOD /path"``, and empty for any request. Nothing is delivered and no time passes
    unless a test says so.
    """

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.account = Account()
        self.token = _token("3f0f5c9e-6f2b-4d36-9c53-0a9d9a1f7e11")
        self.read_only_token = _token("3f0f5c9e-6f2b-4d36-9c53-0a9d9a1f7e12")
        self._faults = Faults()
        self._face = Face(self.account, self.token, self.read_only_token)
        self._gates: list[Gate] = []

    def __exit__(self, *exception: object) -> None:
        for gate in self._gates:
            gate.open()
        super().__exit__(*exception)

    @property
    def limits(self) -> Limits:
        return self.account.limits

    @property
    def now_ms(self) -> int:
        return self.account.now_ms

    @property
    def published(self) -> int:
        """How many messages this account ever accepted: the count that no lost answer may change."""
        with self.lock:
            return sum(entry.get("state") == "CREATED" for entry in self.account.journal.everything())

    def advance(self, ms: int) -> None:
        """Move the stand-in's clock."""
        with self.lock:
            self.account.now_ms += ms

    # What goes wrong.

    def refuse(
        self, status: int, text: str, *, times: int = 1, on: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """The next requests have no effect and get this error."""
        self._fault(Fault(on, times, instead=Answer(status, {"error": text}, headers or {})))

    def answer(self, answer: Answer, *, times: int = 1, on: str = "") -> None:
        """The next requests have no effect and get exactly this."""
        self._fault(Fault(on, times, instead=answer))

    def burst(self, *, times: int = 1, on: str = "", reset_in_s: int = 1) -> None:
        """429 of the per-second kind."""
        headers = {
            "Burst-RateLimit-Limit": "100",
            "Burst-RateLimit-Remaining": "0",
            "Burst-RateLimit-Reset": str(self.now_ms // 1000 + reset_in_s),
        }
        self.refuse(429, "rate limit exceeded", times=times, on=on, headers=headers)

    def daily(self, *, times: int = 1, on: str = "", limit: int = 1000) -> None:
        """429 of the daily kind."""
        refusal = Limits.daily_refusal(limit, self.now_ms)
        self.refuse(429, refusal.text, times=times, on=on, headers=refusal.headers)

    def quota(self, name: str, limit: int, *, status: int = 412, times: int = 1, on: str = "") -> None:
        """A quota of the plan is used up."""
        self.refuse(status, quota_exceeded(name, limit), times=times, on=on)

    def down(self, *, status: int = 503, times: int = 1, on: str = "") -> None:
        """5xx with a body that is no JSON, as a proxy in front of a service gives it."""
        body, headers = b"<html><body>upstream failed</body></html>", {"Content-Type": "text/html"}
        self._fault(Fault(on, times, instead=Answer(status, headers=headers, body=body)))

    def drop(self, *, times: int = 1, on: str = "") -> None:
        """The connection closes before the request has any effect; a client cannot tell it from ``lose``."""
        self._fault(Fault(on, times, instead=Answer(lost=True)))

    def lose(self, *, times: int = 1, on: str = "") -> None:
        """The request takes effect, then the connection closes without an answer."""
        self._fault(Fault(on, times, lost=True))

    def hold(self, *, times: int = 1, on: str = "") -> Gate:
        """The request takes effect, and its answer waits until the gate is opened."""
        gate = Gate()
        self._gates.append(gate)
        self._fault(Fault(on, times, gate=gate))
        return gate

    # What becomes of messages.

    def log(
        self,
        state: str,
        *,
        message_id: str = "msg_scripted",
        time_ms: int | None = None,
        appears_in_ms: int = 0,
        appears_after_pages: int = 0,
        without: Collection[str] = (),
        **fields: Any,
    ) -> dict[str, Any]:
        """Write a log entry as it comes: any state, any field, some missing, some late. See ``Journal.add``."""
        entry = {"messageId": message_id, "url": "https://example.com/hook", "state": state, **fields}
        with self.lock:
            return self.account.journal.add(
                entry,
                time_ms=time_ms,
                appears_in_ms=appears_in_ms,
                appears_after_pages=appears_after_pages,
                without=without,
            )

    def mark_delivered(self, message_id: str, status: int = 200) -> None:
        """ACTIVE and DELIVERED, without a delivery."""
        with self.lock:
            self.account.log(self.account.pending[message_id], "ACTIVE")
            self.account.finish(message_id, "DELIVERED", responseStatus=status)

    def mark_failed(self, message_id: str, status: int = 500, body: bytes = b"") -> str:
        """ACTIVE, ERROR and FAILED, without a delivery: the id in the dead letter queue."""
        with self.lock:
            self._error(message_id, status, body, None)
            return self.account.bury(message_id, status, body)

    def deliver(self, message_id: str) -> str:
        """Deliver over HTTP, signed, until it is answered 2xx or the retries are used up: the final state.

        Between attempts the clock moves by as little as it can; nobody waits.
        """
        with self.lock:
            message = dict(self.account.pending[message_id])
        status, body = 0, b""
        for retried in range(int(message["maxRetries"]) + 1):
            status, body = deliveries.attempt(message, retried, self.account.current_key, self.now_ms)
            if 200 <= status < 300:
                self.mark_delivered(message_id, status)
                return "DELIVERED"
            with self.lock:
                last = retried == message["maxRetries"]
                self._error(message_id, status, body, None if last else self.now_ms + 1)
                self.account.now_ms += 1
        with self.lock:
            self.account.bury(message_id, status, body)
        return "FAILED"

    def signature(self, url: str, body: bytes) -> str:
        """The signature of a delivery of ``body`` to ``url``, under the current key."""
        return deliveries.sign(self.account.current_key, url, body, self.now_ms)

    def _error(self, message_id: str, status: int, body: bytes, next_ms: int | None) -> None:
        message = self.account.pending[message_id]
        self.account.log(message, "ACTIVE")
        told = {
            "responseStatus": status,
            "responseBody": base64.b64encode(body).decode(),
            "answerHeaders": {"Content-Type": ["text/plain"]},
            "error": "" if status else "no answer",
        }
        self.account.log(message, "ERROR", **told, **({"nextDeliveryTime": next_ms} if next_ms else {}))
        if next_ms:
            self.account.log(message, "RETRY", nextDeliveryTime=next_ms)

    def _fault(self, fault: Fault) -> None:
        with self.lock:
            self._faults.add(fault)

    def _answer(self, seen: Seen) -> Answer:
        fault = self._faults.take(seen)
        if fault is None:
            return self._face.answer(seen)
        return fault.strike(fault.instead or self._face.answer(seen))
