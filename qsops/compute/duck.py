"""The DuckDB of this process: one in memory for each thread, opened once."""

from __future__ import annotations

import threading
from typing import Any, Final

__all__ = ["duckdb_connection"]

_SETTINGS: Final = {
    # Nothing is fetched, whatever a query names.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # Results are sorted by whoever asks; to keep an order would cost memory.
    "preserve_insertion_order": False,
}


class _OfThread(threading.local):
    connection: Any = None


_held = _OfThread()


def duckdb_connection() -> Any:
    """Ibis' connection to it. A connection serves one thread at a time, hence one each."""
    if _held.connection is None:
        import ibis

        connection = ibis.duckdb.connect(**_SETTINGS)
        # A bar would stand in notebooks, where their outputs are compared.
        connection.con.execute("set enable_progress_bar = false")
        _held.connection = connection
    return _held.connection
