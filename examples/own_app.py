"""A consumer of your own: every delivery that arrives here was signed by QStash for this URL.

Beside `qsops engine`: QSTASH_DEV=true PUBLIC_BASE_URL=http://127.0.0.1:8300 uvicorn examples.own_app:app --port 8300
"""

import logging
from typing import Annotated

from fastapi import Depends, FastAPI, Response

from qsops.receive import Delivery, verified

app = FastAPI()
log = logging.getLogger("uvicorn.error")


@app.post("/hook")
async def hook(delivery: Annotated[Delivery, Depends(verified())]) -> Response:
    """Take one delivery; a 2xx answer tells QStash that it is done."""
    try:
        # Ids go into the log, what people wrote does not.
        log.info("attempt %d of %s: %d fields", delivery.retried + 1, delivery.message_id, len(delivery.json()))
    except ValueError:  # No retry will mend it: straight to the dead letters.
        return Response(status_code=489, headers={"Upstash-NonRetryable-Error": "true"})
    return Response()
