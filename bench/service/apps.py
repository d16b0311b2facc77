"""What a user would write without us: a route that only reads the body, and one that verifies with the vendor's SDK."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, HTTPException, Request

__all__ = ["bare", "with_sdk"]


def bare(path: str) -> FastAPI:
    """It reads the body, and says yes."""
    app = FastAPI()

    @app.post(path)
    async def take(request: Request) -> Any:
        await request.body()
        return {"status": "ok"}

    return app


def with_sdk(path: str) -> FastAPI:
    """It checks the signature as the vendor's examples do; it neither claims nor stores."""
    from qstash import Receiver

    receiver = Receiver(
        current_signing_key=os.environ["QSTASH_CURRENT_SIGNING_KEY"],
        next_signing_key=os.environ["QSTASH_NEXT_SIGNING_KEY"],
    )
    url = os.environ["PUBLIC_BASE_URL"] + path
    app = FastAPI()

    @app.post(path)
    async def take(request: Request) -> Any:
        body = await request.body()
        try:
            receiver.verify(body=body.decode(), signature=request.headers["Upstash-Signature"], url=url)
        except Exception as error:
            raise HTTPException(401) from error
        return {"status": "ok"}

    return app
