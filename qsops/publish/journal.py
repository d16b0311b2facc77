"""What was sent, on disk: the memory by which an interrupted ``publish_many`` resumes.

Lines of JSON, only ever appended, each group fsynced before its meaning holds: that keys are about to be sent, before
the request; what became of them, after the answer. A torn last line is what a crash leaves, and is dropped. A key
that was about to be sent and of which nothing more is known is *in doubt*.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from qsops.errors import Corrupt, SettingsError
from qsops.models import Receipt

__all__ = ["Accepted", "Journal"]

VERSION: Final = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Accepted:
    """One key that QStash took. ``fingerprint`` is of the message it stood for."""

    key: str
    fingerprint: str
    receipts: tuple[Receipt, ...]


class Journal:
    """What became of each key within one ``scope`` of one ``target``; without a path it lasts as long as the object.

    :raises SettingsError: the file belongs to another target or scope, or another process writes it now.
    :raises Corrupt: a line that is not the last cannot be read, or a newer version wrote it.
    """

    def __init__(self, path: Path | None, *, target: str, scope: str) -> None:
        self.path = path
        self.scope = scope
        self.accepted: dict[str, Accepted] = {}
        #: When each key in doubt was first about to be sent, unix milliseconds.
        self.in_doubt: dict[str, int] = {}
        self._lock = threading.Lock()
        self._fd: int | None = None
        if path is not None:
            self._open(path, {"qsops_journal": VERSION, "target": target, "scope": scope})

    def sending(self, keys: Iterable[str], at_ms: int) -> None:
        """Note that ``keys`` are about to be sent."""
        self._append({"sending": list(keys), "at_ms": at_ms})

    def settled(self, accepted: Iterable[Accepted], unsent: Iterable[str] = ()) -> None:
        """Note what QStash took, and which keys surely were not taken."""
        taken = [
            [entry.key, entry.fingerprint, [[one.message_id, one.url, one.deduplicated] for one in entry.receipts]]
            for entry in accepted
        ]
        self._append({"accepted": taken, "unsent": list(unsent)})

    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        with self._lock:
            fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, path: Path, header: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # 0600: keys may be personal, as the rows are.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._take(path)
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            os.ftruncate(self._fd, len(whole))
            lines = [_read(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]
            if not lines:
                self._write(header)
            self._check(path, lines[0] if lines else header, header)
            for line in lines[1:]:
                self._apply(path, line)
        except BaseException:
            self.close()
            raise

    def _take(self, path: Path) -> None:
        assert self._fd is not None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"journal {path}: another publish_many writes it now; wait for it") from error

    def _check(self, path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
        if found.get("qsops_journal") != VERSION:
            raise Corrupt(f"journal {path}: expected version {VERSION}, got {found.get('qsops_journal')!r}")
        for name in ("target", "scope"):
            if found.get(name) != expected[name]:
                raise SettingsError(
                    f"journal {path} belongs to {name} {found.get(name)!r}, not {expected[name]!r}: name another"
                )

    def _append(self, line: dict[str, Any]) -> None:
        with self._lock:
            if self._fd is not None:
                self._write(line)
            self._apply(self.path, line)

    def _write(self, line: dict[str, Any]) -> None:
        assert self._fd is not None
        left = memoryview((_encode(line) + "\n").encode())
        whole = os.fstat(self._fd).st_size
        try:
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)
        except OSError:
            # The next line would be appended to half of this one, and neither could be read again.
            os.ftruncate(self._fd, whole)
            raise

    def _apply(self, path: Path | None, line: dict[str, Any]) -> None:
        try:
            if "sending" in line:
                for key in line["sending"]:
                    self.in_doubt.setdefault(key, line["at_ms"])
                return
            for key, fingerprint, receipts in line["accepted"]:
                self.accepted[key] = Accepted(key, fingerprint, tuple(Receipt(*receipt) for receipt in receipts))
                self.in_doubt.pop(key, None)
            for key in line["unsent"]:
                self.in_doubt.pop(key, None)
        except (KeyError, TypeError, ValueError) as error:
            raise Corrupt(f"journal {path}: a line of no known kind, with {sorted(line)}") from error


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise Corrupt(f"journal {path}, line {number}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Corrupt(f"journal {path}, line {number}: expected an object, got {type(value).__name__}")
    return value
