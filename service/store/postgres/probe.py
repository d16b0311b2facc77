"""Whether the server can be written, asked without writing a row: readiness is asked for every few seconds."""

from __future__ import annotations

from typing import Final

import psycopg

from service.errors import StoreUnavailable
from service.store.postgres.server import Connection
from service.store.postgres.transaction import transaction

__all__ = ["probe"]

#: Rows that do not fit into the memory below spill into a file on the database's own disk: some 200 kB, gone at once.
_ROOM: Final = """
select current_setting('transaction_read_only'), (select count(*) from generate_series(1, 8192))
"""
_LITTLE_MEMORY: Final = "select set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true)"


async def probe(connection: Connection, name: str) -> None:
    """Return if it is no standby and not read-only, and if its disk has room.

    :raises StoreUnavailable: when it is.
    :raises psycopg.Error: of a disk without room.
    """
    try:
        async with transaction(connection):
            await connection.execute(_LITTLE_MEMORY)
            found = await (await connection.execute(_ROOM)).fetchone()
    except psycopg.errors.ConfigurationLimitExceeded:
        return  # temp_file_limit allows no such file, so nothing can be said of the disk
    if found is None or found[0] != "off":
        raise StoreUnavailable(f"the database {name} is read-only")
