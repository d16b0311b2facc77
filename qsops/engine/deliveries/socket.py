"""Deliveries over sockets: plain HTTP on connections of our own, TLS on aiohttp's."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import Places, refusal
from qsops.engine.deliveries.plain import PlainDeliveries
from qsops.engine.deliveries.port import CONNECT_TIMEOUT_S, Delivery
from qsops.engine.deliveries.tls import TlsDeliveries

__all__ = ["SocketDeliveries"]


class SocketDeliveries:
    """An async context manager that delivers over HTTP, to where ``places`` allows; without it to everywhere.

    ``connections`` bounds those that lie unused, and over TLS all that are open.
    """

    def __init__(self, connections: int, places: Places | None = None) -> None:
        self._connections = connections
        self._places = places or Places()
        self._plain = PlainDeliveries(connections, self._places)
        self._tls: TlsDeliveries | None = None

    async def __aenter__(self) -> Self:
        self._tls = TlsDeliveries(self._connections, self._places)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._plain.close()
        if self._tls is not None:
            await self._tls.aclose()

    async def __call__(self, delivery: Delivery) -> Outcome:
        assert self._tls is not None, "enter the context first"
        try:
            return await (self._tls if delivery.url[:6].lower() == "https:" else self._plain)(delivery)
        except aiohttp.ServerTimeoutError:
            return Outcome(error=f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            refused = refusal(error)
            return Outcome(error=str(refused) if refused else f"{type(error).__name__}: {error}")
