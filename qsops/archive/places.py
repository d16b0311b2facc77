"""Where an archive lies: a folder, or a prefix of a bucket, of what a person or a setting says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from qsops.clock import SystemClock
from qsops.config import state_dir
from qsops.errors import SettingsError

if TYPE_CHECKING:  # It takes half a second, which a session without an archive does not have to spend.
    from qsops.archive.delta import DeltaStore

__all__ = ["SETTING", "place", "store_at"]

SETTING: Final = "QSOPS_ARCHIVE"
_S3: Final = "s3://"
#: Delta reads the first as an escaped character and the second as a slash, and so looks elsewhere than it has written.
_MISREAD: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f]")
_ENDPOINT: Final = "AWS_ENDPOINT_URL"
#: So that a store that is away is told of within half a minute, not after three.
_PATIENCE: Final = {"connect_timeout": "5s", "timeout": "60s", "max_retries": "3", "retry_timeout": "20s"}


def place(path: str | Path | None, env: Mapping[str, str], root: Path) -> str:
    """The address of an archive: ``path``, or ``QSOPS_ARCHIVE``, or the project's own under ``.qsops``.

    A path in the setting begins at the project's ``root``.

    :raises SettingsError: it is neither a folder nor an ``s3://`` address, or a name that cannot be kept.
    """
    named = "" if path is None else str(path).strip()
    setting = env.get(SETTING, "").strip()
    text = named or setting or str(state_dir(root) / "archive")
    what = "the archive's path" if named or not setting else SETTING
    if "://" in text:
        bucket = urlsplit(text).netloc
        if not text.startswith(_S3) or not bucket or "@" in bucket:
            raise SettingsError(f"{what}: {_bare(text)!r} is neither a folder nor s3://BUCKET/PREFIX")
        return _readable(text.rstrip("/"), what)
    folder = Path(text).expanduser()
    folder = (folder if folder.is_absolute() or named else root / folder).absolute()
    _readable(str(folder), what)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{what}: {folder} is a file: name a folder")
    return str(folder)


def store_at(address: str, env: Mapping[str, str]) -> DeltaStore:
    """The store at an address of :func:`place`; the ``AWS_…`` variables of ``env`` say how to reach a bucket.

    :raises SettingsError: the packages for it are not installed, or the address of another store is no URL.
    """
    try:
        from qsops.archive.delta import DeltaStore
    except ImportError as error:
        raise SettingsError(f"an archive needs the package {error.name}: pip install 'qsops[archive]'") from error
    options = {name: value for name, value in env.items() if name.startswith("AWS_") and value}
    if address.startswith(_S3):
        options = _plain_http(options.get(_ENDPOINT)) | options | _PATIENCE
    # The files' names must be unlike those of any other process: never from a manual clock, or a seed.
    return DeltaStore(address, SystemClock(), options)


def _plain_http(endpoint: str | None) -> dict[str, str]:
    """What lets a store that is not Amazon's be reached without TLS, where its address says so."""
    if endpoint is None:
        return {}
    try:
        url = urlsplit(endpoint)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not url.netloc:
        raise SettingsError(f"{_ENDPOINT}: {_bare(endpoint)!r} is no URL: it needs http:// or https:// and a host")
    return {"AWS_ALLOW_HTTP": "true"} if url.scheme == "http" else {}


def _readable(address: str, what: str) -> str:
    if (found := _MISREAD.search(address)) is not None:
        raise SettingsError(
            f"{what}: {address!r} has {found[0]!r} in it, which Delta reads as another: name it otherwise"
        )
    return address


def _bare(text: str) -> str:
    """Without what may stand before the host, which may be a password."""
    return text.split("@")[-1] if "@" in text else text
