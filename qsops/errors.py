"""What qsops raises, as one tree; each error knows the exit status of the command that meets it.

::

    QsopsError                   1
    ├── SettingsError            2  a setting or an argument is missing or malformed; nothing was sent
    │   └── ReadOnly             2  the session was not opened for writing
    ├── SignatureRefused         1  a signature does not hold; ``cause`` names the failing check
    ├── Corrupt                  1  data on disk or on the wire cannot be read
    └── ServiceError             1  QStash did not do what was asked
        ├── Unreachable          1  nothing was sent: no connection could be made
        ├── OutcomeUnknown       1  sent, but the answer was lost: it may have taken effect
        └── Rejected             1  answered with an HTTP status
            ├── AuthError        2  401, 403: the token is missing, wrong, or read-only
            ├── QuotaExceeded    1  412: a limit of the plan
            ├── RateLimited      1  429, of kind "burst" or "daily"
            └── ServerFault      1  5xx: theirs, and worth another try

A failed *delivery* is no exception: it is a log entry, and a row of a frame.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "AuthError",
    "Corrupt",
    "OutcomeUnknown",
    "QsopsError",
    "QuotaExceeded",
    "RateLimited",
    "ReadOnly",
    "Rejected",
    "ServerFault",
    "ServiceError",
    "SettingsError",
    "SignatureCause",
    "SignatureRefused",
    "Unreachable",
]

RateLimitKind = Literal["burst", "daily"]
SignatureCause = Literal[
    "missing", "malformed", "algorithm", "key", "issuer", "expired", "not_yet_valid", "url", "body"
]


class QsopsError(Exception):
    """The root: one line for a person, naming the setting, id or value, and what to do. Never a secret."""

    exit_status: ClassVar[int] = 1


class SettingsError(QsopsError):
    """A setting or argument is missing or malformed; the message names it. Nothing was sent or changed."""

    exit_status = 2


class ReadOnly(SettingsError):
    """A hosted session was asked to write without having been opened with ``write=True`` (``--write``)."""


class SignatureRefused(QsopsError):
    """A signature does not hold.

    ``cause`` is the first check that failed, in the order of :data:`SignatureCause`.
    """

    def __init__(self, cause: SignatureCause, detail: str) -> None:
        super().__init__(detail)
        self.cause: SignatureCause = cause


class Corrupt(QsopsError):
    """Data on disk or on the wire cannot be read; the message says where it lies and what was expected."""


class ServiceError(QsopsError):
    """QStash, hosted or local, did not do what was asked."""

    #: Whether the same request may succeed later without a person's doing.
    retryable: ClassVar[bool] = False


class Unreachable(ServiceError):
    """No connection could be made, so nothing was sent."""

    retryable = True


class OutcomeUnknown(ServiceError):
    """The request left, the answer was lost. Repeat it only under a deduplication id."""

    retryable = True


class Rejected(ServiceError):
    """Answered with an HTTP ``status`` that is no success; ``text`` is the service's own error text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{text} (HTTP {status})")
        self.status = status
        self.text = text


class AuthError(Rejected):
    """401 or 403: the token is missing, wrong, of another region, or may only read."""

    exit_status = 2


class QuotaExceeded(Rejected):
    """412: a limit of the plan is used up; repeating does not help."""


class RateLimited(Rejected):
    """429. ``kind`` is "burst" (per second) or "daily" (messages); ``reset_at_s`` is unix seconds, if told."""

    retryable = True

    def __init__(self, text: str, kind: RateLimitKind, reset_at_s: float | None = None) -> None:
        super().__init__(429, text)
        self.kind: RateLimitKind = kind
        self.reset_at_s = reset_at_s


class ServerFault(Rejected):
    """5xx: the service's own trouble."""

    retryable = True
