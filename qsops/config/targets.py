"""The target of a session or command: named by its user, never guessed from what happens to be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, overload
from urllib.parse import urlsplit

from qsops.config.addresses import base_url, is_loopback, qstash_url
from qsops.config.dev_users import DEV_USERS
from qsops.config.profiles import FILE, profile
from qsops.config.values import key_pair, read, read_secret, read_url
from qsops.config.vendor import DEFAULT_URL, REGION_HOSTS, account, dev_account, region_of_url
from qsops.errors import SettingsError
from qsops.models import KeyPair

__all__ = ["EMBEDDED_URL", "Kind", "Need", "Target", "resolve"]

Kind = Literal["embedded", "local", "hosted"]
Need = Literal["token", "keys", "consumer_url", "internal_token"]

#: The engine inside this process has no address; this host is reserved (RFC 2606), so nothing can ever be sent to it.
EMBEDDED_URL: Final = "http://embedded.invalid"

_VARIABLES: Final[Mapping[str, str]] = {
    "token": "QSTASH_TOKEN",
    "keys": "QSTASH_CURRENT_SIGNING_KEY",
    "consumer_url": "PUBLIC_BASE_URL",
    "internal_token": "INTERNAL_API_TOKEN",
}
_LOCAL_VARIABLES: Final = {**_VARIABLES, "consumer_url": "PUBLIC_BASE_URL (on loopback)"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which QStash is spoken to, and as whom. What is not set is None until a verb needs it.

    ``kind`` is local for whatever lies on loopback. ``region`` is for display, such as ``EU_CENTRAL_1``.
    ``consumer_url`` and ``internal_token`` lead to the service's internal routes. ``settings`` says which setting
    each need comes from.
    """

    name: str
    kind: Kind
    url: str
    token: str | None = field(default=None, repr=False)
    region: str | None = None
    keys: KeyPair | None = None
    consumer_url: str | None = None
    internal_token: str | None = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=lambda: _VARIABLES, repr=False, compare=False)

    @overload
    def need(self, what: Literal["keys"], *, verb: str) -> KeyPair: ...

    @overload
    def need(self, what: Literal["token", "consumer_url", "internal_token"], *, verb: str) -> str: ...

    def need(self, what: Need, *, verb: str) -> KeyPair | str:
        """The value of ``what``, without which ``verb`` cannot work.

        :raises SettingsError: naming the verb, the target and the setting, if it is not set.
        """
        found: KeyPair | str | None = getattr(self, what)
        if found is None:
            setting = self.settings.get(what, _VARIABLES[what])
            raise SettingsError(f"{verb} on the target {self.name!r} needs {setting}, which is not set")
        return found


def resolve(name: str, env: Mapping[str, str], root: Path) -> Target:
    """The target ``name``: ``embedded``, ``local``, ``env``, or a profile of the project at ``root``.

    ``embedded`` and ``local`` take development user 1 and never read ``QSTASH_TOKEN``.

    :raises SettingsError: if there is no such target, or one of its settings is malformed.
    """
    match name:
        case "embedded":
            user = DEV_USERS[0]
            return Target(name, "embedded", EMBEDDED_URL, user.token, None, user.keys)
        case "local":
            return _local(env)
        case "env":
            return _of_env(env)
        case _:
            return _of_profile(name, env, root)


def _local(env: Mapping[str, str]) -> Target:
    here = dev_account(env)
    consumer = _local_consumer(env)
    # The token is that of whichever service the address is: without the one, the other is nobody's.
    internal_token = consumer and read_secret(env, "INTERNAL_API_TOKEN")
    return Target(
        "local", "local", here.url, here.token, None, here.keys, consumer, internal_token, settings=_LOCAL_VARIABLES
    )


def _local_consumer(env: Mapping[str, str]) -> str | None:
    """``PUBLIC_BASE_URL`` if it is on loopback: a deployed service knows nothing of the local engine's messages."""
    try:
        consumer = read_url(env, "PUBLIC_BASE_URL")
    except SettingsError:
        # Not even this target's setting: it is judged where it is meant, on a hosted one.
        return None
    return consumer if consumer and is_loopback(urlsplit(consumer).hostname) else None


def _of_env(env: Mapping[str, str]) -> Target:
    found = account(env)
    return Target(
        "env",
        _kind(found.url),
        found.url,
        found.token,
        found.region,
        found.keys,
        read_url(env, "PUBLIC_BASE_URL"),
        read_secret(env, "INTERNAL_API_TOKEN"),
        {**_VARIABLES, "token": f"{found.prefix}QSTASH_TOKEN", "keys": f"{found.prefix}QSTASH_CURRENT_SIGNING_KEY"},
    )


def _of_profile(name: str, env: Mapping[str, str], root: Path) -> Target:
    entries = profile(name, root)
    url = _qstash_url(entries.get("url"), env)
    return Target(
        name,
        _kind(url),
        url,
        read_secret(env, entries.get("token", "")),
        _region(entries.get("region"), env) or region_of_url(url),
        key_pair(env, entries.get("current_signing_key", ""), entries.get("next_signing_key", "")),
        _consumer_url(entries.get("consumer_url"), env),
        read_secret(env, entries.get("internal_token", "")),
        _settings_of(name, entries),
    )


def _qstash_url(named: str | None, env: Mapping[str, str]) -> str:
    if named is None:
        return DEFAULT_URL
    if "://" in named:
        return qstash_url(f"url in {FILE}", named)
    if (url := read(env, named)) is None:
        # The default would be another account's: whoever names a variable means it.
        raise SettingsError(f"{named} is not set: it is the url of a profile in {FILE}")
    return qstash_url(named, url)


def _consumer_url(named: str | None, env: Mapping[str, str]) -> str | None:
    if named is not None and "://" in named:
        return base_url(f"consumer_url in {FILE}", named)
    return None if named is None else read_url(env, named)


def _region(named: str | None, env: Mapping[str, str]) -> str | None:
    return named if named is None or named in REGION_HOSTS.values() else read(env, named)


def _settings_of(name: str, entries: Mapping[str, str]) -> Mapping[str, str]:
    fields = {need: "current_signing_key" if need == "keys" else need for need in _VARIABLES}
    return {
        need: entries.get(entry, f"an entry {entry} in [profiles.{name}] of {FILE}") for need, entry in fields.items()
    }


def _kind(url: str) -> Kind:
    return "local" if is_loopback(urlsplit(url).hostname) else "hosted"
