"""The server: how connections to it are made, and when it is asked again after it was away."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.conninfo import conninfo_to_dict

from qsops.errors import SettingsError
from service.errors import StoreUnavailable
from service.store.postgres.faults import told

__all__ = ["Connection", "Server"]

Connection = AsyncConnection[tuple[Any, ...]]

CONNECT_WITHIN_S: Final = 5.0
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0
_PREPARED_AFTER: Final = 2
#: A server that is gone without a word is noticed after some ten seconds.
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Server:
    """Where ``url`` leads.

    :raises SettingsError: when it is no address of a PostgreSQL; the message does not quote it.
    """

    def __init__(self, url: str) -> None:
        try:
            named = conninfo_to_dict(url)
        except psycopg.Error:
            raise SettingsError("DATABASE_URL must look like postgresql://user:password@host:5432/database") from None
        host, port = named.get("host", "localhost"), named.get("port", 5432)
        #: For people: without user and password.
        self.name = f"{host}:{port}/{named.get('dbname', named.get('user', ''))}"
        #: Whether statements are prepared: some poolers cannot keep those of one client from another's.
        self.prepares = True
        self._url = url
        self._failures = 0
        self._not_before_s = 0.0

    async def connect(self) -> Connection:
        """A new connection.

        :raises StoreUnavailable: when there is none to be had, or there was none a moment ago.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s:
            raise StoreUnavailable(f"the database {self.name} is away: it was not to be had a moment ago")
        try:
            async with told(self.name, CONNECT_WITHIN_S):
                connection = await self._connect()
        except StoreUnavailable:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
            self._failures += 1
            self._not_before_s = asyncio.get_running_loop().time() + wait_s
            raise
        self._failures = 0
        return connection

    async def look_for_pooler(self, connection: Connection) -> None:
        """Find out whether ``connection`` ends at the server: a pooler tells of a process that the server has not."""
        found = await connection.execute("select pg_backend_pid()")
        if await found.fetchone() != (connection.info.backend_pid,):
            self.prepares = False
            connection.prepare_threshold = None

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(
            self._url,
            autocommit=True,
            cursor_factory=AsyncRawCursor,
            fallback_application_name="qsops",
            connect_timeout=int(CONNECT_WITHIN_S),
            prepare_threshold=_PREPARED_AFTER if self.prepares else None,
            **_KEEPALIVE,
        )
