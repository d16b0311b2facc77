"""How the hosted service says no: each status and text as the reference has it."""

from __future__ import annotations

from tests.standins.loopback import Answer

__all__ = [
    "BAD_DEDUPLICATION_ID",
    "BAD_SCHEME",
    "BAD_TOKEN",
    "LOOPBACK_DESTINATION",
    "READ_ONLY",
    "Refusal",
    "not_found",
    "quota_exceeded",
]

BAD_TOKEN = "unable to authenticate: invalid token"
BAD_DEDUPLICATION_ID = "DeduplicationId cannot contain ':'"
BAD_SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"
LOOPBACK_DESTINATION = "invalid destination url: endpoint resolves to a loopback address: 127.0.0.1"
# The text of a refused write is not documented, and nothing may depend on it.
READ_ONLY = "the token is read-only"


class Refusal(Exception):
    """An answer other than success; ``headers`` carry the rate limits of a 429."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}

    def answer(self) -> Answer:
        return Answer(self.status, {"error": self.text}, self.headers)


def quota_exceeded(name: str, limit: int) -> str:
    """E.g. ``quota maxDelay exceeded, current limit: 604800``."""
    return f"quota {name} exceeded, current limit: {limit}"


def not_found(noun: str, name: str) -> Refusal:
    """404; its precise text is not documented."""
    return Refusal(404, f"{noun} {name} not found")
