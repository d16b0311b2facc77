"""One authenticated request, as a handler gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from qsops.engine.accounts import Account
from qsops.engine.engine import Engine
from qsops.wire.http import Request, Response

__all__ = ["Call", "Handler"]


@dataclass(frozen=True, slots=True)
class Call:
    """``request`` of ``account``; ``argument`` is the part of the path that its route leaves open."""

    engine: Engine
    account: Account
    request: Request
    caller_ip: str
    argument: str = ""


Handler = Callable[[Call], Awaitable[Response]]
