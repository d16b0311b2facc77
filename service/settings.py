"""The service's settings: read once, checked at start, frozen, masked when printed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from qsops import config, public_url, retry
from qsops.errors import SettingsError
from qsops.models import KeyPair
from qsops.wire.durations import parse_duration
from service.hosts import Hosts

__all__ = ["DEFAULT_HANDLER", "Settings", "database_url", "load"]

DEFAULT_HANDLER: Final = "service.processing:handle_incoming_messaging_event"
_SQLITE: Final = "sqlite:///"
_DATABASES: Final = ("sqlite://", "postgresql://", "postgres://")
LEAST_RETENTION_S: Final = 36 * 3600
_HOST: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_ACCOUNT: Final = re.compile(r"[0-9]{1,40}")
_REGIONS: Final = ("EU_CENTRAL_1", "US_EAST_1")

Given = Annotated[SecretStr, Field(min_length=1)]


class Settings(BaseSettings):
    """What the service is told. Each field is the setting of the same name in capitals.

    Made directly it holds its arguments and nothing else, so that a rehearsal on a machine with a production ``.env``
    can reach nothing of production; :func:`load` reads the environment.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, validate_default=True)

    qstash_url: str
    qstash_token: Given
    qstash_current_signing_key: Given
    qstash_next_signing_key: SecretStr | None = None
    #: For deliveries whose ``Upstash-Region`` names that region; read where QSTASH_REGION is set, as the vendor does.
    eu_central_1_qstash_current_signing_key: Given | None = None
    eu_central_1_qstash_next_signing_key: Given | None = None
    us_east_1_qstash_current_signing_key: Given | None = None
    us_east_1_qstash_next_signing_key: Given | None = None
    instagram_app_secret: Given
    instagram_verify_token: Given
    #: Unset, the internal routes are closed.
    internal_api_token: Given | None = None
    public_base_url: str
    database_url: str = Field(repr=False)
    #: Opens protected previews on Vercel; sent with each message, so that QStash reaches them.
    vercel_automation_bypass_secret: Given | None = None
    #: ``direct`` waits for QStash, though not for long; ``outbox-first`` answers after one commit (docs/service.md).
    qsops_ingest_mode: Literal["direct", "outbox-first"] = "direct"
    #: Comma-separated ids of our accounts: events for others are not published. Unset, all are taken.
    instagram_account_ids: str | None = None
    qsops_handler: str = DEFAULT_HANDLER
    #: Never left to a plan's default: 5 on the default curve survive about 30 hours.
    qsops_retries: int = Field(default=5, ge=0, le=999)
    qsops_retry_delay: str | None = None
    qsops_delivery_timeout: str = "30s"
    #: Deliveries that are processed at the same time; one more is answered 503, and comes again.
    qsops_concurrency: int = Field(default=256, ge=1, le=10_000)
    #: Comma-separated, without ports; unset, the public host, and loopback names where we listen there.
    allowed_hosts: str | None = None
    #: Adds a callback after each attempt to what we publish; each is billed as a message.
    qsops_delivery_callback: bool = False
    #: Unset, nobody is told of failures. Holds its secret in its path.
    alert_webhook_url: Given | None = None
    #: So long without a failure, and with a success, is a recovery.
    qsops_alert_recovery: str = "15m"
    #: The longest that an event may come again: Meta repeats for 36 hours, QStash keeps dead letters up to 30 days.
    qsops_claim_retention: str = "30d"
    qsops_host: str = "127.0.0.1"
    qsops_port: int | None = Field(default=None, ge=1, le=65535)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @field_validator("qsops_retry_delay")
    @classmethod
    def _is_an_expression(cls, value: str | None) -> str | None:
        if value is not None:
            retry.compile_expression(value)
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_a_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be a URL: https://…")
        return value

    @field_validator("qsops_delivery_timeout", "qsops_alert_recovery", "qsops_claim_retention")
    @classmethod
    def _is_a_duration(cls, value: str) -> str:
        if parse_duration(value) < 1:
            raise ValueError("must be at least 1s")
        return value

    @field_validator("qsops_claim_retention")
    @classmethod
    def _outlasts_meta(cls, value: str) -> str:
        if parse_duration(value) < LEAST_RETENTION_S:
            raise ValueError("must be at least 36h: so long Meta repeats what it was not answered")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: str | None) -> str | None:
        if value is not None and not all(_HOST.fullmatch(name.strip()) for name in value.split(",")):
            raise ValueError("must look like service.example.com, *.example.com: names without scheme or port, or *")
        return value

    @field_validator("instagram_account_ids")
    @classmethod
    def _are_ids(cls, value: str | None) -> str | None:
        if value is not None and not all(_ACCOUNT.fullmatch(one.strip()) for one in value.split(",")):
            raise ValueError("must look like 17841400000000001,17841400000000002: ids as Meta writes them in entry.id")
        return value

    @field_validator("qsops_handler")
    @classmethod
    def _names_a_function(cls, value: str) -> str:
        module, _, name = value.partition(":")
        if not module or not name:
            raise ValueError("must look like package.module:function")
        return value

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if f"{scheme}://" not in _DATABASES or not rest.removeprefix("/") or (scheme == "sqlite" and rest[0] != "/"):
            raise ValueError("must look like sqlite:///path/to/service.db or postgresql://user:password@host/database")
        return value

    @cached_property
    def delivery_timeout_s(self) -> int:
        return parse_duration(self.qsops_delivery_timeout)

    @property
    def account_ids(self) -> frozenset[str] | None:
        """The accounts whose events are taken; None takes all."""
        given = self.instagram_account_ids
        return None if given is None else frozenset(one.strip() for one in given.split(","))

    @property
    def alert_recovery_s(self) -> int:
        return parse_duration(self.qsops_alert_recovery)

    @property
    def claim_retention_s(self) -> int:
        return parse_duration(self.qsops_claim_retention)

    @property
    def signing_keys(self) -> KeyPair:
        following = self.qstash_next_signing_key
        return KeyPair(
            self.qstash_current_signing_key.get_secret_value(), following.get_secret_value() if following else None
        )

    def _keys_named(self, prefix: str) -> KeyPair | None:
        current, following = (getattr(self, f"{prefix}_{which}_signing_key") for which in ("current", "next"))
        return KeyPair(current.get_secret_value(), following and following.get_secret_value()) if current else None

    @property
    def regional_keys(self) -> Mapping[str, KeyPair]:
        """The keys of regions that have their own, by names such as ``EU_CENTRAL_1``."""
        return {region: pair for region in _REGIONS if (pair := self._keys_named(f"{region.lower()}_qstash"))}

    @property
    def public_host(self) -> str:
        """The host by which QStash knows us."""
        return urlsplit(self.public_base_url).hostname or ""

    @property
    def hosts(self) -> Hosts:
        """The hosts that requests may be for."""
        if self.allowed_hosts is not None:
            return Hosts(name.strip() for name in self.allowed_hosts.split(","))
        return Hosts([self.public_host], loopback=config.is_loopback(self.qsops_host))

    @property
    def has_public_keys(self) -> bool:
        """Whether anybody could sign deliveries: the vendor's development keys stand in its documents."""
        pairs = (self.signing_keys, *self.regional_keys.values())
        return any(config.is_dev_key(key) for pair in pairs for key in (pair.current, pair.next))

    def check_exposure(self) -> None:
        """The development keys are for loopback.

        :raises SettingsError: when the service would listen, or be called, elsewhere with them.
        """
        if not self.has_public_keys:
            return
        for name, host in (
            ("QSOPS_HOST", self.qsops_host),
            ("PUBLIC_BASE_URL", urlsplit(self.public_base_url).hostname),
        ):
            if not config.is_loopback(host):
                raise SettingsError(
                    f"QSTASH_CURRENT_SIGNING_KEY is one of the vendor's public development keys, and {name} is {host}: "
                    "anybody could sign; use your account's keys, or stay on loopback"
                )


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
    for region in _REGIONS:
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
