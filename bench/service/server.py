"""One of the apps under uvicorn, as all of them are run: ``python -m bench.service.server NAME PATH PORT``.

One process, uvloop and httptools, no access log. Ours logs a line a request to standard output; as ``qsops serve`` has
it, it does not ask who the peer of a proxy is, and does not say that it is uvicorn.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn

from bench.engine.process import LOOPBACK
from bench.service import apps

__all__ = ["SYNCHRONOUS"]

#: Stands before what our database's own connection says of its commits.
SYNCHRONOUS = "synchronous="


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        service = getattr(self.config.app.state, "service", None)  # type: ignore[union-attr]
        database = getattr(getattr(service, "store", None), "_database", None)
        if database is not None:
            print(f"{SYNCHRONOUS}{database.pragma('synchronous')}", flush=True)


def _app(name: str, path: str) -> Any:
    if name == "ours":
        from service.app import create_app

        return create_app()
    return {"bare": apps.bare, "sdk": apps.with_sdk}[name](path)


def main(name: str, path: str, port: str) -> None:
    """Serve until told to end."""
    options = {"loop": "uvloop", "http": "httptools", "access_log": False, "log_config": None, "backlog": 1024}
    if name == "ours":
        options |= {"proxy_headers": False, "server_header": False}
    config = uvicorn.Config(_app(name, path), host=LOOPBACK, port=int(port), **options)  # type: ignore[arg-type]
    config.load()
    _Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
