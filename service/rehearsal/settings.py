"""The settings of a service that is rehearsed in memory: nothing in them is anybody's secret."""

from __future__ import annotations

from typing import Any, Final

from qsops.config import DEV_USERS, EMBEDDED_URL
from service.settings import Settings

__all__ = ["APP_SECRET", "INTERNAL_TOKEN", "VERIFY_TOKEN", "rehearsal_settings"]

APP_SECRET: Final = "rehearsal-app-secret"
VERIFY_TOKEN: Final = "rehearsal-verify-token"
INTERNAL_TOKEN: Final = "rehearsal-internal-token"


def rehearsal_settings(public_base_url: str = "https://service.example", **changes: Any) -> Settings:
    """A service in memory, for an embedded engine: ``create_app(rehearsal_settings(), clock=…, transport=…)``."""
    user = DEV_USERS[0]
    told = {
        "qstash_url": EMBEDDED_URL,
        "qstash_token": user.token,
        "qstash_current_signing_key": user.keys.current,
        "qstash_next_signing_key": user.keys.next,
        "instagram_app_secret": APP_SECRET,
        "instagram_verify_token": VERIFY_TOKEN,
        "internal_api_token": INTERNAL_TOKEN,
        "public_base_url": public_base_url,
        "database_url": "sqlite:///:memory:",
    }
    return Settings(**{**told, **changes})
