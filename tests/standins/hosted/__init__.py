"""A stand-in for the hosted QStash, written from its public reference alone.

It shares no line with qsops, on purpose: our engine and our client could agree on a mistake, and this is the third
opinion. It keeps an account in memory, stands on a clock of its own that only a test moves, delivers only when told
to, and misbehaves on request: see :class:`HostedQStash`.
"""

from __future__ import annotations

from tests.standins.hosted.server import HostedQStash

__all__ = ["HostedQStash"]
