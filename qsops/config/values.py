"""Reading settings by name: blank is unset, and what is set is checked."""

from __future__ import annotations

from collections.abc import Mapping

from qsops.config.addresses import base_url, secret
from qsops.models import KeyPair

__all__ = ["key_pair", "read", "read_secret", "read_url"]


def read(env: Mapping[str, str], name: str) -> str | None:
    """The setting ``name`` without surrounding space; None if it is unset or blank."""
    return env.get(name, "").strip() or None


def read_secret(env: Mapping[str, str], name: str) -> str | None:
    """The token or key ``name``, or None.

    :raises SettingsError: if it cannot be one.
    """
    text = read(env, name)
    return None if text is None else secret(name, text)


def read_url(env: Mapping[str, str], name: str) -> str | None:
    """The base URL ``name`` without trailing slash, or None.

    :raises SettingsError: if it cannot be one.
    """
    text = read(env, name)
    return None if text is None else base_url(name, text)


def key_pair(env: Mapping[str, str], current: str, next_: str) -> KeyPair | None:
    """The signing keys of two settings; None without the current one, which alone is enough.

    :raises SettingsError: if one of them cannot be a key.
    """
    first = read_secret(env, current)
    return None if first is None else KeyPair(first, read_secret(env, next_))
