"""Posting a workload as Meta does: what is answered 5xx, or not at all, is posted again, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx

from qsops.errors import Rejected, Unreachable
from service.samples import signed_headers

__all__ = ["Posted", "post_all"]

Sleep = Callable[[float], Awaitable[object]]

TRIES: Final = 60
WAIT_S: Final = 0.5
ANSWER_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Posted:
    """How many bodies were taken, and how many had to be posted again."""

    posts: int = 0
    repeats: int = 0


async def post_all(
    bodies: tuple[bytes, ...], url: str, secret: str, http: httpx.AsyncClient, sleep: Sleep = asyncio.sleep
) -> Posted:
    """Post each body, signed with ``secret``, until it is answered 200.

    :raises Rejected: when one is answered 4xx, which no repeat mends.
    :raises Unreachable: when one was not taken in 60 tries, half a second apart.
    """
    repeats = 0
    for body in bodies:
        repeats += await _post(body, url, secret, http, sleep)
    return Posted(len(bodies), repeats)


async def _post(body: bytes, url: str, secret: str, http: httpx.AsyncClient, sleep: Sleep) -> int:
    """How often it had to be posted again."""
    last = ""
    for repeat in range(TRIES):
        try:
            answer = await http.post(url, content=body, headers=signed_headers(secret, body), timeout=ANSWER_TIMEOUT_S)
            if answer.is_success:
                return repeat
            if answer.is_client_error:
                raise Rejected(answer.status_code, f"{url} refused a POST of the workload: {answer.text[:200]}")
            last = f"answered {answer.status_code}"
        except httpx.TransportError as error:
            last = f"{type(error).__name__}: {error}"
        await sleep(WAIT_S)
    raise Unreachable(f"{url} did not take a POST in {TRIES} tries; the last: {last}")
