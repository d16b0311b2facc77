"""Filters as SQL: values of one field are ORed, fields are ANDed, and every value is bound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Conditions", "labels_condition", "message_conditions"]


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


def message_conditions(conditions: Conditions, **fields: Sequence[str]) -> None:
    """Conditions on columns of ``messages m``, named by the columns."""
    for column, values in fields.items():
        conditions.one_of(f"m.{column}", column, values)


def labels_condition(conditions: Conditions, labels: Sequence[str]) -> None:
    """At least one label of the message is among ``labels``."""
    if labels:
        conditions.where(
            "exists (select 1 from json_each(m.labels) own where own.value in (select value from json_each(:labels)))",
            labels=json.dumps(labels),
        )
