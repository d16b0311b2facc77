"""A destination's attempts as runs of equal outcomes: however many attempts there are, the runs are few."""

from __future__ import annotations

from typing import Any, Final

import ibis
import pandas as pd

from qsops.analysis import source

__all__ = ["READ", "judged", "runs"]

#: The message's own fault, unless it is one of the others.
_CLIENT_ERRORS: Final = (400, 499)
_FOR_NOW: Final = (408, 425, 429)
_ENDED: Final = ("delivered", "error", "failed")
#: What is judged by.
READ: Final = (
    *("url", "message_id", "attempt", "outcome", "started_ms", "ended_ms"),
    *("response_status", "error_fingerprint"),
)


def judged(attempts: Any) -> Any:
    """The attempts of a table whose end is known, with ``at_ms``, when they began, and ``down``.

    ``down`` is 1 where the destination failed, 0 where it answered: with success, or with a status that says that the
    message is at fault (4xx but 408, 425 and 429).
    """
    read = attempts.select(*READ)
    ended = read.filter(read.url.notnull() & read.ended_ms.notnull() & read.outcome.isin([*_ENDED]))
    status = ibis.coalesce(ended.response_status, 0)
    own_fault = status.between(*_CLIENT_ERRORS) & ~status.isin([*_FOR_NOW])
    return ended.mutate(
        at_ms=ibis.coalesce(ended.started_ms, ended.ended_ms),
        down=((ended.outcome != "delivered") & ~own_fault).ifelse(1, 0),
    )


def runs(attempts: Any) -> pd.DataFrame:
    """Runs of a table that is :func:`judged`: ``url, down, length, from_ms, to_ms``, by destination and time.

    Attempts are in the order in which they began; of those of one millisecond the answered ones come first.
    """
    narrow = attempts.select("url", "at_ms", "down")
    in_order = {"group_by": "url", "order_by": ["at_ms", "down"]}
    before = narrow.mutate(before=narrow.down.lag().over(ibis.window(**in_order)))
    changes = before.mutate(change=(before.before.isnull() | (before.before != before.down)).ifelse(1, 0))
    # By range and not by rows: each window orders attempts that tie in its own way, so these are numbered as one.
    so_far = ibis.window(range=(None, 0), **in_order)
    numbered = changes.mutate(run=changes.change.sum().over(so_far))
    found = numbered.group_by(["url", "run"]).agg(
        down=numbered.down.max(), length=ibis._.count(), from_ms=numbered.at_ms.min(), to_ms=numbered.at_ms.max()
    )
    return source.frame_of(found).sort_values(["url", "run"], ignore_index=True).drop(columns="run")
