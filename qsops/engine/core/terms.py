"""On what terms the engine takes in messages of its own accord: what a schedule makes, what a deadline sets off."""

from __future__ import annotations

from dataclasses import dataclass

from qsops.clock import Ids
from qsops.engine.plans import Plan

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The plan that holds, what makes their ids, and how many messages an account may send a day; None is no limit."""

    plan: Plan
    ids: Ids
    daily_limit: int | None = None
