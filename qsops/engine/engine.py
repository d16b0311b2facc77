"""The engine at rest: its database, clock, ids, accounts and plan, as every room is handed them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from qsops.clock import Clock, Ids
from qsops.config.ranges import Network
from qsops.config.vendor import REGION_HOSTS
from qsops.engine.accounts import Accounts
from qsops.engine.core.recall import recall_all
from qsops.engine.core.rows import newest_id
from qsops.engine.faults.running import Faults
from qsops.engine.plans import Plan, plan_named
from qsops.errors import SettingsError
from qsops.sqlite import Database, Kind, migrations_in

__all__ = ["NOBODY", "REGIONS", "Engine", "open_engine"]

REGIONS: Final = tuple(sorted(set(REGION_HOSTS.values())))

#: No account: whose a call is that has had its answer, which is not on disk yet.
NOBODY: Final = 0

_MIGRATIONS: Final = "qsops.engine.migrations"
_KIND: Final = Kind("qsops engine", int.from_bytes(b"qsoe"), "accounts")


@dataclass(frozen=True, slots=True)
class Engine:
    """What the rooms share. ``wake`` tells the driver that something may have become due.

    ``burst_limit`` is of requests in a second, ``daily_limit`` of messages in a day, each of one account; None is off.
    ``region`` is told to destinations, e.g. ``EU-CENTRAL-1``. ``reachable`` are the networks beside the public internet
    that deliveries may go to; None is all of them.
    """

    database: Database
    clock: Clock
    ids: Ids
    accounts: Accounts
    plan: Plan
    wake: Callable[[], None]
    faults: Faults
    region: str | None = None
    burst_limit: int | None = None
    daily_limit: int | None = None
    reachable: tuple[Network, ...] | None = None
    #: The messages that are under way, with the account whose call it is; NOBODY's once the answer is there.
    in_flight: dict[int, int] = field(default_factory=dict)


def open_engine(
    path: str | Path,
    *,
    clock: Clock,
    ids: Ids,
    quota: str,
    wake: Callable[[], None],
    faults: Faults | None = None,
    own_token: str | None = None,
    read_only_token: str | None = None,
    dev_users: bool = True,
    region: str | None = None,
    burst_limit: int | None = None,
    daily_limit: int | None = None,
    reachable: tuple[Network, ...] | None = None,
) -> Engine:
    """Open or make the database at ``path`` (``:memory:`` works) and enrol the accounts.

    :raises SettingsError: when there is no plan ``quota``, no ``region``, or the file cannot be opened.
    :raises Corrupt: when the file is no database of the engine, or a newer version wrote it.
    """
    plan, told = plan_named(quota), _told(region)
    try:
        database = Database(path, migrations_in(_MIGRATIONS), _KIND)
    except sqlite3.OperationalError as error:
        raise SettingsError(f"db: {path} cannot be opened ({error}); mend its disk, or name another file") from error
    try:
        accounts = database.write(
            lambda connection: Accounts.enrolled(connection, ids, own_token, read_only_token, dev_users=dev_users)
        )
        newest = database.read(newest_id)
        if newest is not None:
            ids.go_on_after(newest)
        database.write(lambda connection: recall_all(connection, clock.now_ms()))
    except BaseException:
        database.close()
        raise
    return Engine(
        database,
        clock,
        ids,
        accounts,
        plan,
        wake,
        Faults(clock) if faults is None else faults,
        region=told,
        burst_limit=burst_limit,
        daily_limit=daily_limit,
        reachable=reachable,
    )


def _told(region: str | None) -> str | None:
    """``region`` as destinations are told: variables are named with underscores, the header with hyphens."""
    if region is None:
        return None
    name = region.upper().replace("-", "_")
    if name not in REGIONS:
        raise SettingsError(f"region: there is no {region!r}; name one of {', '.join(REGIONS)}")
    return name.replace("_", "-")
