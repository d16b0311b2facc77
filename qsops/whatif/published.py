"""The policy of the record, read from its log."""

from __future__ import annotations

from collections import Counter
from typing import Any

from qsops.errors import SettingsError
from qsops.whatif.columns import read_policies
from qsops.whatif.policy import RETRIES_LIMIT, Policy

__all__ = ["published_policy"]


def published_policy(logs: Any) -> Policy | None:
    """The policy that most messages of a log were published with: retries and expression, as far as it tells.

    ``logs`` is a frame or an Ibis table of :data:`qsops.frames.LOGS`. None where no message tells how often it is
    retried, or where its expression is one that we cannot read.
    """
    found = read_policies(logs)
    found = found[found["max_retries"].notna()]
    if found.empty:
        return None
    pairs = zip(found["max_retries"].astype(int), found["retry_delay_expression"].fillna(""), strict=True)
    (retries, delay), _ = Counter(pairs).most_common(1)[0]
    try:
        return Policy(min(retries, RETRIES_LIMIT), delay or None)
    except SettingsError:
        return None
