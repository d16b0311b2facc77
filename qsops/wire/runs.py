"""The headers by which the messages of a workflow's run are known, to QStash and to their destination."""

from __future__ import annotations

from typing import Final

from qsops.models import Headers
from qsops.wire.http import header
from qsops.wire.values import number
from qsops.wire.waits import RUN_ID

__all__ = ["RUN_PREFIX", "run_created_at_ms", "run_headers", "run_id_of", "run_start_headers"]

#: Headers of a run's messages, lower-case.
RUN_PREFIX: Final = "upstash-workflow-"

_CREATED_AT: Final = "Upstash-Workflow-CreatedAt"
_INIT: Final = "Upstash-Workflow-Init"
_URL: Final = "Upstash-Workflow-Url"


def run_start_headers(run_id: str, url: str, created_at_ms: int) -> Headers:
    """Those of the first message of a run."""
    return ((RUN_ID, run_id), (_INIT, "true"), (_URL, url), (_CREATED_AT, str(created_at_ms)))


def run_headers(headers: Headers) -> Headers:
    """Those among ``headers``."""
    return tuple(pair for pair in headers if pair[0].lower().startswith(RUN_PREFIX))


def run_id_of(headers: Headers) -> str | None:
    """The run that a message with ``headers`` belongs to."""
    return header(headers, RUN_ID)


def run_created_at_ms(headers: Headers) -> int | None:
    """When that run was started, if it is told."""
    return number(header(headers, _CREATED_AT))
