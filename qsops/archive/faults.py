"""What stores say when something is wrong, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pyarrow as pa

from qsops.errors import Corrupt, QsopsError, SettingsError, Unreachable

__all__ = ["reported", "whole_log"]

_REFUSED: Final = re.compile(
    r"\b40[13]\b|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|Unauthorized|ExpiredToken|"
    r"169\.254\.169\.254|MissingCredentials|credential",
    re.IGNORECASE,
)
_NO_BUCKET: Final = re.compile(r"NoSuchBucket|bucket does not exist", re.IGNORECASE)
_AWAY: Final = re.compile(
    r"error sending request|connect(ion)? (error|refused|reset)|dns error|timed out|HTTP error|\b50[0234]\b",
    re.IGNORECASE,
)
_NO_FOLDER: Final = "Could not create local directory"
_GONE: Final = re.compile(r"not found|no such file|log ?segment|\b404\b", re.IGNORECASE)
#: What Delta says of a file of its log that is cut, empty or gone, before it says where it found that in its source.
_CUT: Final = re.compile(
    r"Truncated record|Json error|No table metadata or protocol|but found gap|LogSegment end version"
)
_SHOWN: Final = 200


@contextmanager
def reported(root: str) -> Iterator[None]:
    """Raise the errors of our tree for what Delta, Arrow and the object store raise within; ``root`` is named.

    A conflict between writers is no fault, and passes as it is.
    """
    # Without the package there is no store to fail, but that is told where one is opened.
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise _told(root, error) from error


@contextmanager
def whole_log(table: str, version: int | None) -> Iterator[None]:
    """Raise Corrupt that names ``table``, by where it is, and the ``version`` asked for, where its Delta log is cut."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        if (cut := _CUT.search(str(error))) is None:
            raise
        raise Corrupt(
            f"{table}: {'the latest version' if version is None else f'version {version}'} cannot be opened, a file of "
            f"its _delta_log is cut or gone ({cut[0]}): restore that folder from a backup, or begin another archive"
        ) from error


def _told(root: str, error: Exception) -> QsopsError:
    from deltalake.exceptions import DeltaProtocolError

    text = str(error)
    if isinstance(error, DeltaProtocolError):
        return SettingsError(f"{root} holds tables of a newer kind of Delta than this qsops writes: update qsops")
    if isinstance(error, PermissionError):
        return SettingsError(f"{root}: no permission there: {error.strerror or 'refused'}")
    if isinstance(error, FileNotFoundError):
        return _half_deleted(root, text)
    if "://" in root:
        if _NO_BUCKET.search(text):
            return SettingsError(f"{root}: there is no such bucket: make it, or name another")
        if _REFUSED.search(text):
            return SettingsError(
                f"{root}: the store refused the credentials, or has none: "
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
            )
        if _AWAY.search(text):
            return Unreachable(f"{root}: the store does not answer: check the network and AWS_ENDPOINT_URL")
    if _NO_FOLDER in text:
        return SettingsError(f"{root}: no folder can be made there, name another: {_line(text)}")
    if _GONE.search(text):
        return _half_deleted(root, text)
    return Corrupt(f"{root} cannot be read or written: {_line(text)}")


def _half_deleted(root: str, text: str) -> Corrupt:
    return Corrupt(f"{root}: a part of the archive is gone, restore it from a backup: {_line(text)}")


def _line(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[\d+m|↳", "", text).split())[:_SHOWN]
