"""The four fixed users of the vendor's development server; their keys are public, and prove nothing to anybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qsops.models import KeyPair

__all__ = ["DEV_USERS", "DevUser", "is_dev_key"]


@dataclass(frozen=True, slots=True)
class DevUser:
    """A development user: what the engine accepts on loopback, and what clients with ``QSTASH_DEV`` send."""

    name: str
    token: str = field(repr=False)
    keys: KeyPair


#: Source: the vendor's page on local development, and the constants of its JavaScript SDK.
DEV_USERS: Final = (
    DevUser(
        "defaultUser",
        "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=",
        KeyPair("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"),
    ),
    DevUser(
        "testUser1",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        KeyPair("sig_7GVPjvuwsfqF65iC8fSrs1dfYruM", "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua"),
    ),
    DevUser(
        "testUser2",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjIiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        KeyPair("sig_6jWGaWRxHsw4vMSPJprXadyvrybF", "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx"),
    ),
    DevUser(
        "testUser3",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjMiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        KeyPair("sig_5T8FcSsynBjn9mMLBsXhpacRovJf", "sig_7GFR4YaDshFcqsxWRZpRB161jguD"),
    ),
)

_PUBLIC_KEYS: Final = frozenset(key for user in DEV_USERS for key in (user.keys.current, user.keys.next))


def is_dev_key(key: str | None) -> bool:
    """Whether ``key`` is one of the public development keys, with which anybody can sign."""
    return key is not None and key.strip() in _PUBLIC_KEYS
