"""A real account as a server for the tests: bounded in messages, and touched in nothing but what they made."""

from __future__ import annotations

from tests.conformance.account.account import Account, AccountDestination, asked

__all__ = ["Account", "AccountDestination", "asked"]
