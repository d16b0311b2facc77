"""Finding lines of the log: the numbers of those that match, in the order of the page, without reading the others.

The log is long, and a page is short. Whatever the filter, there is a way along an index: by message, by the traits of
messages, by state, or along the log itself, which is the order of the page anyway. Measured in ``bench``.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.filters import Conditions, trait_conditions
from qsops.engine.core.spans import first_line, last_line
from qsops.models import LogFilter, State

__all__ = ["find_lines"]

#: So many traits are followed, each along its own part of the index; of more than these, every few lines match.
_FOLLOWED: Final = 100_000

#: What a state filter means beyond itself (reference, sections 0.3 and 10).
_MEANT: Final = {
    State.IN_PROGRESS: (State.ACTIVE, State.RETRY, State.ERROR),
    "CANCELLED": (State.CANCELED,),
}

_OF_TRAIT: Final = "l.trait = :trait"
#: The matching traits with the first of the lines that each has in the part of the log that is asked for.
_HEADS: Final = """
    select (select {first_of}(l.seq) from log l where l.trait = t.trait and l.seq between :first and :last), t.trait
    from traits t where {{}} limit {most}
"""
_LATEST_HEADS: Final = _HEADS.format(first_of="max", most=_FOLLOWED + 1)
_EARLIEST_HEADS: Final = _HEADS.format(first_of="min", most=_FOLLOWED + 1)
_OF_TRAITS: Final = "l.trait in (select t.trait from traits t where {})"
_OF_MESSAGES: Final = """
    l.message in (select seq from messages where id in (select value from json_each(:ids)) and account = :account)
"""


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
        line = first_line(connection, wanted.from_ms)
        first = max(first, 2**62 if line is None else line)
    if wanted.to_ms is not None:
        line = last_line(connection, wanted.to_ms)
        last = min(last, -1 if line is None else line)
    conditions = Conditions()
    conditions.between("l.time_ms", wanted.from_ms, wanted.to_ms)
    return _Search(connection, account, wanted.earliest_first, limit, first, last, conditions)


def _by_message(search: _Search, ids: Sequence[str], traits: Conditions, states: Sequence[str]) -> Iterable[int]:
    if traits.clauses:
        search.conditions.where(f"+{_OF_TRAITS.format(traits.sql)}", **traits.parameters)
    _add_states(search.conditions, states)
    return search.lines(_OF_MESSAGES, ids=json.dumps(ids))


def _by_traits(search: _Search, traits: Conditions, states: Sequence[str]) -> Iterable[int]:
    """Each trait is followed along the index; the lines of too many are met on the way along the log."""
    _add_states(search.conditions, states)
    traits.where("t.account = :account", account=search.account)
    heads = (_EARLIEST_HEADS if search.earliest_first else _LATEST_HEADS).format(traits.sql)
    known = {"first": search.first, "last": search.last, **traits.parameters}
    found = search.connection.execute(heads, known).fetchall()
    if len(found) > _FOLLOWED:
        return search.lines(f"+{_OF_TRAITS.format(traits.sql)}", **traits.parameters)
    return _merged(search, sorted((head for head in found if head[0] is not None), reverse=not search.earliest_first))


def _merged(search: _Search, heads: Sequence[tuple[int, int]]) -> Iterator[int]:
    """The lines of all traits in order. A trait is not looked into before its first line has its turn."""
    sign = 1 if search.earliest_first else -1
    turns: list[tuple[int, Iterator[int]]] = []
    waiting = iter(heads)
    head = next(waiting, None)
    while turns or head is not None:
        if head is not None and (not turns or sign * head[0] <= turns[0][0]):
            _take_turn(turns, sign, iter(search.lines(_OF_TRAIT, trait=head[1])))
            head = next(waiting, None)
        else:
            turn, lines = heapq.heappop(turns)
            yield sign * turn
            _take_turn(turns, sign, lines)


def _take_turn(turns: list[tuple[int, Iterator[int]]], sign: int, lines: Iterator[int]) -> None:
    line = next(lines, None)
    if line is not None:
        heapq.heappush(turns, (sign * line, lines))


def _add_states(conditions: Conditions, states: Sequence[str]) -> None:
    """The plus sign keeps the planner from the index of states, which would have to be sorted for the page."""
    conditions.one_of("+l.state", "states", states)
