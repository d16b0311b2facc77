"""Deliveries over sockets: plain HTTP on connections of our own, TLS on aiohttp's."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import PlaceRefused, Places
from qsops.engine.deliveries.plain import PlainDeliveries
from qsops.engine.deliveries.port import Delivery

if TYPE_CHECKING:  # see _over_tls
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
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._plain.close()
        if self._tls is not None:
            await self._tls.aclose()

    async def __call__(self, delivery: Delivery) -> Outcome:
        if delivery.url[:6].lower() == "https:":
            return await self._over_tls()(delivery)
        try:
            return await self._plain(delivery)
        except PlaceRefused as error:
            return Outcome(error=str(error))
        except (OSError, ValueError) as error:
            return Outcome(error=f"{type(error).__name__}: {error}")

    def _over_tls(self) -> TlsDeliveries:
        if self._tls is None:
            # aiohttp takes longer to import than all the rest of the engine, and on a laptop it is rarely needed.
            from qsops.engine.deliveries.tls import TlsDeliveries

            self._tls = TlsDeliveries(self._connections, self._places)
        return self._tls
