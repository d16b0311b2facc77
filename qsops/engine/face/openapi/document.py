"""The document as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from qsops.engine.face.openapi.operation import Operation, operation_json
from qsops.engine.face.openapi.operations import OPERATIONS
from qsops.engine.face.openapi.shapes import COMPONENTS
from qsops.engine.face.routes import ROUTES, Route
from qsops.wire.http import Response
from qsops.wire.query import TOKEN

__all__ = ["DOCUMENT_PATH", "document", "document_response", "undescribed"]

#: Where it is served, to anybody: it tells nothing that is not printed in the documents.
DOCUMENT_PATH: Final = "/openapi.json"

_NAME: Final = re.compile(r"\{(\w+)\}")
_GROUP: Final = re.compile(r"\([^)]*\)")
_VERSION: Final = "2"


@cache
def document() -> Mapping[str, Any]:
    """OpenAPI 3.1 of what is served."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        found = _described(route)
        if found is not None:
            path, told = found
            paths.setdefault(path, {})[route.method.lower()] = operation_json(told, _NAME.findall(path))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "QStash, as served by qsops engine",
            "version": _VERSION,
            "description": "Options of a message are headers, or query parameters of the same name in lower case.",
        },
        "security": [{"bearer": []}, {"parameter": []}],
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "parameter": {"type": "apiKey", "in": "query", "name": TOKEN},
            },
        },
    }


@cache
def document_response() -> Response:
    """The document as an answer."""
    return Response.of_json(200, document())


def undescribed() -> list[tuple[str, str]]:
    """Method and pattern of the routes of which the document tells nothing."""
    return [(route.method, route.pattern.pattern) for route in ROUTES if _described(route) is None]


def _described(route: Route) -> tuple[str, Operation] | None:
    """The path of ``route`` with its parameters' names, and what is told of it."""
    wanted = (route.method, _GROUP.sub("{}", route.pattern.pattern))
    for (method, path), told in OPERATIONS.items():
        if (method, _NAME.sub("{}", path)) == wanted:
            return path, told
    return None
