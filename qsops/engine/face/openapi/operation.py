"""What is told of one endpoint, and the parameters that endpoints share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from qsops.engine.face.openapi.shapes import NUMBER, TEXT, TEXTS, Schema, choice, object_of, whole
from qsops.wire.log_groups import GROUP_KINDS
from qsops.wire.options import OPTION_HEADERS
from qsops.wire.query import ORDERS, TOKEN
from qsops.wire.trimming import TRIM_BODY

__all__ = [
    "ANYTHING",
    "CRON",
    "NOTHING",
    "OPTIONS",
    "Operation",
    "Parameter",
    "header",
    "ids_body",
    "operation_json",
    "query",
]

#: The endpoint's body is handed on as it is, of whatever type.
ANYTHING: Final[Schema] = {"type": "string", "format": "binary"}
#: Its answer's body says nothing that a client reads.
NOTHING: Final[Schema] = {}

_NUMBERS: Final = {"fromDate": NUMBER, "toDate": NUMBER, "rate": whole(1), "period": whole(1), "parallelism": whole(1)}
_TEXT_ALONE: Final = frozenset({"cursor", "messageId", "search", "cancel"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter beside those of the path, which its template names."""

    name: str
    place: str
    schema: Schema
    required: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "in": self.place, "schema": self.schema, "required": self.required}


@dataclass(frozen=True, slots=True)
class Operation:
    """What an endpoint takes and answers; every other status has the one form of every error."""

    summary: str
    answer: Schema
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    statuses: tuple[int, ...] = (200,)


def query(*names: str, most: int | None = None) -> tuple[Parameter, ...]:
    """Query parameters by name; ``most`` is the largest count. What may be repeated may be comma-separated, too."""
    return tuple(Parameter(name, "query", _of_query(name, most)) for name in names)


def header(name: str, *, required: bool = False) -> Parameter:
    """A header."""
    return Parameter(name, "header", TEXT, required)


#: The options of a message. Each may stand in the query, in lower case, and any header behind ``Upstash-Forward-``.
OPTIONS: Final = tuple(header(name) for name in OPTION_HEADERS)
#: A schedule's own.
CRON: Final = (header("Upstash-Cron", required=True), header("Upstash-Schedule-Id"))


def ids_body(name: str) -> Schema:
    """The ids of a bulk call as a body, as the Python SDK sends them."""
    return object_of({name: {**TEXTS, "minItems": 1}}, (name,), closed=True)


def operation_json(told: Operation, path_names: Iterable[str]) -> dict[str, Any]:
    """``told`` as OpenAPI has it."""
    parameters = [Parameter(name, "path", _of_path(name), True).as_json() for name in path_names]
    answers: dict[str, Any] = {
        str(status): {"description": told.summary, "content": {"application/json": {"schema": told.answer}}}
        for status in told.statuses
    }
    error = {"description": "Why not", "content": {"application/json": {"schema": _ERROR}}}
    found = {
        "summary": told.summary,
        "parameters": [*parameters, *(one.as_json() for one in told.parameters)],
        "responses": {**answers, "4XX": error, "5XX": error},
    }
    if told.body is not None:
        kind = "*/*" if told.body is ANYTHING else "application/json"
        found["requestBody"] = {"content": {kind: {"schema": told.body}}}
    return found


_ERROR: Final[Mapping[str, Any]] = {"$ref": "#/components/schemas/Error"}


def _of_query(name: str, most: int | None) -> Schema:
    if name == "order":
        return choice(*ORDERS)
    if name == "groupBy":
        return choice(*GROUP_KINDS)
    if name == TRIM_BODY:
        return {"type": "integer", "minimum": -1}
    if name == "count":
        return whole(1, most)
    if name in _NUMBERS:
        return _NUMBERS[name]
    if name == "responseStatus":
        return {"type": "array", "items": NUMBER}
    return TEXT if name in _TEXT_ALONE or name == TOKEN else TEXTS


def _of_path(name: str) -> Schema:
    if name in ("destination", "workflowUrl"):
        return {**TEXT, "pattern": r"^https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{1,3})?(/[A-Za-z0-9_/-]*)?$"}
    return {**TEXT, "minLength": 1}
