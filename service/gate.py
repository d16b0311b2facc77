"""The gate in front of what QStash calls: size first, then the signature against the public URL."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request, Response

from qsops.clock import Clock
from qsops.errors import SignatureRefused
from qsops.models import KeyPair
from qsops.receive import BODY_LIMIT, Delivery, Verifier
from qsops.wire.delivery import parse_raw_delivery_headers
from service import log
from service.answers import refusal
from service.body import read_body
from service.settings import Settings
from service.tally import Refusal, Tally

__all__ = ["SIGNATURE_REFUSED", "Gate"]

SIGNATURE_REFUSED = "signature refused: {cause}"


class Gate:
    """Lets in what QStash signed for one of our routes; keeps the cause of each refusal for ``/refusals``."""

    def __init__(self, settings: Settings, clock: Clock, tally: Tally) -> None:
        self._base_url = settings.public_base_url
        self._verifier = Verifier(_keys(settings), clock=clock)
        self._clock = clock
        self._tally = tally

    async def admit(self, request: Request, path: str) -> Delivery | Response:
        """The delivery, or the answer that turns it away.

        401 is what QStash retries: the wrong key may be our own fault, and must not cost a message.

        :raises BodyRefused: before the signature is looked at.
        """
        body = await read_body(request, BODY_LIMIT)
        raw_headers = request.scope["headers"]
        try:
            return self._verifier.verify(raw_headers, body, self._base_url + path)
        except SignatureRefused as refused:
            message_id = parse_raw_delivery_headers(raw_headers).message_id
            self._tally.refuse(Refusal(self._clock.now_ms(), path, refused.cause, str(refused), message_id))
            log.fault("refused", route=path, cause=refused.cause, message_id=message_id)
            return refusal(401, SIGNATURE_REFUSED.format(cause=refused.cause))


def _keys(settings: Settings) -> KeyPair | Callable[[str | None], KeyPair]:
    """The keys by the region that a delivery comes from, where there are several."""
    plain, regional = settings.signing_keys, settings.regional_keys
    if not regional:
        return plain
    return lambda region: regional.get((region or "").upper().replace("-", "_"), plain)
