"""publish_many for a session: where the journal lies, and the frame of outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsops import config
from qsops.publish import Journal, Key, Outcome, count_rows, keyed, publish_many, read_rows
from qsops.session.progress import reporting
from qsops.session.wiring import Wiring

if TYPE_CHECKING:  # pandas takes a third of a second to load, which publishing does without.
    import pandas as pd

__all__ = ["publish_rows"]


def publish_rows(
    wiring: Wiring,
    rows: Any,
    key: Key,
    fixed: Mapping[str, Any],
    journal: str | Path | None,
    *,
    resend_unknown: bool,
    progress: bool | None,
) -> pd.DataFrame:
    """Publish what :func:`qsops.publish.read_rows` reads, under the session's journal: one row an outcome."""
    client = wiring.client("publish_many")
    scope = _scope(fixed)
    messages = keyed(read_rows(rows), key, fixed, scope)
    path = _journal_path(wiring, scope) if journal is None else Path(journal)
    with Journal(path, target=_account(wiring), scope=scope) as memory:
        outcomes = reporting(
            wiring,
            "publish_many",
            lambda report: publish_many(
                client,
                messages,
                memory,
                clock=wiring.clock,
                report=report,
                resend_unknown=resend_unknown,
            ),
            count_rows(rows),
            progress,
        )
    wiring.published.update(
        outcome.message_id for outcome in outcomes if outcome.message_id and not outcome.deduplicated
    )
    return _frame(outcomes)


def _scope(fixed: Mapping[str, Any]) -> str:
    """Within what a key names one message: the destination that all rows share, and their queue."""
    destination = fixed.get("url") or fixed.get("group") or "each row's own"
    return f"{destination} {fixed['queue']}" if "queue" in fixed else str(destination)


def _account(wiring: Wiring) -> str:
    """Whose messages they are: what one region or engine has taken says nothing of another."""
    return f"{wiring.target.name} at {wiring.target.url}"


def _journal_path(wiring: Wiring, scope: str) -> Path | None:
    if wiring.engine is not None:
        return None
    digest = hashlib.sha256(f"{_account(wiring)} {scope}".encode()).hexdigest()[:12]
    return config.state_dir(wiring.root) / "publish" / f"{wiring.target.name}-{digest}.jsonl"


def _frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    import pandas as pd

    columns = {
        "key": pd.array([outcome.key for outcome in outcomes], dtype="str"),
        "message_id": pd.array([outcome.message_id for outcome in outcomes], dtype="str"),
        "deduplicated": pd.array([outcome.deduplicated for outcome in outcomes], dtype="bool"),
        "error": pd.array([outcome.error for outcome in outcomes], dtype="str"),
    }
    return pd.DataFrame(columns)
