"""The service's database behind a port: outbox, claims, ledger, conversations. SQLite is its first adapter."""

from __future__ import annotations

from service.store.port import (
    Backlog,
    Effects,
    LedgerFilter,
    Outgoing,
    Parameters,
    Parked,
    Postponed,
    Queued,
    Row,
    Sent,
    Statement,
    Store,
    Unreadable,
    Verdict,
)
from service.store.sqlite import SqliteStore

__all__ = [
    "Backlog",
    "Effects",
    "LedgerFilter",
    "Outgoing",
    "Parameters",
    "Parked",
    "Postponed",
    "Queued",
    "Row",
    "Sent",
    "SqliteStore",
    "Statement",
    "Store",
    "Unreadable",
    "Verdict",
]
