"""The service in this process: found by name, since the toolkit never imports it."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from qsops.config import Target
from qsops.errors import SettingsError
from qsops.stack.environment import child_environment
from qsops.stack.ports import require_free

__all__ = ["serve", "service_environment"]

_APP = "service.app"
_NEEDED = ("service", "fastapi", "pydantic_settings", "prometheus_client")
#: For the commit and the way back of what was delivered last.
STOP_MARGIN_S = 5
# What a service on this machine may still be told: whose events it takes, and what handles them.
_KEPT_LOCALLY = (
    "INSTAGRAM_APP_SECRET",
    "INSTAGRAM_VERIFY_TOKEN",
    "INSTAGRAM_ACCOUNT_IDS",
    "INTERNAL_API_TOKEN",
    "QSOPS_HANDLER",
    "QSOPS_RETRIES",
    "QSOPS_RETRY_DELAY",
    "QSOPS_DELIVERY_TIMEOUT",
    "QSOPS_INGEST_MODE",
    "QSOPS_CONCURRENCY",
    "QSOPS_CLAIM_RETENTION",
)


def serve(environ: Mapping[str, str], *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Run the service until SIGINT or SIGTERM, told everything by ``environ``, which becomes this process's own.

    ``on_ready`` gets the URL once requests are answered.

    :raises SettingsError: a setting is missing or malformed, the port is taken, or the service is not installed.
    """
    require_free(port, name="service", option="--port", host=host)
    os.environ.clear()
    os.environ.update(environ)
    # As uvicorn's own command does: a handler in a module beside the project is found, however we were called.
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        app = importlib.import_module(_APP).create_app()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        raise SettingsError(
            f"the service needs {error.name}: install it with `pip install 'qsops[service]'`"
        ) from error
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing asks who the peer of a proxy is: the signature decides, and the public URL is a setting.
        proxy_headers=False,
        # What is under way is finished; by then QStash has given up on it.
        timeout_graceful_shutdown=app.state.service.settings.delivery_timeout_s + STOP_MARGIN_S,
    )
    _Server(config, on_ready).run()


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready; being stopped is the way to end it, and no failure."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = self.config.host
            self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{self.config.port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's own, but for its end: that raises the signal once more."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def service_environment(target: Target, env: Mapping[str, str], *, host: str, port: int) -> dict[str, str]:
    """What the service reads as its environment, so that it publishes to ``target`` and nowhere else.

    ``env`` is the whole environment, files included. On the local target nothing of a deployment is left in it: neither
    its public URL nor its database.
    """
    bound = {"QSOPS_HOST": host, "QSOPS_PORT": str(port), "QSOPS_DOTENV": "off"}
    if target.name == "env":
        return {**env, **bound}
    keys = target.keys
    addressed = {
        "QSTASH_URL": target.url,
        "QSTASH_TOKEN": target.token or "",
        "QSTASH_CURRENT_SIGNING_KEY": (keys.current if keys else "") or "",
        "QSTASH_NEXT_SIGNING_KEY": (keys.next if keys else "") or "",
    }
    if target.kind != "local":
        others = {name: value for name, value in env.items() if "QSTASH" not in name}
        return {**others, **addressed, **bound}
    kept = {name: env[name] for name in _KEPT_LOCALLY if name in env}
    public = {"PUBLIC_BASE_URL": f"http://{f'[{host}]' if ':' in host else host}:{port}"}
    return child_environment(env, {**kept, **addressed, **public, **bound})
