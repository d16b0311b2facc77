"""What a contender prints, and how a rate is taken."""

from __future__ import annotations

import json

from bench.engine.receiver import Arrivals

__all__ = ["rate", "tell"]


def rate(count: int, started_s: float, arrivals: Arrivals) -> tuple[float, str]:
    """Messages per second until the last of ``count`` arrived; the note tells of those that came more than once."""
    more = arrivals.total - arrivals.distinct
    return count / (arrivals.at_s - started_s), f", {more} arrived more than once" if more else ""


def tell(figure: float, note: str = "") -> None:
    """Print the figure for the frame."""
    print(json.dumps({"figure": figure, "note": note}), flush=True)
