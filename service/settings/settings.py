"""The settings themselves: checked when made, frozen, masked when printed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from qsops import config
from qsops.errors import SettingsError
from qsops.models import KeyPair
from qsops.wire.durations import parse_duration
from service.hosts import Hosts
from service.settings.shapes import (
    AccountIds,
    Database,
    Duration,
    Expression,
    Function,
    Given,
    HostNames,
    Retention,
    SecretUrl,
)

__all__ = ["DEFAULT_HANDLER", "REGIONS", "Settings"]

DEFAULT_HANDLER: Final = "service.processing:handle_incoming_messaging_event"
#: Those of QStash, which share nothing.
REGIONS: Final = ("EU_CENTRAL_1", "US_EAST_1")


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
    database_url: Database = Field(repr=False)
    #: Opens protected previews on Vercel; sent with each message, so that QStash reaches them.
    vercel_automation_bypass_secret: Given | None = None
    #: ``direct`` waits for QStash, though not for long; ``outbox-first`` answers after one commit (docs/service.md).
    qsops_ingest_mode: Literal["direct", "outbox-first"] = "direct"
    #: Comma-separated ids of our accounts: events for others are not published. Unset, all are taken.
    instagram_account_ids: AccountIds | None = None
    qsops_handler: Function = DEFAULT_HANDLER
    #: Never left to a plan's default: 5 on the default curve survive about 30 hours.
    qsops_retries: int = Field(default=5, ge=0, le=999)
    qsops_retry_delay: Expression | None = None
    qsops_delivery_timeout: Duration = "30s"
    #: Deliveries that are processed at the same time; one more is answered 503, and comes again.
    qsops_concurrency: int = Field(default=256, ge=1, le=10_000)
    #: Comma-separated, without ports; unset, the public host, and loopback names where we listen there.
    allowed_hosts: HostNames | None = None
    #: Adds a callback after each attempt to what we publish; each is billed as a message.
    qsops_delivery_callback: bool = False
    #: Unset, nobody is told of failures. Holds its secret in its path.
    alert_webhook_url: SecretUrl | None = None
    #: So long without a failure, and with a success, is a recovery.
    qsops_alert_recovery: Duration = "15m"
    #: The longest that an event may come again: Meta repeats for 36 hours, QStash keeps dead letters up to 30 days.
    qsops_claim_retention: Retention = "30d"
    qsops_host: str = "127.0.0.1"
    qsops_port: int | None = Field(default=None, ge=1, le=65535)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

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
        return {region: pair for region in REGIONS if (pair := self._keys_named(f"{region.lower()}_qstash"))}

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
