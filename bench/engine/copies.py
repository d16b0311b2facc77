"""Copies of a stretch of messages, with all their rows: the same lives again, later, under other ids."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

__all__ = ["Stretch", "copy"]

#: The tables that hold a row or more of each message, with the column that says of which.
_MESSAGE_OF = {"messages": "seq", "progress": "message", "log": "message", "dead_letters": "message"}
#: Tables whose rows have a number of their own beside that, which goes on counting.
_NUMBER_OF = {"log": "seq", "dead_letters": "n"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The messages from ``first`` to ``last``."""

    first: int
    last: int


def copy(connection: Connection, stretch: Stretch, later_ms: int, suffix: str) -> None:
    """Copy ``stretch`` behind all that is there, ``later_ms`` later; ``suffix`` ends the new ids.

    Columns are told apart by name: those that end in ``_ms`` are times.
    """
    by = _next(connection, "messages", "seq") - stretch.first
    for table, message in _MESSAGE_OF.items():
        names = [name for _, name, *_ in connection.execute(f"pragma table_info({table})")]
        number = _NUMBER_OF.get(table)
        shift = 0 if number is None else _shift(connection, table, number, message, stretch)
        read = [_read(name, message, number) for name in names]
        connection.execute(
            f"insert into {table} ({', '.join(names)}) select {', '.join(read)} from {table}"
            f" where {message} between :first and :last order by {number or message}",
            {
                "first": stretch.first,
                "last": stretch.last,
                "by": by,
                "shift": shift,
                "later": later_ms,
                "suffix": suffix,
            },
        )


def _read(name: str, message: str, number: str | None) -> str:
    if name == message:
        return f"{name} + :by"
    if name == number:
        return f"{name} + :shift"
    if name.endswith("_ms"):
        return f"{name} + :later"
    return f"{name} || :suffix" if name == "id" else name


def _shift(connection: Connection, table: str, number: str, message: str, stretch: Stretch) -> int:
    sql = f"select min({number}) from {table} where {message} between ? and ?"
    (lowest,) = connection.execute(sql, (stretch.first, stretch.last)).fetchone()
    return 0 if lowest is None else _next(connection, table, number) - int(lowest)


def _next(connection: Connection, table: str, number: str) -> int:
    (highest,) = connection.execute(f"select max({number}) from {table}").fetchone()
    return int(highest or 0) + 1
