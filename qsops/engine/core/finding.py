"""Finding lines of the log: the numbers of those that match, in the order of the page, without reading the others.

The log is long, and a page is short. Whatever the filter, there is a way along an index: by message, by the traits of
messages, by state, or along the log itself, which is the order of the page anyway. Measured in ``bench``.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.filters import Conditions, trait_conditions
from qsops.models import LogFilter, State

__all__ = ["find_lines"]

#: So many traits are followed side by side, each along its own part of the index.
_SIDE_BY_SIDE: Final = 500
#: So many lines are rather collected and sorted than searched for along the whole log.
_SORTED: Final = 200_000
#: How many lines of the log share a span of time, as a shift.
_SPAN_SHIFT: Final = 12

#: What a state filter means beyond itself (reference, sections 0.3 and 10).
_MEANT: Final = {
    State.IN_PROGRESS: (State.ACTIVE, State.RETRY, State.ERROR),
    "CANCELLED": (State.CANCELED,),
}

_OF_TRAIT: Final = "l.trait = :trait"
_OF_TRAITS: Final = "l.trait in (select t.trait from traits t where {})"
_OF_MESSAGES: Final = """
    l.message in (select seq from messages where id in (select value from json_each(:ids)) and account = :account)
"""
_FIRST_SPAN: Final = "select min(span) from log_spans where to_ms >= ?"
_LAST_SPAN: Final = "select max(span) from log_spans where from_ms <= ?"


@dataclass(frozen=True, slots=True)
class _Search:
    """What the ways have in common: the part of the log, its direction, and what else a line must be."""

    connection: Connection
    account: int
    earliest_first: bool
    limit: int
    first: int
    last: int
    conditions: Conditions

    def lines(self, way: str, **parameters: Any) -> Iterable[int]:
        """The numbers of the lines that ``way`` leads to, in order."""
        direction = "asc" if self.earliest_first else "desc"
        sql = f"""
            select l.seq from log l where {way} and l.seq between :first and :last and {self.conditions.sql}
            order by l.seq {direction} limit :limit
        """
        known = {"account": self.account, "first": self.first, "last": self.last, "limit": self.limit}
        return (seq for (seq,) in self.connection.execute(sql, {**known, **self.conditions.parameters, **parameters}))


def find_lines(connection: Connection, account: int, wanted: LogFilter, after: int, limit: int) -> Iterable[int]:
    """The first ``limit`` lines behind ``after`` that match ``wanted``."""
    traits = Conditions()
    trait_conditions(traits, wanted)
    states = [meant for state in wanted.states for meant in _MEANT.get(state, (state,))]
    search = _search(connection, account, wanted, after, limit)
    if wanted.message_ids:
        return _by_message(search, wanted.message_ids, traits, states)
    if traits.clauses:
        return _by_traits(search, traits, states)
    if len(states) == 1:
        return search.lines("l.account = :account and l.state = :state", state=states[0])
    _add_states(search.conditions, states)
    return search.lines("+l.account = :account")


def _search(connection: Connection, account: int, wanted: LogFilter, after: int, limit: int) -> _Search:
    first, last = (after + 1, 2**62) if wanted.earliest_first else (1, after - 1)
    if wanted.from_ms is not None:
        (span,) = connection.execute(_FIRST_SPAN, (wanted.from_ms,)).fetchone()
        first = max(first, 2**62 if span is None else span << _SPAN_SHIFT)
    if wanted.to_ms is not None:
        (span,) = connection.execute(_LAST_SPAN, (wanted.to_ms,)).fetchone()
        last = min(last, -1 if span is None else ((span + 1) << _SPAN_SHIFT) - 1)
    conditions = Conditions()
    conditions.between("l.time_ms", wanted.from_ms, wanted.to_ms)
    return _Search(connection, account, wanted.earliest_first, limit, first, last, conditions)


def _by_message(search: _Search, ids: Sequence[str], traits: Conditions, states: Sequence[str]) -> Iterable[int]:
    if traits.clauses:
        search.conditions.where(f"+{_OF_TRAITS.format(traits.sql)}", **traits.parameters)
    _add_states(search.conditions, states)
    return search.lines(_OF_MESSAGES, ids=json.dumps(ids))


def _by_traits(search: _Search, traits: Conditions, states: Sequence[str]) -> Iterable[int]:
    """Few traits are followed side by side; the lines of many are collected, or met on the way along the log."""
    _add_states(search.conditions, states)
    traits.where("t.account = :account", account=search.account)
    found = [number for (number,) in search.connection.execute(_matching(traits), traits.parameters)]
    if len(found) <= _SIDE_BY_SIDE:
        ways = [search.lines(_OF_TRAIT, trait=trait) for trait in found]
        return heapq.merge(*ways, reverse=not search.earliest_first)
    way = _OF_TRAITS.format(traits.sql)
    return search.lines(way if _are_few(search, way, traits) else f"+{way}", **traits.parameters)


def _matching(traits: Conditions) -> str:
    return f"select t.trait from traits t where {traits.sql} limit {_SIDE_BY_SIDE + 1}"


def _are_few(search: _Search, way: str, traits: Conditions) -> bool:
    sql = f"select count(*) from (select 1 from log l where {way} limit {_SORTED})"
    (count,) = search.connection.execute(sql, traits.parameters).fetchone()
    return bool(count < _SORTED)


def _add_states(conditions: Conditions, states: Sequence[str]) -> None:
    """The plus sign keeps the planner from the index of states, which would have to be sorted for the page."""
    conditions.one_of("+l.state", "states", states)
