"""The disk under an engine process, which fails on demand: ``fsync_shim.c``, compiled and steered."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Disk", "Sync", "compiled"]

_SOURCE: Final = Path(__file__).with_name("fsync_shim.c")


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync of a file of the database, with monotonic times in seconds."""

    done: bool
    name: str
    begin_s: float
    end_s: float


class Disk:
    """What holds ``database``. ``environment`` puts an engine onto it; as made, it is well.

    ``synced`` is a folder that holds the files as a power cut would leave them.
    """

    def __init__(self, library: Path, database: Path) -> None:
        self._control = database.with_name("control")
        self._record = database.with_name("record")
        self.synced = database.with_name("synced")
        self.synced.mkdir()
        self.environment = {
            "LD_PRELOAD": str(library),
            "FSYNC_SHIM_DATABASE": str(database.resolve()),
            "FSYNC_SHIM_CONTROL": str(self._control),
            "FSYNC_SHIM_RECORD": str(self._record),
            "FSYNC_SHIM_MIRROR": str(self.synced),
        }
        self.does("ok")

    def does(self, what: str) -> None:
        """From now on: ``ok``, ``delay 300``, ``refuse EIO``, ``full ENOSPC`` or ``frozen EROFS``."""
        draft = self._control.with_suffix(".new")
        draft.write_text(what)
        os.replace(draft, self._control)

    def syncs(self) -> list[Sync]:
        """Every sync so far, of the write-ahead log and of the database itself."""
        lines = [line.split() for line in self._record.read_text().splitlines()]
        return [Sync(result == "ok", name, int(begin) / 1e9, int(end) / 1e9) for result, name, begin, end in lines]


def compiled(folder: Path) -> Path:
    """The library, built by this machine's ``cc``.

    :raises AssertionError: when there is no compiler.
    """
    library = folder / "fsync_shim.so"
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"]
    try:
        built = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except FileNotFoundError as error:
        raise AssertionError(
            "the file layer needs a C compiler: install cc, or set QSOPS_TESTS_WITHOUT_CC=1"
        ) from error
    assert built.returncode == 0, built.stderr
    return library
