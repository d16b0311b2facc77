"""Filters as SQL: values of one field are ORed, fields are ANDed, and every value is bound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qsops.models import CancelFilter, DlqFilter, LogFilter

__all__ = ["Conditions", "trait_conditions"]

_COLUMNS: Final = {
    "url": "urls",
    "url_group": "url_groups",
    "queue": "queues",
    "schedule_id": "schedule_ids",
    "host": "hosts",
    "path": "paths",
    "flow_control_key": "flow_control_keys",
    "caller_ip": "caller_ips",
}
#: At least one label of the message is among those asked for.
_LABELS: Final = """
    t.trait in (
        select trait from trait_labels where account = :account and label in (select value from json_each(:labels))
    )
"""


@dataclass(slots=True)
class Conditions:
    """Conditions that must all hold, and the parameters they bind."""

    clauses: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def where(self, clause: str, **parameters: Any) -> None:
        """One more condition."""
        self.clauses.append(clause)
        self.parameters.update(parameters)

    def one_of(self, column: str, name: str, values: Sequence[str | int]) -> None:
        """``column`` has one of ``values``; without values anything goes."""
        if values:
            self.where(f"{column} in (select value from json_each(:{name}))", **{name: json.dumps(values)})

    def between(self, column: str, from_ms: int | None, to_ms: int | None) -> None:
        """``column`` lies within the dates, both inclusive."""
        if from_ms is not None:
            self.where(f"{column} >= :from_ms", from_ms=from_ms)
        if to_ms is not None:
            self.where(f"{column} <= :to_ms", to_ms=to_ms)

    @property
    def sql(self) -> str:
        """All of them, for a ``where`` clause."""
        return " and ".join(self.clauses) or "true"


def trait_conditions(conditions: Conditions, wanted: LogFilter | DlqFilter | CancelFilter) -> None:
    """What ``wanted`` asks of ``traits t``, within ``:account``; dead letters have no filter by host or path."""
    for column, field_name in _COLUMNS.items():
        conditions.one_of(f"t.{column}", column, getattr(wanted, field_name, ()))
    if wanted.labels:
        conditions.where(_LABELS, labels=json.dumps(wanted.labels))
