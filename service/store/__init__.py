"""The service's database behind a port: outbox, claims, ledger, conversations. SQLite is its first adapter."""

from __future__ import annotations

from service.store.port import (
    Backlog,
    Cause,
    Effects,
    FailureGroup,
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
from service.store.url import open_store

__all__ = [
    "Backlog",
    "Cause",
    "Effects",
    "FailureGroup",
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
    "open_store",
]
