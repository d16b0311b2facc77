"""What the engine and its process for deliveries tell each other: errands one way, outcomes the other.

Both are processes of ours, and the socket between them is nobody else's, so that pickled tuples will do.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator

from qsops.engine.core.attempts import Outcome
from qsops.engine.errands import Errand

__all__ = ["Frames", "errands_frame", "errands_of", "outcomes_frame", "outcomes_of"]

_LENGTH_BYTES = 4


def errands_frame(errands: Iterable[tuple[int, Errand]]) -> bytes:
    """Numbered errands as one frame."""
    return _frame([(number, e.key, e.method, e.url, e.headers, e.body, e.timeout_s) for number, e in errands])


def errands_of(content: bytes) -> list[tuple[int, Errand]]:
    """The opposite of :func:`errands_frame`."""
    return [(number, Errand(*fields)) for number, *fields in pickle.loads(content)]


def outcomes_frame(outcomes: Iterable[tuple[int, Outcome]]) -> bytes:
    """What came of errands, under their numbers, as one frame."""
    return _frame([(number, o.status, o.headers, o.body, o.error) for number, o in outcomes])


def outcomes_of(content: bytes) -> list[tuple[int, Outcome]]:
    """The opposite of :func:`outcomes_frame`."""
    return [(number, Outcome(*fields)) for number, *fields in pickle.loads(content)]


class Frames:
    """Frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents of the frames that ``data`` completes."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES])
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[_LENGTH_BYTES:end])
            del self._buffer[:end]
            yield content


def _frame(value: list[tuple[object, ...]]) -> bytes:
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(_LENGTH_BYTES) + content
