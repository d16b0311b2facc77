"""The service's settings: read once, checked at start, frozen, masked when printed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from qsops import config, public_url, retry
from qsops.errors import SettingsError
from qsops.models import KeyPair
from qsops.wire.durations import parse_duration

__all__ = ["DEFAULT_HANDLER", "Settings", "load"]

DEFAULT_HANDLER: Final = "service.processing:handle_incoming_messaging_event"
_SQLITE: Final = "sqlite:///"

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
    instagram_app_secret: Given
    instagram_verify_token: Given
    #: Unset, the internal routes are closed.
    internal_api_token: Given | None = None
    public_base_url: str
    database_url: str = Field(repr=False)
    qsops_handler: str = DEFAULT_HANDLER
    #: Never left to a plan's default: 5 on the default curve survive about 30 hours.
    qsops_retries: int = Field(default=5, ge=0, le=999)
    qsops_retry_delay: str | None = None
    qsops_delivery_timeout: str = "30s"
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

    @field_validator("qsops_delivery_timeout")
    @classmethod
    def _is_a_duration(cls, value: str) -> str:
        if parse_duration(value) < 1:
            raise ValueError("must be at least 1s")
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
    def _is_sqlite(cls, value: str) -> str:
        if not value.startswith(_SQLITE) or len(value) == len(_SQLITE):
            raise ValueError("must look like sqlite:///path/to/service.db")
        return value

    @property
    def database_path(self) -> str:
        """The SQLite file, or ``:memory:``."""
        return self.database_url.removeprefix(_SQLITE)

    @property
    def delivery_timeout_s(self) -> int:
        return parse_duration(self.qsops_delivery_timeout)

    @property
    def signing_keys(self) -> KeyPair:
        following = self.qstash_next_signing_key
        return KeyPair(
            self.qstash_current_signing_key.get_secret_value(), following.get_secret_value() if following else None
        )

    @property
    def has_public_keys(self) -> bool:
        """Whether anybody could sign deliveries: the vendor's development keys stand in its documents."""
        return config.is_dev_key(self.signing_keys.current) or config.is_dev_key(self.signing_keys.next)

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
    values: dict[str, Any] = {"database_url": f"{_SQLITE}{config.state_dir(root) / 'service.db'}"}
    values |= {name: value for name in Settings.model_fields if (value := env.get(name.upper(), "").strip())}
    keys = target.need("keys", verb="the service")
    values |= {"qstash_url": target.url, "qstash_token": target.need("token", verb="the service")}
    values |= {"qstash_current_signing_key": keys.current, "qstash_next_signing_key": keys.next}
    values["public_base_url"] = _public_base_url(env, values.get("qsops_port"), target.kind == "local")
    return _checked({name: value for name, value in values.items() if value is not None})


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
