"""The limits of a plan: requests a second, messages a day, and the quotas of single options."""

from __future__ import annotations

from dataclasses import dataclass

from tests.standins.hosted.options import Asked
from tests.standins.hosted.refusals import Refusal, quota_exceeded

__all__ = ["Limits"]

_DAY_MS = 86_400_000


@dataclass(slots=True)
class Limits:
    """None means: no such limit. A test sets what it wants to run into.

    ``quota_status``: the texts of maxDelay and maxRetries were seen on the live service, their status was not
    recorded; clients have to stand 412 and 400.
    """

    requests_per_s: int | None = None
    messages_per_day: int | None = None
    max_delay_s: int | None = None
    max_retries: int | None = None
    quota_status: int = 412
    _window_s: int = -1
    _in_window: int = 0
    _day: int = -1
    _today: int = 0

    def count_request(self, now_ms: int) -> dict[str, str]:
        """Count one request of an endpoint with a per-second limit: the headers to answer with, or Refusal(429)."""
        if self.requests_per_s is None:
            return {}
        if now_ms // 1000 != self._window_s:
            self._window_s, self._in_window = now_ms // 1000, 0
        self._in_window += 1
        headers = {
            "Burst-RateLimit-Limit": str(self.requests_per_s),
            "Burst-RateLimit-Remaining": str(max(0, self.requests_per_s - self._in_window)),
            "Burst-RateLimit-Reset": str(self._window_s + 1),
        }
        if self._in_window > self.requests_per_s:
            raise Refusal(429, "rate limit exceeded", headers)
        return headers

    def count_messages(self, count: int, now_ms: int) -> None:
        """Count messages against the day, which ends at midnight UTC; Refusal(429) if there are too many."""
        if self.messages_per_day is None:
            return
        if now_ms // _DAY_MS != self._day:
            self._day, self._today = now_ms // _DAY_MS, 0
        if self._today + count > self.messages_per_day:
            raise self.daily_refusal(self.messages_per_day, now_ms)
        self._today += count

    @staticmethod
    def daily_refusal(limit: int, now_ms: int) -> Refusal:
        """429 as the daily quota gives it."""
        midnight_s = (now_ms // _DAY_MS + 1) * _DAY_MS // 1000
        headers = {"RateLimit-Limit": str(limit), "RateLimit-Remaining": "0", "RateLimit-Reset": str(midnight_s)}
        return Refusal(429, "daily message limit exceeded", headers)

    def check(self, asked: Asked, now_ms: int) -> None:
        """Refuse options over the plan's quotas."""
        delay_s = asked.delay_s if asked.not_before_s is None else asked.not_before_s - now_ms // 1000
        if self.max_delay_s is not None and delay_s > self.max_delay_s:
            raise Refusal(self.quota_status, quota_exceeded("maxDelay", self.max_delay_s))
        if self.max_retries is not None and asked.fields["maxRetries"] > self.max_retries:
            raise Refusal(self.quota_status, quota_exceeded("maxRetries", self.max_retries))
