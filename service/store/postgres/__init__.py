"""The store on PostgreSQL, for services that are several processes."""

from __future__ import annotations

from service.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
