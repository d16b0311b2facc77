"""The front of the app: which hosts it answers to, and the hot routes without FastAPI's way to them.

A hot route is a function of the request that reads its own body and returns its own answer: nothing of FastAPI's stack
of middlewares, routing and dependencies does anything for it, and costs more than its work. FastAPI knows the routes
all the same, describes them, and serves what comes to them by another way, such as under a prefix.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from service import log
from service.answers import refusal
from service.hosts import Hosts

__all__ = ["FAULT", "Front"]

FAULT: Final = "internal error"

Endpoint = Callable[[Request], Awaitable[Response]]


class Front(FastAPI):
    """FastAPI behind its own front."""

    def __init__(self, hosts: Hosts, *, has_docs: bool, **options: Any) -> None:
        docs_url, openapi_url = ("/docs", "/openapi.json") if has_docs else (None, None)
        super().__init__(docs_url=docs_url, redoc_url=None, openapi_url=openapi_url, **options)
        self._hosts = hosts
        self._hot: dict[str, Endpoint] = {}

    def include_hot(self, router: APIRouter) -> None:
        """Include ``router``, and serve each POST of it by its own function, which takes the request alone."""
        self.include_router(router)
        for route in router.routes:
            if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
                self._hot[route.path] = route.endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        refused = self._hosts.refusal(scope)
        if refused is not None:
            return await refusal(*refused)(scope, receive, send)
        endpoint = self._hot.get(scope["path"]) if scope["method"] == "POST" else None
        if endpoint is None:
            return await super().__call__(scope, receive, send)
        request = Request(scope, receive, send)
        try:
            answer = await endpoint(request)
        except Exception as error:  # noqa: BLE001  # what nobody expected is an answer, too, and a line
            answer = await self._failed(request, error)
        return await answer(scope, receive, send)

    async def _failed(self, request: Request, error: Exception) -> Response:
        """What the app's own handlers make of ``error``."""
        for kind in type(error).__mro__:
            handler = self.exception_handlers.get(kind)
            if handler is not None:
                answer = handler(request, error)
                return await answer if inspect.isawaitable(answer) else answer
        log.fault("fault", route=request.url.path, error=type(error).__name__)
        return refusal(500, FAULT)
