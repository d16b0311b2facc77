"""The service's settings: read once, checked at start, frozen, masked when printed."""

from __future__ import annotations

from service.settings.loading import database_url, load
from service.settings.settings import DEFAULT_HANDLER, Settings

__all__ = ["DEFAULT_HANDLER", "Settings", "database_url", "load"]
