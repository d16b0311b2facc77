"""Frames to small frames: each verb is a pure function with its definition in its docstring.

The same on every machine: sorted, and rounded where numbers come from a division.
"""

from __future__ import annotations

from qsops.analysis.backlog import backlog
from qsops.analysis.compare import compare, created, split_at
from qsops.analysis.cost import cost, cost_shares
from qsops.analysis.duplicates import duplicates
from qsops.analysis.failure_groups import failure_groups
from qsops.analysis.failures import failures
from qsops.analysis.latency import latency
from qsops.analysis.outages import outages
from qsops.analysis.outcomes import outcomes
from qsops.analysis.retry_ladder import retry_ladder
from qsops.analysis.usage import day_began, usage

__all__ = [
    "backlog",
    "compare",
    "cost",
    "cost_shares",
    "created",
    "day_began",
    "duplicates",
    "failure_groups",
    "failures",
    "latency",
    "outages",
    "outcomes",
    "retry_ladder",
    "split_at",
    "usage",
]
