"""The vendor's own variables, read as its JavaScript client reads them (reference, sections 6 and 14).

In this order: ``QSTASH_DEV`` wins over everything; then ``QSTASH_REGION`` chooses ``<REGION>_QSTASH_*``; then
``QSTASH_*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from qsops.config.addresses import port_number, qstash_url
from qsops.config.dev_users import DEV_USERS
from qsops.config.values import key_pair, read, read_secret
from qsops.errors import SettingsError
from qsops.models import KeyPair

__all__ = ["DEFAULT_URL", "REGION_HOSTS", "Account", "account", "dev_account", "region_of_url", "signing_keys"]

DEFAULT_URL: Final = "https://qstash.upstash.io"
REGION_HOSTS: Final = {
    "qstash.upstash.io": "EU_CENTRAL_1",
    "qstash-eu-central-1.upstash.io": "EU_CENTRAL_1",
    "qstash-us-east-1.upstash.io": "US_EAST_1",
}

_REGIONS: Final = frozenset(REGION_HOSTS.values())
_ON: Final = ("1", "true")
_OFF: Final = ("0", "false", "")
_DEFAULT_DEV_PORT: Final = "8080"


@dataclass(frozen=True, slots=True)
class Account:
    """Where QStash is and who we are there; ``prefix`` stands before the names of the variables that said so."""

    url: str
    token: str | None = field(repr=False)
    keys: KeyPair | None
    region: str | None = None
    prefix: str = ""


def account(env: Mapping[str, str]) -> Account:
    """The account of the plain ``QSTASH_*`` variables.

    A region whose variables are all unset, or that does not exist, falls back on the plain ones, as the vendor's
    client does.

    :raises SettingsError: if a variable is malformed, or a region has a URL or a token but not both.
    """
    if _dev_mode(env):
        return dev_account(env)
    region = _region(env.get("QSTASH_REGION"))
    prefix = f"{region}_" if region and _has_account(env, region) else ""
    url = qstash_url(f"{prefix}QSTASH_URL", read(env, f"{prefix}QSTASH_URL") or DEFAULT_URL)
    token = read_secret(env, f"{prefix}QSTASH_TOKEN")
    return Account(url, token, _keys(env, region), (prefix and region) or region_of_url(url), prefix)


def dev_account(env: Mapping[str, str]) -> Account:
    """User 1 of a development server on this machine, at ``QSTASH_DEV_PORT`` or 8080; no token is read.

    :raises SettingsError: if the port is none.
    """
    port = port_number("QSTASH_DEV_PORT", read(env, "QSTASH_DEV_PORT") or _DEFAULT_DEV_PORT)
    user = DEV_USERS[0]
    return Account(f"http://127.0.0.1:{port}", user.token, user.keys)


def signing_keys(env: Mapping[str, str], upstash_region: str | None = None) -> KeyPair | None:
    """The keys for a delivery whose header ``Upstash-Region`` is ``upstash_region``; None if none are set.

    Where ``QSTASH_REGION`` is set, the keys are those of the header's region, since one endpoint may be called from
    both.

    :raises SettingsError: if a variable is malformed.
    """
    if _dev_mode(env):
        return DEV_USERS[0].keys
    return _keys(env, _region(env.get("QSTASH_REGION")) and _region(upstash_region))


def region_of_url(url: str) -> str | None:
    """The region of one of the vendor's base URLs, such as ``US_EAST_1``; None for any other."""
    return REGION_HOSTS.get(urlsplit(url).hostname or "")


def _dev_mode(env: Mapping[str, str]) -> bool:
    value = env.get("QSTASH_DEV", "").strip().lower()
    if value not in (*_ON, *_OFF):
        raise SettingsError(f"QSTASH_DEV is 1, true, 0, false or empty, not {value!r}")
    return value in _ON


def _region(text: str | None) -> str | None:
    """``EU-CENTRAL-1`` and ``eu_central_1`` as ``EU_CENTRAL_1``; None if it is no region."""
    name = (text or "").strip().upper().replace("-", "_")
    return name if name in _REGIONS else None


def _has_account(env: Mapping[str, str], region: str) -> bool:
    names = (f"{region}_QSTASH_URL", f"{region}_QSTASH_TOKEN")
    missing = [name for name in names if read(env, name) is None]
    if len(missing) == 1:
        # The plain variables may be another account's: half a region is no reason to call that.
        raise SettingsError(f"QSTASH_REGION is {region}, but {missing[0]} is not set: set it, or unset QSTASH_REGION")
    return not missing


def _keys(env: Mapping[str, str], region: str | None) -> KeyPair | None:
    regional = region and key_pair(env, *_key_names(f"{region}_"))
    return regional or key_pair(env, *_key_names(""))


def _key_names(prefix: str) -> tuple[str, str]:
    return f"{prefix}QSTASH_CURRENT_SIGNING_KEY", f"{prefix}QSTASH_NEXT_SIGNING_KEY"
