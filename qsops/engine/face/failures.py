"""What went wrong, as an answer."""

from __future__ import annotations

import sqlite3
from typing import Final

from qsops.engine.face.rates import TooMany
from qsops.engine.texts import DATABASE_FULL, DATABASE_UNAVAILABLE
from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire.http import Response

__all__ = ["error_response", "of_database", "of_rejection"]

#: The low byte of SQLite's extended codes is the kind of the error.
_KIND: Final = 0xFF


def error_response(status: int, text: str, headers: Headers = ()) -> Response:
    """The one form of every error (reference, section 1)."""
    return Response.of_json(status, {"error": text}, headers)


def of_rejection(error: Rejected) -> Response:
    """The answer to a request that was refused."""
    return error_response(error.status, error.text, error.headers if isinstance(error, TooMany) else ())


def of_database(error: sqlite3.OperationalError) -> Response:
    """507 for a full disk, 503 for a database that is read-only, locked or failing: either may pass by itself."""
    if error.sqlite_errorcode & _KIND == sqlite3.SQLITE_FULL:
        return error_response(507, DATABASE_FULL)
    return error_response(503, DATABASE_UNAVAILABLE)
