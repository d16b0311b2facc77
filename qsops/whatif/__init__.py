"""What another policy would have made of the past: histories that the record leaves possible, run under it."""

from __future__ import annotations

from qsops.whatif.policy import Policy
from qsops.whatif.published import published_otherwise, published_policy
from qsops.whatif.result import Result, whatif
from qsops.whatif.simulation import Histories
from qsops.whatif.suggest import Suggestion, suggest

__all__ = [
    "Histories",
    "Policy",
    "Result",
    "Suggestion",
    "published_otherwise",
    "published_policy",
    "suggest",
    "whatif",
]
