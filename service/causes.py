"""Why a message failed, as a group has it: the same for all that fail alike, and free of ids and of people's words."""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import urlsplit

from qsops.models import CallbackReport

__all__ = ["cause_of"]

_CHARS: Final = 160
_READ: Final = 4_096
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|„[^“]*“|«[^»]*»")
# Ids have digits in them, whatever else they are made of; a word has none.
_ID: Final = re.compile(r"\S*\d\S*")
_SPACE: Final = re.compile(r"\s+")


def cause_of(report: CallbackReport, own_url: str) -> str:
    """``answered 500: the handler failed: ValueError``.

    Our own consumer's errors name causes, never what a person wrote (:class:`~service.errors.Permanent` asks for the
    same). Others may answer whatever they like: of them it is the status and the host.
    """
    answered = f"answered {report.status}" if report.status else "no answer"
    if report.url != own_url:
        return f"{answered} by {_host(report.url)}"
    error = _error(report.body)
    return f"{answered}: {error}" if error else answered


def _error(body: bytes) -> str:
    """The consumer's ``error`` without ids, numbers and quotations; empty when the answer is none of its own."""
    try:
        value = json.loads(body) if len(body) <= _READ else None
    except (ValueError, RecursionError):
        return ""
    text = value.get("error") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    return _SPACE.sub(" ", _ID.sub("#", _QUOTED.sub("…", text))).strip()[:_CHARS]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
