"""What a child process knows of the outside: the caller's environment without any setting of ours, and what we set."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["child_environment"]

# Every name that any part of the project reads as a setting, the vendor's regional names included.
_SETTING = re.compile(
    r"QSTASH|^QSOPS_|^INSTAGRAM_|^INTERNAL_|^PUBLIC_BASE_URL$|^DATABASE_URL$|^ALLOWED_HOSTS$"
    r"|^ALERT_WEBHOOK_URL$|^VERCEL",
    re.IGNORECASE,
)
# A proxy between processes of one machine would be asked for addresses that mean something else to it.
_LOOPBACK_HOSTS = "127.0.0.1,localhost,::1"


def child_environment(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: ``environ`` stripped of every setting, then ``settings``; dotenv files are off.

    What is no setting stays (``PATH``, locale, temporary folder); loopback is never reached through a proxy.
    """
    kept = {name: value for name, value in environ.items() if not _SETTING.search(name)}
    bypass = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), _LOOPBACK_HOSTS)))
    return {
        **kept,
        "NO_PROXY": bypass,
        "no_proxy": bypass,
        "PYTHONUNBUFFERED": "1",
        "QSOPS_DOTENV": "off",
        **settings,
    }
