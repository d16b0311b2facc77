"""The log pulled page by page, and the story of one message told from it."""

from __future__ import annotations

from qsops.trace.pulling import pull
from qsops.trace.timeline import Timeline, timeline

__all__ = ["Timeline", "pull", "timeline"]
