"""What the hosted service has given up: it answers there, and sends who comes elsewhere."""

from __future__ import annotations

from qsops.engine.face.call import Call
from qsops.engine.texts import LLM_IS_GONE
from qsops.errors import Rejected
from qsops.wire.http import Response

__all__ = ["llm"]


async def llm(call: Call) -> Response:
    """``POST /llm/v1/chat/completions``, and what is published to ``api/llm``.

    :raises Rejected: 410, always.
    """
    raise Rejected(410, LLM_IS_GONE)
