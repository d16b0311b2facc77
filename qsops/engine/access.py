"""Who may speak to a served engine, under which names, and where it delivers to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from qsops.config.addresses import secret
from qsops.config.dev_users import DEV_USERS
from qsops.config.ranges import Network, parse_networks
from qsops.errors import SettingsError

__all__ = ["LOCAL", "TOKEN_LEAST", "TOKEN_VARIABLE", "Access"]

#: Where the command finds its tokens, so that no list of processes shows them.
TOKEN_VARIABLE: Final = "QSOPS_ENGINE_TOKEN"
#: How many characters a token has that is all that stands between the engine and the network.
TOKEN_LEAST: Final = 16

_NAME_LIMIT: Final = 253
#: Labels as DNS has them, and with the underscores that names within a network of containers may have.
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def _check_token(name: str, token: str | None) -> None:
    if token is None:
        return
    if not secret(name, token):
        raise SettingsError(f"{name} is empty: name a token, or leave it out")
    if token in {user.token for user in DEV_USERS}:
        raise SettingsError(f"{name} is one of the vendor's public development users': choose another")


def _check_host(name: str) -> None:
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise SettingsError(
            f"allowed-host: {name[:100]!r} is no name of a host; write it like qstash.example.com, without a port, and "
            "other letters than a to z as xn--…"
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Loopback alone, with the vendor's public development users, unless told otherwise.

    :param token: of an account of one's own.
    :param read_only_token: the same account's, for looking only.
    :param allowed_hosts: names under which the engine answers, beside the address that is spoken to.
    :param allow_private: networks beside the public internet to which an engine that others reach may deliver, e.g.
        ``10.0.0.0/8``, or ``all``.
    :raises SettingsError: naming what cannot be.
    """

    token: str | None = field(default=None, repr=False)
    read_only_token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    allow_private: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_token("token", self.token)
        _check_token("read-only-token", self.read_only_token)
        if self.read_only_token is not None and self.token in (None, self.read_only_token):
            raise SettingsError(f"read-only-token: it stands beside another token, --token or {TOKEN_VARIABLE}")
        for name in self.allowed_hosts:
            _check_host(name)
        parse_networks("allow-private", self.allow_private)

    @property
    def names(self) -> frozenset[str]:
        """The names under which the engine answers, in lower case."""
        return frozenset(name.lower() for name in self.allowed_hosts)

    def is_exposed(self, host: str, *, on_loopback: bool) -> bool:
        """Whether others than this machine reach an engine bound to ``host``.

        On loopback they do if it answers to another name: that is only of use to whoever forwards to it from outside.

        :raises SettingsError: when they do, and there is no token, or a short one, to keep them out.
        """
        if on_loopback and not self.allowed_hosts:
            return False
        if self.token is None or len(self.token) < TOKEN_LEAST:
            why = f"allowed-host: {self.allowed_hosts[0]!r}" if on_loopback else f"host: {host!r}"
            raise SettingsError(
                f"{why} is not loopback, and the tokens of the development users are public: give the engine a token "
                f"of its own of at least {TOKEN_LEAST} characters, with --token or {TOKEN_VARIABLE}"
            )
        return True

    def reachable(self, exposed: bool) -> tuple[Network, ...] | None:
        """The networks beside the public internet that may be delivered to; None for all of them."""
        return parse_networks("allow-private", self.allow_private) if exposed else None


#: On loopback, for the development users, delivering anywhere.
LOCAL: Final = Access()
