"""The log pulled page by page, and the story of one message told from it."""

from __future__ import annotations

from qsops.trace.heads import pull_with_heads
from qsops.trace.pulling import pull, pull_tables
from qsops.trace.timeline import LedgerReader, Timeline, timeline

__all__ = ["LedgerReader", "Timeline", "pull", "pull_tables", "pull_with_heads", "timeline"]
