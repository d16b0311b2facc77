"""What may be a name or an id: the alphabet that queues, URL groups and schedules share, and how long each may be."""

from __future__ import annotations

import re
from typing import Final

from qsops.errors import Rejected
from qsops.wire import texts

__all__ = ["ID_LIMIT", "LABELS_LIMIT", "NAME_LIMIT", "bounded", "check_name", "is_name"]

#: Characters of the name of a queue, URL group or schedule, and of a label.
NAME_LIMIT: Final = texts.NAME_LIMIT
#: Characters of what may be any text: a deduplication id, a flow-control key, an event of a workflow.
ID_LIMIT: Final = 1_024
#: Labels of one message, and fields that it hides.
LABELS_LIMIT: Final = 100

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def is_name(text: str) -> bool:
    """Whether a queue, URL group or schedule may be called ``text``."""
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


def check_name(what: str, name: str) -> str:
    """``name``, if a ``what`` (queue, url group, schedule) may have it.

    :raises Rejected: 400.
    """
    if not is_name(name):
        raise Rejected(400, texts.invalid_name(what, name))
    return name


def bounded(value: str, limit: int = ID_LIMIT) -> str:
    """``value``, if it has at most ``limit`` characters; else a ValueError that says so."""
    if len(value) > limit:
        raise ValueError(f"it has at most {limit} characters, not {len(value)}")
    return value
