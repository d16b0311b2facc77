"""Where deliveries may go: destinations are judged by the addresses that are connected to, not by their spelling."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from ipaddress import ip_address
from typing import Any, Final

from qsops.config.ranges import Network, forbidden_reason

__all__ = ["PlaceRefused", "Places"]

#: How long the addresses of a name are believed, and of how many names.
_BELIEVED_S: Final = 10.0
_NAMES_LIMIT: Final = 1_000
#: How many addresses of one name are tried.
_ADDRESSES_LIMIT: Final = 16

_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class PlaceRefused(OSError):
    """A destination that has no address, or none that may be called; its text is the outcome's error."""


class Places:
    """Names to addresses, and which of them may be called: public ones, and those in ``allowed``; None allows all.

    One look-up of a name serves all who wait for it, and those of the next ten seconds.
    """

    def __init__(self, allowed: tuple[Network, ...] | None = None) -> None:
        self._allowed = allowed
        self._look_ups: OrderedDict[str, tuple[float, asyncio.Task[list[str]]]] = OrderedDict()

    async def resolve(self, host: str) -> list[str]:
        """The addresses under which ``host`` may be called, as numbers, in the order in which they are to be tried.

        An address that stands for itself costs no look-up. Whatever ``host`` looks like (``0x7f.1``, ``2130706433``),
        what counts is what the system makes of it.

        :raises PlaceRefused: when it has no address, or none that may be called.
        """
        if _is_numeric(host):
            found = [host]
        else:
            found = await self._look_up(host)
        reasons = {address: self._reason(address) for address in found}
        if all(reasons.values()):
            address, reason = next(iter(reasons.items()))
            raise PlaceRefused(_refused(host, address, reason or ""))
        return [address for address in found if reasons[address] is None]

    def check(self, address: str, host: str | None = None) -> None:
        """Let pass an address that may be called; ``host`` is what it was found for.

        :raises PlaceRefused: for any other.
        """
        reason = self._reason(address)
        if reason is not None:
            raise PlaceRefused(_refused(host or address, address, reason))

    def socket(self, info: _AddressInfo) -> socket.socket:
        """A socket for aiohttp's connector, which hands over the very address that it will connect to.

        :raises PlaceRefused: for an address that may not be called.
        """
        family, kind, protocol, _, address = info
        self.check(address[0])
        return socket.socket(family, kind, protocol)

    def _reason(self, address: str) -> str | None:
        return None if self._allowed is None else forbidden_reason(ip_address(address), self._allowed)

    async def _look_up(self, host: str) -> list[str]:
        now_s = asyncio.get_running_loop().time()
        until_s, task = self._look_ups.get(host, (0.0, None))
        if task is None or (task.done() and (until_s < now_s or task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(_addresses(host))
            task.add_done_callback(_noticed)
            self._look_ups[host] = (now_s + _BELIEVED_S, task)
            self._look_ups.move_to_end(host)
            if len(self._look_ups) > _NAMES_LIMIT:
                self._look_ups.popitem(last=False)
        # Others may wait for the same name: whoever loses patience leaves alone.
        return await asyncio.shield(task)


async def _addresses(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        raise PlaceRefused(f"unable to resolve host: lookup {host[:200]}: {why}") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))[:_ADDRESSES_LIMIT]


def _noticed(task: asyncio.Task[list[str]]) -> None:
    """A look-up that fails when nobody waits any more is no fault of ours."""
    if not task.cancelled():
        task.exception()


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refused(host: str, address: str, reason: str) -> str:
    resolves = "" if host == address else f" resolves to {address},"
    return (
        f"destination refused: {host[:200]}{resolves or ' is'} {reason}; "
        f"the engine calls it once it is started with --allow-private {address}"
    )
