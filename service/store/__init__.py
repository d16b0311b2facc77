"""The service's database behind a port: outbox, claims, ledger, conversations; on SQLite, or on PostgreSQL."""

from __future__ import annotations

from service.store.port import Store
from service.store.sqlite import SqliteStore
from service.store.url import open_store
from service.store.values import (
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
    Unreadable,
    Verdict,
)

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
