"""Where QStash finds the service: one base URL, resolved by a fixed order, never taken from a request's ``Host``.

The signature of a delivery covers its full URL, so a service that guessed its own address would refuse what was meant
for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from qsops.config.addresses import SCHEMES, base_url, is_loopback
from qsops.errors import SettingsError

__all__ = ["NGROK_TUNNELS", "PublicUrl", "Source", "fetch_loopback", "of_request", "on_vercel", "resolve"]

Source = Literal["PUBLIC_BASE_URL", "VERCEL_PROJECT_PRODUCTION_URL", "VERCEL_URL", "ngrok", "loopback"]

#: The local API of a running ngrok agent.
NGROK_TUNNELS: Final = "http://127.0.0.1:4040/api/tunnels"

_FETCH_TIMEOUT_S: Final = 0.5
_FETCH_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """A base URL without a trailing slash, and what decided it."""

    url: str
    source: Source


def resolve(
    env: Mapping[str, str], *, port: int | None, engine_local: bool, fetch: Callable[[str], str] | None
) -> PublicUrl:
    """The public base URL; the first that applies of:

    - ``PUBLIC_BASE_URL``;
    - on Vercel ``VERCEL_PROJECT_PRODUCTION_URL`` where ``VERCEL_ENV`` is production (previews have it set too), else
      ``VERCEL_URL``;
    - off Vercel a running ngrok agent with a tunnel to our ``port``;
    - loopback, if QStash is the engine on this machine (``engine_local``): the hosted service cannot reach it.

    ``fetch`` gives the text behind a URL or raises OSError (:func:`fetch_loopback`); None asks no ngrok agent.

    :raises SettingsError: naming what to set, if none applies, or the one that applies is no URL QStash could call.
    """
    if configured := env.get("PUBLIC_BASE_URL", "").strip():
        return PublicUrl(_checked(configured, "PUBLIC_BASE_URL", engine_local), "PUBLIC_BASE_URL")
    if on_vercel(env):
        return _of_vercel(env, engine_local)
    tunnels = [] if fetch is None or port is None else _tunnels(fetch)
    if tunnel := _leading_to(port, tunnels):
        return PublicUrl(_checked(tunnel, "ngrok's tunnel", engine_local), "ngrok")
    if engine_local and port is not None:
        return PublicUrl(f"http://127.0.0.1:{port}", "loopback")
    raise SettingsError(_nothing_applies(port, tunnels))


def on_vercel(env: Mapping[str, str]) -> bool:
    """Whether this process is a deployment of Vercel's."""
    # `vercel env pull` writes these variables into a laptop's .env.local, with VERCEL_ENV=development.
    deployed = env.get("VERCEL") or env.get("VERCEL_ENV") or env.get("VERCEL_URL")
    return bool(deployed) and env.get("VERCEL_ENV") != "development"


def of_request(base: str, raw_path: bytes, query: bytes) -> str:
    """The URL that a delivery was signed for: ``base``, then path and query exactly as they came on the wire."""
    url = base.rstrip("/") + raw_path.decode("latin-1")
    return f"{url}?{query.decode('latin-1')}" if query else url


def fetch_loopback(url: str) -> str:
    """The text behind a loopback URL within half a second, past any proxy.

    :raises OSError: if nothing answers there, or with an error.
    """
    with build_opener(ProxyHandler({})).open(url, timeout=_FETCH_TIMEOUT_S) as response:
        content: bytes = response.read(_FETCH_LIMIT)
    return content.decode("utf-8", "replace")


def _of_vercel(env: Mapping[str, str], engine_local: bool) -> PublicUrl:
    sources: list[Source] = ["VERCEL_URL"]
    if env.get("VERCEL_ENV") == "production":
        sources.insert(0, "VERCEL_PROJECT_PRODUCTION_URL")
    for source in sources:
        if host := env.get(source, "").strip():
            # Vercel's values have no scheme.
            return PublicUrl(_checked(host if "://" in host else f"https://{host}", source, engine_local), source)
    missing = " and ".join(sources)
    raise SettingsError(f"on Vercel, but {missing} is not set: expose the system variables, or set PUBLIC_BASE_URL")


def _checked(url: str, name: str, engine_local: bool) -> str:
    """``url`` without trailing slashes, if it can be the base of a URL that QStash calls."""
    base = base_url(name, url)
    if is_loopback(urlsplit(base).hostname) and not engine_local:
        advice = "use the local engine, ngrok or a public host"
        raise SettingsError(f"{name} is {base}, which hosted QStash cannot reach: {advice}")
    return base


def _tunnels(fetch: Callable[[str], str]) -> list[tuple[str, int]]:
    """Public URL and local port of each HTTP tunnel to this machine, https first; none if no agent answers."""
    try:
        told: Any = json.loads(fetch(NGROK_TUNNELS))
    except (OSError, ValueError, RecursionError):
        # No agent is the usual case, and something else on its port is as good as none.
        return []
    entries = told.get("tunnels") if isinstance(told, dict) else None
    found = [_tunnel(entry) for entry in entries] if isinstance(entries, list) else []
    return sorted((tunnel for tunnel in found if tunnel), key=lambda tunnel: not tunnel[0].startswith("https:"))


def _tunnel(entry: Any) -> tuple[str, int] | None:
    match entry:
        case {"proto": "http" | "https", "public_url": str(url), "config": {"addr": str(address)}}:
            port = _loopback_port(address)
            return None if port is None else (url, port)
        case _:
            return None


def _loopback_port(address: str) -> int | None:
    """The port of ``http://localhost:8000``, ``localhost:8000`` or ``8000``; None if it leads to another machine."""
    if "://" not in address:
        address = f"http://localhost:{address}" if address.isdecimal() else f"http://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port or SCHEMES.get(parts.scheme)
    except ValueError:
        return None
    return port if is_loopback(parts.hostname) else None


def _leading_to(port: int | None, tunnels: list[tuple[str, int]]) -> str | None:
    return next((url for url, leads_to in tunnels if leads_to == port), None)


def _nothing_applies(port: int | None, tunnels: list[tuple[str, int]]) -> str:
    advice = "set PUBLIC_BASE_URL to where the world reaches this service"
    if tunnels:
        elsewhere = ", ".join(sorted({str(leads_to) for _, leads_to in tunnels}))
        return f"no public URL: ngrok's tunnel leads to port {elsewhere}, this service listens on {port}; {advice}"
    ngrok = "run ngrok" if port is None else f"run `ngrok http {port}`"
    return f"no public URL: {advice}, {ngrok}, or use the local engine"
