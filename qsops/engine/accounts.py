"""Accounts: who a token stands for, and the keys that sign what is delivered for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Final

from qsops.clock import Ids
from qsops.config.dev_users import DEV_USERS
from qsops.models import KeyPair

__all__ = ["Account", "Accounts", "new_key", "rotate_keys", "signing_keys"]

#: The account of a token that its owner chose, beside the vendor's four.
OWN_ACCOUNT: Final = "own"
_KEY_LENGTH: Final = 28

_KEYS = "select signing_current, signing_next from accounts where account = ?"
_SET = "update accounts set signing_current = ?, signing_next = ? where account = ?"
_ENSURE = """
    insert into accounts (name, signing_current, signing_next) values (?, ?, ?)
    on conflict (name) do nothing
"""
_RESET = "update accounts set signing_current = ?, signing_next = ? where name = ?"


@dataclass(frozen=True, slots=True)
class Account:
    """One tenant, as a token shows it; ``number`` is its column on every table."""

    number: int
    name: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may speak to the engine, by the digest of the token, so that a look-up takes the same time for any guess."""

    _by_digest: dict[bytes, Account] = field(repr=False)

    @classmethod
    def enrolled(
        cls,
        connection: Connection,
        ids: Ids,
        own_token: str | None = None,
        read_only_token: str | None = None,
        *,
        dev_users: bool = True,
    ) -> Accounts:
        """The vendor's dev users unless they are left out and, with ``own_token``, an account of one's own.

        The dev users' keys are set back to the published pairs: a client with ``QSTASH_DEV`` demands these, so a
        rotation lasts until the restart. The keys of one's own account are made once and kept. ``read_only_token`` is
        that account's, too.
        """
        tokens: dict[str, tuple[str, bool]] = {}
        for user in DEV_USERS if dev_users else ():
            tokens[user.token] = user.name, False
            connection.execute(_ENSURE, (user.name, user.keys.current, user.keys.next))
            connection.execute(_RESET, (user.keys.current, user.keys.next, user.name))
        if own_token is not None:
            tokens[own_token] = OWN_ACCOUNT, False
            connection.execute(_ENSURE, (OWN_ACCOUNT, new_key(ids), new_key(ids)))
            if read_only_token is not None:
                tokens[read_only_token] = OWN_ACCOUNT, True
        numbers = dict(connection.execute("select name, account from accounts").fetchall())
        return cls({_digest(one): Account(numbers[name], name, only) for one, (name, only) in tokens.items()})

    def of_token(self, token: str) -> Account | None:
        """Whose ``token`` it is."""
        return self._by_digest.get(_digest(token))


def signing_keys(connection: Connection, account: int) -> KeyPair:
    """The keys as they are now; deliveries are signed with ``current``."""
    current, following = connection.execute(_KEYS, (account,)).fetchone()
    return KeyPair(current, following)


def rotate_keys(connection: Connection, account: int, new_key: str) -> KeyPair:
    """The next key becomes the current one, and ``new_key`` the next; returns the new pair."""
    following = signing_keys(connection, account).next
    connection.execute(_SET, (following, new_key, account))
    return signing_keys(connection, account)


def new_key(ids: Ids) -> str:
    """A signing key in the form of the dev server's."""
    return ids.secret("sig_", _KEY_LENGTH)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
