"""Which addresses are no part of the public internet, whatever form they come in.

Sources: IANA's registries of special-purpose addresses for IPv4 and IPv6; RFC 6052 (NAT64), RFC 3056 (6to4) and
RFC 5214 (ISATAP) for the forms of IPv6 that carry an address of IPv4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from qsops.errors import SettingsError

__all__ = ["EVERYTHING", "Address", "Network", "forbidden_reason", "is_private", "parse_networks"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The word for all networks in a setting that lists some.
EVERYTHING: Final = "all"

#: The first that holds an address names it.
_NOT_PUBLIC: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "the metadata service of a cloud"),
        ("fd00:ec2::254/128", "the metadata service of a cloud"),
        ("0.0.0.0/8", "this machine itself"),
        ("::/128", "this machine itself"),
        ("127.0.0.0/8", "a loopback address"),
        ("::1/128", "a loopback address"),
        ("10.0.0.0/8", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("fc00::/7", "a private address"),
        ("fec0::/10", "a private address"),
        ("64:ff9b:1::/48", "a private address"),
        ("100.64.0.0/10", "an address behind a carrier's NAT"),
        ("169.254.0.0/16", "a link-local address"),
        ("fe80::/10", "a link-local address"),
        ("224.0.0.0/4", "a multicast address"),
        ("ff00::/8", "a multicast address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "a reserved address"),
        ("192.88.99.0/24", "a reserved address"),
        ("198.18.0.0/15", "a reserved address"),
        ("198.51.100.0/24", "a reserved address"),
        ("203.0.113.0/24", "a reserved address"),
        ("240.0.0.0/4", "a reserved address"),
        ("2001:db8::/32", "a reserved address"),
        ("3fff::/20", "a reserved address"),
        ("2001::/23", "a reserved address"),  # Teredo, which carries addresses of IPv4, among others
    )
)
_UNICAST: Final = IPv6Network("2000::/3")

#: Where an address of IPv6 carries one of IPv4: the prefix, and how many bits follow that address.
_CARRIERS: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # translated
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("::/96"), 0),  # compatible, long deprecated
    (IPv6Network("2002::/16"), 80),  # 6to4
)
#: Carried in the open by relays that nobody runs any more (RFC 7526); newer Pythons call it private, too.
_SIX_TO_FOUR: Final = _CARRIERS[-1][0]
#: Of these, those that stand for the address of IPv4 and nothing else.
_STAND_INS: Final = tuple(prefix for prefix, _ in _CARRIERS[:3])
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
_LOW_32: Final = 0xFFFF_FFFF


def is_private(address: Address) -> bool:
    """Whether ``address`` is anything but a unicast address of the public internet."""
    return forbidden_reason(address) is not None


def forbidden_reason(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """What ``address`` is, if it is not public, e.g. "a private address"; None if it is, or is in ``allowed``.

    An address of IPv4 inside one of IPv6 counts as well, in ``allowed`` too: that is where a packet may end.
    """
    if _is_in(address, allowed):
        return None
    for network, reason in _NOT_PUBLIC:
        if address in network:
            return reason
    for inner in _embedded(address):
        inner_reason = forbidden_reason(inner, allowed)
        if inner_reason is not None:
            return inner_reason
    if address.version == 6 and (address in _SIX_TO_FOUR or not _is_in(address, (_UNICAST, *_STAND_INS))):
        return "a reserved address"
    return None


def parse_networks(name: str, texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of a setting, e.g. ``10.0.0.0/8``, one address, or ``all``.

    :raises SettingsError: naming the setting ``name`` and the text.
    """
    found: list[Network] = []
    for text in texts:
        try:
            found += map(ip_network, ("0.0.0.0/0", "::/0") if text == EVERYTHING else (text.strip(),))
        except ValueError as error:
            raise SettingsError(
                f"{name}: {text!r} is no network; write it like 10.0.0.0/8, or {EVERYTHING} ({error})"
            ) from error
    return tuple(found)


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _embedded(address: Address) -> list[IPv4Address]:
    """The addresses of IPv4 to which a tunnel or a translator may carry what is sent to ``address``."""
    if isinstance(address, IPv4Address):
        return []
    value = int(address)
    found = [value >> bits & _LOW_32 for prefix, bits in _CARRIERS if address in prefix]
    if value >> 32 & _LOW_32 in _ISATAP:
        found.append(value & _LOW_32)
    return [IPv4Address(one) for one in found]
