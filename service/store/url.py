"""DATABASE_URL: which database it names."""

from __future__ import annotations

from typing import Final

from qsops.errors import SettingsError
from service.store.port import Store
from service.store.sqlite import SqliteStore

__all__ = ["open_store"]

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


def open_store(url: str) -> Store:
    """The store at ``url``, which its first verb, or ``open``, connects to.

    :raises SettingsError: when it names no database that we know, or its driver is missing.
    """
    if url.startswith(_SQLITE):
        return SqliteStore(url.removeprefix(_SQLITE))
    if url.startswith(_POSTGRES):
        return _postgres(url)
    raise SettingsError("DATABASE_URL must look like sqlite:///path/to/service.db or postgresql://user:…@host/database")


def _postgres(url: str) -> Store:
    try:
        # Who stays with SQLite needs no driver.
        from service.store.postgres import PostgresStore
    except ImportError as error:
        raise SettingsError(
            f"DATABASE_URL names PostgreSQL, whose driver is missing: pip install 'qsops[service,postgres]' ({error})"
        ) from error
    return PostgresStore(url)
