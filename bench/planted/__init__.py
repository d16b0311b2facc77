"""Logs of many messages with planted outages, failures and doubles, whose truth is known: what analyses are held to."""

from __future__ import annotations

from bench.planted.lives import Lives, live
from bench.planted.plan import Cause, Outage, Plan, plan
from bench.planted.rows import log_table

__all__ = ["Cause", "Lives", "Outage", "Plan", "live", "log_table", "plan"]
