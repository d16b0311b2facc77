"""Operations that are committed together: each is undone alone, and told of its own result."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from qsops.sqlite.transactions import commit, undo

__all__ = ["Group", "Operation", "Together", "Waiting"]

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
#: What does with all arguments at once what it would do with each by itself, and returns a result for each.
Together = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[T]]


@dataclass(slots=True)
class Waiting:
    """An ``operation`` of a group, or the ``argument`` of what is done ``together``, and who waits for it."""

    done: asyncio.Future[Any]
    operation: Operation[Any] | None = None
    together: Together[Any] | None = None
    argument: Any = None
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Run it by itself."""
        if self.together is not None:
            (self.result,) = self.together(connection, [self.argument])
        elif self.operation is not None:
            self.result = self.operation(connection)


class Group:
    """``members`` share one transaction on ``connection``, which :meth:`run` finds open and :meth:`end` closes."""

    def __init__(self, connection: sqlite3.Connection, members: Sequence[Waiting]) -> None:
        self._connection = connection
        self._members = members

    def run(self) -> None:
        """Run the operations; where the transaction has to be given up, they all fail."""
        try:
            for together, members in self._parts():
                if together is None or len(members) == 1:
                    for waiting in members:
                        self._run_alone(waiting)
                else:
                    self._run_together(together, members)
        except BaseException as error:  # noqa: BLE001  # it belongs to those who wait, whatever it is
            self.fail(error)
            undo(self._connection)

    def end(self) -> None:
        """Commit, unless the transaction was given up already."""
        if not self._connection.in_transaction:
            return
        try:
            commit(self._connection)
        except BaseException as error:  # noqa: BLE001  # as above
            self.fail(error)

    def whole(self) -> None:
        """Begin, run and end."""
        try:
            self._connection.execute("begin immediate")
        except BaseException as error:  # noqa: BLE001  # as above
            return self.fail(error)
        self.run()
        return self.end()

    def fail(self, error: BaseException) -> None:
        """None of the operations has taken effect."""
        for waiting in self._members:
            waiting.error = error

    def hand_out(self) -> None:
        """Tell each member on the loop that it waits on."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        for waiting in self._members:
            by_loop.setdefault(waiting.done.get_loop(), []).append(waiting)
        for loop, members in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, members)
            except RuntimeError:
                if not loop.is_closed():  # with its loop, whoever waited is gone; the operations stand all the same
                    raise

    def _parts(self) -> Iterable[tuple[Together[Any] | None, list[Waiting]]]:
        parts: dict[Together[Any] | None, list[Waiting]] = {}
        for waiting in self._members:
            parts.setdefault(waiting.together, []).append(waiting)
        return parts.items()

    def _run_together(self, together: Together[Any], members: Sequence[Waiting]) -> None:
        """One savepoint for all of them; where one is at fault, each is run alone, so that it alone is undone."""
        self._connection.execute("savepoint several")
        try:
            results = together(self._connection, [waiting.argument for waiting in members])
        except Exception:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("rollback to several")
            for waiting in members:
                self._run_alone(waiting)
        else:
            for waiting, result in zip(members, results, strict=True):
                waiting.result = result
        self._connection.execute("release several")

    def _run_alone(self, waiting: Waiting) -> None:
        self._connection.execute("savepoint one")
        try:
            waiting.run(self._connection)
        except Exception as error:
            # A full disk makes SQLite roll the whole transaction back; then the group fails as one.
            if not self._connection.in_transaction:
                raise
            self._connection.execute("rollback to one")
            waiting.error = error
        self._connection.execute("release one")


def _resolve(members: Sequence[Waiting]) -> None:
    for waiting in members:
        if waiting.done.done():  # whoever waited was cancelled; the operation stands all the same
            continue
        if waiting.error is not None:
            waiting.done.set_exception(waiting.error)
        else:
            waiting.done.set_result(waiting.result)
