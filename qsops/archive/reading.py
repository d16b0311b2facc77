"""The tables as Ibis tables, pinned: what is committed later does not show in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qsops.archive.layout import Layout
from qsops.archive.state import State, load
from qsops.archive.store import Snapshot, Store
from qsops.compute import Choice, choice, duckdb_connection, open_files
from qsops.errors import Corrupt, SettingsError

__all__ = ["committed", "table"]


def committed(store: Store) -> State:
    """The latest state of an archive.

    :raises SettingsError: there is none, or nothing was ever committed to it.
    """
    state = load(store)
    if state.commit is None:
        raise SettingsError(f"there is no archive at {store.root}: qsops archive sync --dir {store.root}")
    return state


def table(store: Store, state: State, layout: Layout, chosen: Choice | None = None) -> Any:
    """One table of ``state`` as an Ibis table, in the engine that the settings name unless it is ``chosen``.

    :raises Corrupt: one of its files is gone.
    """
    snapshot = state.tables.get(layout.name) or Snapshot(layout.name, 0, ())
    engine = choice() if chosen is None else chosen
    if "://" not in store.root:
        _check(snapshot)
        return open_files(snapshot.uris, layout.schema, engine)
    if engine.engine == "spark":
        return open_files([uri.replace("s3://", "s3a://", 1) for uri in snapshot.uris], layout.schema, engine)
    return _registered(store, snapshot)


def _check(snapshot: Snapshot) -> None:
    """An engine would tell of it in its own words, and only when it is asked."""
    for uri in snapshot.uris:
        if not Path(uri).exists():
            raise Corrupt(
                f"{uri} is gone, which the archive's table {snapshot.table!r} needs: restore it from a backup"
            )


def _registered(store: Store, snapshot: Snapshot) -> Any:
    """DuckDB would have to download an extension to read S3 by itself; it asks Arrow, with columns and filters."""
    import ibis

    connection, name = duckdb_connection(), ibis.util.gen_name(snapshot.table)
    connection.con.register(name, store.dataset(snapshot))
    return connection.table(name)
