"""Profiles in ``qsops.toml``: accounts by name. The file names environment variables and never holds a secret.

::

    [profiles.production]
    url = "PROD_QSTASH_URL"            # or the URL itself
    token = "PROD_QSTASH_TOKEN"
    current_signing_key = "PROD_QSTASH_CURRENT_SIGNING_KEY"
    next_signing_key = "PROD_QSTASH_NEXT_SIGNING_KEY"
    region = "EU_CENTRAL_1"            # shown only; or a variable that holds it
    consumer_url = "PROD_CONSUMER_URL"
    internal_token = "PROD_INTERNAL_API_TOKEN"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qsops.errors import SettingsError

__all__ = ["FIELDS", "FILE", "RESERVED", "profile", "profile_names"]

FILE: Final = "qsops.toml"

#: Targets that are no profiles.
RESERVED: Final = ("embedded", "local", "env")

#: What a profile may name.
FIELDS: Final = (
    "url",
    "token",
    "current_signing_key",
    "next_signing_key",
    "region",
    "consumer_url",
    "internal_token",
)

# A lower-case letter or no underscore makes it a likely secret: keys and tokens are no shouted words.
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_MAX_VARIABLE: Final = 80
_URL_FIELDS: Final = ("url", "consumer_url")


def profile(name: str, root: Path) -> Mapping[str, str]:
    """The profile ``name`` of the project at ``root``: field to the variable, or the URL, that it names.

    :raises SettingsError: if there is no such profile, or an entry is not of the form above. Values that may be secrets
        are not shown.
    """
    profiles = _profiles(root)
    if name in RESERVED or name not in profiles:
        known = ", ".join([*RESERVED, *sorted(set(profiles) - set(RESERVED))])
        raise SettingsError(f"no target {name!r}: known are {known}; add [profiles.{name}] to {root / FILE}")
    entries = profiles[name]
    where = f"[profiles.{name}] in {FILE}"
    if not isinstance(entries, dict):
        raise SettingsError(f"{where} is no table")
    if unknown := sorted(set(entries) - set(FIELDS)):
        raise SettingsError(f"{where} has unknown entries: {', '.join(unknown)}; known are {', '.join(FIELDS)}")
    return {field: _checked(field, value, where) for field, value in entries.items()}


def profile_names(root: Path) -> tuple[str, ...]:
    """The names of all profiles of the project at ``root``, sorted.

    :raises SettingsError: if the file cannot be read.
    """
    return tuple(sorted(_profiles(root)))


def _profiles(root: Path) -> dict[str, Any]:
    path = root / FILE
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {})
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {_reason(error)}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"profiles in {path} is no table: write [profiles.NAME]")
    return found


def _reason(error: Exception) -> str:
    # The parser's own words may quote the file; where it stopped is enough.
    place = re.search(r"at (line \d+, column \d+|end of document)", str(error))
    return f"no TOML at {place[1]}" if place else type(error).__name__


def _checked(field: str, value: object, where: str) -> str:
    if isinstance(value, str):
        if len(value) <= _MAX_VARIABLE and _VARIABLE.fullmatch(value):
            return value
        if field in _URL_FIELDS and "://" in value:
            return value
    raise SettingsError(
        f"{field} of {where} must name an environment variable, such as PROD_{field.upper()}, and never hold the value"
    )
