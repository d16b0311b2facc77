"""The policy of the record, read from its log."""

from __future__ import annotations

from typing import Any

from qsops.errors import SettingsError
from qsops.whatif.columns import read_policies
from qsops.whatif.policy import RETRIES_LIMIT, Policy

__all__ = ["published_otherwise", "published_policy"]


def published_policy(logs: Any) -> Policy | None:
    """The policy that most messages of a log were published with: retries and expression, as far as it tells.

    ``logs`` is a frame or an Ibis table of :data:`qsops.frames.LOGS`. None where no message tells how often it is
    retried, or where its expression is one that we cannot read.
    """
    found = read_policies(logs)
    found = found[found["max_retries"].notna()]
    if found.empty:
        return None
    found = found.sort_values(["messages", "max_retries", "retry_delay_expression"], ignore_index=True)
    most = found.iloc[-1]
    delay = most["retry_delay_expression"]
    try:
        return Policy(min(int(most["max_retries"]), RETRIES_LIMIT), delay if isinstance(delay, str) and delay else None)
    except SettingsError:
        return None


def published_otherwise(logs: Any, policy: Policy) -> int:
    """How many messages of a log say that they were published with other retries or waits than ``policy``."""
    found = read_policies(logs)
    found = found[found["max_retries"].notna()]
    alike = (found["max_retries"].clip(upper=RETRIES_LIMIT) == policy.retries) & (
        found["retry_delay_expression"].fillna("") == (policy.retry_delay or "")
    )
    return int(found.loc[~alike, "messages"].sum())
