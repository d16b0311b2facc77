"""The schema: one SQL file a step, and a table that says how many were taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg.errors import DuplicateTable

from qsops.errors import Corrupt
from service.store.postgres.server import Connection

__all__ = ["migrate"]

#: Whoever holds it migrates, and others wait: "qsop" as a number.
LOCK: Final = 0x71736F70
#: A step may take its time with a large table.
WITHIN_MS: Final = 600_000


async def migrate(connection: Connection, migrations: Sequence[str], where: str) -> None:
    """Bring the database to the newest of ``migrations``, all steps in one transaction.

    :raises Corrupt: when a newer version wrote it, or it holds somebody else's tables; it is left as it was.
    """
    async with connection.transaction():
        await connection.execute(f"set local statement_timeout = {WITHIN_MS}; set local lock_timeout = {WITHIN_MS}")
        await connection.execute(f"select pg_advisory_xact_lock({LOCK})")
        await connection.execute("create table if not exists qsops_schema (version integer not null)")
        found = await connection.execute("select coalesce(max(version), 0) from qsops_schema")
        (version,) = await found.fetchone() or (0,)
        if version > len(migrations):
            raise Corrupt(
                f"{where} has schema version {version}, this qsops knows up to {len(migrations)}: "
                "start the newer version that wrote it, or name another database"
            )
        try:
            for step in migrations[version:]:
                await connection.execute(step)
        except DuplicateTable as error:
            raise Corrupt(f"{where} holds other tables of our names: give the service a database of its own") from error
        if version < len(migrations):
            await connection.execute("delete from qsops_schema")
            await connection.execute(f"insert into qsops_schema values ({len(migrations)})")
