"""What engine, service and those who call them agree on when all of them run on one machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qsops.clock import Ids
from qsops.config import DEV_USERS
from qsops.stack.ports import LOOPBACK

__all__ = ["LocalSettings"]

_USER = DEV_USERS[0]
_SECRET_LENGTH = 32


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Ports, database and throwaway secrets of one stack; the engine's user is the vendor's first dev user."""

    engine_port: int
    service_port: int
    database: Path
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    internal_token: str = field(repr=False)

    @classmethod
    def make(cls, ids: Ids, *, engine_port: int, service_port: int, database: Path) -> LocalSettings:
        """Settings with fresh secrets."""
        secrets = [ids.secret(prefix, _SECRET_LENGTH) for prefix in ("app_", "verify_", "int_")]
        return cls(engine_port, service_port, database, *secrets)

    @property
    def token(self) -> str:
        """The token that the engine takes."""
        return _USER.token

    @property
    def engine_url(self) -> str:
        return f"http://{LOOPBACK}:{self.engine_port}"

    @property
    def service_url(self) -> str:
        return f"http://{LOOPBACK}:{self.service_port}"

    def of_service(self, **more: str) -> dict[str, str]:
        """All that the service is told."""
        return {
            "QSTASH_URL": self.engine_url,
            "QSTASH_TOKEN": _USER.token,
            "QSTASH_CURRENT_SIGNING_KEY": _USER.keys.current,
            "QSTASH_NEXT_SIGNING_KEY": _USER.keys.next or "",
            "INSTAGRAM_APP_SECRET": self.app_secret,
            "INSTAGRAM_VERIFY_TOKEN": self.verify_token,
            "INTERNAL_API_TOKEN": self.internal_token,
            "PUBLIC_BASE_URL": self.service_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            **more,
        }

    def of_callers(self) -> dict[str, str]:
        """What a session on the target ``local``, and a sender of signed events, need to find and convince the two."""
        return {
            "QSTASH_DEV_PORT": str(self.engine_port),
            "PUBLIC_BASE_URL": self.service_url,
            "INTERNAL_API_TOKEN": self.internal_token,
            "INSTAGRAM_APP_SECRET": self.app_secret,
            "INSTAGRAM_VERIFY_TOKEN": self.verify_token,
        }
