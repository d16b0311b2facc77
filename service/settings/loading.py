"""The settings as the environment has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from qsops import config, public_url
from qsops.errors import SettingsError
from service.settings.settings import REGIONS, Settings

__all__ = ["database_url", "load"]

_SQLITE: Final = "sqlite:///"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment, over ``.env.local``, over ``.env``, QStash's regional names among them.

    :raises SettingsError: naming the variable that is missing or malformed; never its value, which may be a secret.
    """
    root = config.project_root()
    env = config.environment(root, os.environ if environ is None else environ)
    target = config.resolve("env", env, root)
    values: dict[str, Any] = {"database_url": database_url(env)}
    values |= {name: value for name in Settings.model_fields if (value := env.get(name.upper(), "").strip())}
    _fit_vercel(values, env)
    # Where a region is chosen, the plain keys are for deliveries of regions without keys of their own.
    keys = config.signing_keys(env) or target.need("keys", verb="the service")
    values |= {"qstash_url": target.url, "qstash_token": target.need("token", verb="the service")}
    values |= {"qstash_current_signing_key": keys.current, "qstash_next_signing_key": keys.next}
    for region in REGIONS:
        values |= _keys_of(region, env)
    values["public_base_url"] = _public_base_url(env, values.get("qsops_port"), target.kind == "local")
    return _checked({name: value for name, value in values.items() if value is not None})


def database_url(env: Mapping[str, str]) -> str:
    """What DATABASE_URL says, or the file that is taken without it."""
    return env.get("DATABASE_URL", "").strip() or f"{_SQLITE}{config.state_dir(config.project_root()) / 'service.db'}"


def _keys_of(region: str, env: Mapping[str, str]) -> dict[str, str | None]:
    """The region's own keys, where the vendor's rules ask for any."""
    plain, regional = config.signing_keys(env), config.signing_keys(env, region)
    own = regional if regional != plain else None
    prefix = f"{region.lower()}_qstash"
    return {
        f"{prefix}_current_signing_key": own.current if own else None,
        f"{prefix}_next_signing_key": own.next if own else None,
    }


def _fit_vercel(values: dict[str, Any], env: Mapping[str, str]) -> None:
    """A function has no disk that lasts, and only previews are protected: to production Meta could not sign in."""
    deployed = public_url.on_vercel(env)
    if deployed and not values["database_url"].startswith("postgres"):
        raise SettingsError("DATABASE_URL: on Vercel no file outlives the function: set it to postgresql://…")
    if deployed and values.get("qsops_ingest_mode") == "outbox-first":
        raise SettingsError("QSOPS_INGEST_MODE: on Vercel nothing runs after the answer: leave it at direct")
    if not deployed or env.get("VERCEL_ENV") == "production":
        values.pop("vercel_automation_bypass_secret", None)


def _public_base_url(env: Mapping[str, str], port: str | None, engine_local: bool) -> str:
    number = int(port) if port and port.strip().isdecimal() else None
    found = public_url.resolve(env, port=number, engine_local=engine_local, fetch=public_url.fetch_loopback)
    return found.url


def _checked(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = str(fault["loc"][0]).upper()
        if fault["type"] in ("missing", "too_short"):
            raise SettingsError(f"{name} is not set: the service needs it (docs/settings.md)") from None
        raise SettingsError(f"{name}: {fault['msg'].removeprefix('Value error, ')}") from None
