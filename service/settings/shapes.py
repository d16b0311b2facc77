"""What a setting must look like: types that say what is wrong, and quote no value, which may be a secret."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from qsops import retry
from qsops.wire.durations import parse_duration

__all__ = [
    "AccountIds",
    "Database",
    "Duration",
    "Expression",
    "Function",
    "Given",
    "HostNames",
    "Retention",
    "SecretUrl",
]

LEAST_RETENTION_S: Final = 36 * 3600
_DATABASES: Final = ("sqlite://", "postgresql://", "postgres://")
_HOST: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_ACCOUNT: Final = re.compile(r"[0-9]{1,40}")


def _expression(value: str) -> str:
    retry.compile_expression(value)
    return value


def _url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL: https://…")
    return value


def _duration(value: str) -> str:
    if parse_duration(value) < 1:
        raise ValueError("must be at least 1s")
    return value


def _outlasts_meta(value: str) -> str:
    if parse_duration(value) < LEAST_RETENTION_S:
        raise ValueError("must be at least 36h: so long Meta repeats what it was not answered")
    return value


def _names(value: str) -> str:
    if not all(_HOST.fullmatch(name.strip()) for name in value.split(",")):
        raise ValueError("must look like service.example.com, *.example.com: names without scheme or port, or *")
    return value


def _ids(value: str) -> str:
    if not all(_ACCOUNT.fullmatch(one.strip()) for one in value.split(",")):
        raise ValueError("must look like 17841400000000001,17841400000000002: ids as Meta writes them in entry.id")
    return value


def _function(value: str) -> str:
    module, _, name = value.partition(":")
    if not module or not name:
        raise ValueError("must look like package.module:function")
    return value


def _database(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if f"{scheme}://" not in _DATABASES or not rest.removeprefix("/") or (scheme == "sqlite" and rest[0] != "/"):
        raise ValueError("must look like sqlite:///path/to/service.db or postgresql://user:password@host/database")
    return value


Given = Annotated[SecretStr, Field(min_length=1)]
SecretUrl = Annotated[Given, AfterValidator(_url)]
Expression = Annotated[str, AfterValidator(_expression)]
Duration = Annotated[str, AfterValidator(_duration)]
Retention = Annotated[Duration, AfterValidator(_outlasts_meta)]
HostNames = Annotated[str, AfterValidator(_names)]
AccountIds = Annotated[str, AfterValidator(_ids)]
Function = Annotated[str, AfterValidator(_function)]
Database = Annotated[str, AfterValidator(_database)]
