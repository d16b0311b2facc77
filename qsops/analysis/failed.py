"""Attempts that failed, and whether a retry saved their message: what failures, their groups and outages start from."""

from __future__ import annotations

from typing import Any, Final

import ibis

__all__ = ["FAILED", "SAVED", "failed_attempts"]

#: Outcomes of attempts that failed: one that was not the last word, and the one that was.
FAILED: Final = ("error", "failed")
#: 1 where a retry delivered the message of the attempt, else 0.
SAVED: Final = "saved"


def failed_attempts(attempts: Any) -> Any:
    """The failed ones of a table of attempts, with the column :data:`SAVED`; ``response_status`` is 0 for no answer.

    A message is saved if an attempt that was not its first delivered it. One whose number is not known, because the
    message began before the range, is taken for such.
    """
    # First attempts deliver nearly all, and none of these needs to be looked at again.
    retried = attempts.filter((attempts.outcome == "delivered") & (attempts.attempt.isnull() | (attempts.attempt > 1)))
    saved = retried.select(saved_id=retried.message_id).distinct()
    failed = attempts.filter(attempts.outcome.isin(FAILED))
    joined = failed.left_join(saved, failed.message_id == saved.saved_id)
    return joined.mutate(
        response_status=ibis.coalesce(joined.response_status, 0),
        **{SAVED: joined.saved_id.notnull().ifelse(1, 0)},
    )
