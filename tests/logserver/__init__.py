"""A service that lists a log of millions of entries, as QStash does on a bad day, and knows what it listed.

It is written from the public reference alone: its pages, cursors, filters and limits share no line with ``qsops.wire``.
The entries are those of :mod:`bench.planted`, so that their truth is known. See :class:`LogServer`.
"""

from __future__ import annotations

from tests.logserver.faults import Faults
from tests.logserver.log import Log, written
from tests.logserver.server import TOKEN, LogServer, Settings

__all__ = ["TOKEN", "Faults", "Log", "LogServer", "Settings", "written"]
