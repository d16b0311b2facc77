"""Where the SDKs publish to: a server on loopback whose path says how it answers."""

from __future__ import annotations

import itertools

from tests.standins.loopback import Answer, LoopbackServer, Seen

__all__ = ["Destination"]

_NON_RETRYABLE = {"Upstash-NonRetryable-Error": "true"}


class Destination(LoopbackServer):
    """``/ok/…`` is answered 200, ``/down/…`` 500, ``/poison/…`` 489 that forbids another try."""

    def __init__(self) -> None:
        super().__init__(_answer)
        self._made = itertools.count(1)

    def hook(self, kind: str = "ok", rest: str = "") -> str:
        """A URL that no other test uses."""
        return f"{self.url}/{kind}/{next(self._made)}{rest}"

    def arrivals(self, url: str, count: int = 1) -> list[Seen]:
        """What arrived at ``url``, once there are ``count``."""
        target = url.removeprefix(self.url)
        return self.wait_for(count, matching=lambda seen: seen.target == target)


def _answer(seen: Seen) -> Answer:
    if seen.path.startswith("/down/"):
        return Answer(500, body=b"it is down")
    if seen.path.startswith("/poison/"):
        return Answer(489, body=b"never again", headers=_NON_RETRYABLE)
    return Answer(200, {"received": True})
