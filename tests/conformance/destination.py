"""Where the SDKs publish to: a server on loopback whose path says how it answers."""

from __future__ import annotations

import itertools

from tests.standins.loopback import Answer, Gate, LoopbackServer, Seen

__all__ = ["Destination"]

_NON_RETRYABLE = {"Upstash-NonRetryable-Error": "true"}


class Destination(LoopbackServer):
    """``/ok/…`` is answered 200, ``/down/…`` 500, ``/poison/…`` 489 that forbids another try."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self._made = itertools.count(1)
        self._held: dict[str, Gate] = {}

    def hook(self, kind: str = "ok", rest: str = "") -> str:
        """A URL that no other test uses."""
        return f"{self.url}/{kind}/{next(self._made)}{rest}"

    def hold(self, url: str) -> Gate:
        """Let what arrives at ``url`` wait for its answer until the gate is opened."""
        gate = self._held[self._target(url)] = Gate()
        return gate

    def arrivals(self, url: str, count: int = 1) -> list[Seen]:
        """What arrived at ``url``, once there are ``count``."""
        return self.wait_for(count, matching=lambda seen: seen.target == self._target(url))

    def order(self, *urls: str) -> list[str]:
        """Which of ``urls`` was called when, up to now."""
        known = {self._target(url): url for url in urls}
        return [known[seen.target] for seen in self.seen if seen.target in known]

    def _target(self, url: str) -> str:
        return url.removeprefix(self.url)

    def _answer(self, seen: Seen) -> Answer:
        if seen.path.startswith("/down/"):
            return Answer(500, body=b"it is down")
        if seen.path.startswith("/poison/"):
            return Answer(489, body=b"never again", headers=_NON_RETRYABLE)
        return Answer(200, {"received": True}, gate=self._held.get(seen.target))
