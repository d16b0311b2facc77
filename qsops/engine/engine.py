"""The engine at rest: its database, clock, ids, accounts and plan, as every room is handed them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qsops.clock import Clock, Ids
from qsops.engine.accounts import Accounts
from qsops.engine.plans import Plan, plan_named
from qsops.sqlite import Database, migrations_in

__all__ = ["Engine", "open_engine"]

_MIGRATIONS: Final = "qsops.engine.migrations"


@dataclass(frozen=True, slots=True)
class Engine:
    """What the rooms share. ``wake`` tells the driver that something may have become due."""

    database: Database
    clock: Clock
    ids: Ids
    accounts: Accounts
    plan: Plan
    wake: Callable[[], None]


def open_engine(
    path: str | Path, *, clock: Clock, ids: Ids, quota: str, wake: Callable[[], None], own_token: str | None = None
) -> Engine:
    """Open or make the database at ``path`` (``:memory:`` works) and enrol the accounts.

    :raises SettingsError: when there is no plan ``quota``.
    :raises Corrupt: when the file is no database of the engine, or a newer version wrote it.
    """
    plan = plan_named(quota)
    database = Database(path, migrations_in(_MIGRATIONS))
    try:
        accounts = database.write(lambda connection: Accounts.enrolled(connection, ids, own_token))
    except BaseException:
        database.close()
        raise
    return Engine(database, clock, ids, accounts, plan, wake)
