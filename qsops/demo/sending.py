"""What the sender of the workload says it posted."""

from __future__ import annotations

import json
from pathlib import Path

from qsops.demo.books import Sent
from qsops.errors import Corrupt

__all__ = ["read_sent"]


def read_sent(path: Path) -> Sent:
    """The sender's report.

    :raises Corrupt: it is none.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Sent(
            event_ids=frozenset(told["event_ids"]),
            poison=frozenset(told["poison"]),
            updates=int(told["updates"]),
            posts=int(told["posts"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{path} is no report of the sender: {error}") from error
