"""DATABASE_URL: which database it names."""

from __future__ import annotations

from typing import Final

from qsops.errors import SettingsError
from service.store.port import Store
from service.store.sqlite import SqliteStore

__all__ = ["open_store"]

_SQLITE: Final = "sqlite:///"


def open_store(url: str) -> Store:
    """The store at ``url``, which its first verb, or ``open``, connects to.

    :raises SettingsError: when it names no database that we know.
    """
    if url.startswith(_SQLITE):
        return SqliteStore(url.removeprefix(_SQLITE))
    raise SettingsError("DATABASE_URL must look like sqlite:///path/to/service.db")
