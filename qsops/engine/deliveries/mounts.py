"""Destinations inside this process, by the beginning of their URL."""

from __future__ import annotations

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import Deliver, Delivery

__all__ = ["Mounts"]


class Mounts:
    """Hands a delivery to what is mounted at the longest prefix of its URL."""

    def __init__(self) -> None:
        self._by_prefix: dict[str, Deliver] = {}

    def add(self, prefix: str, deliver: Deliver) -> None:
        """From now on ``deliver`` gets what goes to ``prefix`` or below; it takes the place of an earlier one."""
        self._by_prefix[prefix.rstrip("/")] = deliver

    async def __call__(self, delivery: Delivery) -> Outcome:
        found = [prefix for prefix in self._by_prefix if _is_below(delivery.url, prefix)]
        if not found:
            # Reads like a refused connection, which is what it stands for.
            return Outcome(error=f"connection refused: nothing is mounted at {delivery.url}")
        return await self._by_prefix[max(found, key=len)](delivery)


def _is_below(url: str, prefix: str) -> bool:
    return url.startswith(prefix) and url[len(prefix) : len(prefix) + 1] in ("", "/", "?")
