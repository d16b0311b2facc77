"""Following the cursors of a listing to its end, and no further."""

from __future__ import annotations

from qsops.errors import Corrupt

__all__ = ["Cursors"]


class Cursors:
    """The cursors that a listing of ``what`` has given so far: one that comes twice would be followed for ever."""

    def __init__(self, what: str, most: int, remedy: str) -> None:
        self._what = what
        self._most = most
        self._remedy = remedy
        self._seen: set[str] = set()

    def follow(self, cursor: str) -> None:
        """The listing goes on at ``cursor``.

        :raises Corrupt: it was there before, or has more than ``most`` pages, against which ``remedy`` helps.
        """
        if cursor in self._seen:
            raise Corrupt(f"the {self._what}'s cursor {cursor!r} came twice: the listing leads in a circle")
        self._seen.add(cursor)
        if len(self._seen) >= self._most:
            raise Corrupt(f"the {self._what} has more than {self._most} pages: {self._remedy}")
