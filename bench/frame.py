"""The frame of the benchmark: contenders run in turn, each in a process of its own, and are compared round by round.

Machines drift, so a single absolute time says little: each round runs every contender once, the ratio is taken within
the round, and the median over the rounds is what the table shows. A peer is installed on demand into an environment of
its own; one that is not to be had is reported as skipped, never guessed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

__all__ = ["PEERS", "ROOT", "Contender", "Measure", "Peer", "PeerMissing", "Result", "Row", "run_row"]

ROOT = Path(__file__).parents[1]
#: Where peers are installed; git ignores it.
PEERS = ROOT / ".qsops" / "bench"
_TIME_LIMIT_S = 600
#: How long a contender that is told to end has for ending what it started.
_GRACE_S = 20


class PeerMissing(Exception):
    """A peer cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Measure:
    """What one run gave; ``note`` says what a reader has to know of it."""

    figure: float
    note: str = ""


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work: a module of this package, run with ``arguments``.

    Its last line is ``{"figure": …, "note": …}``, the note only if there is one. A peer that cannot be had ends with
    another status than 0, and its last line on standard error says why.

    ``requirements`` are installed into an environment of the peer's own; none means that ours has all it needs.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    requirements: tuple[str, ...] = ()

    def python(self) -> str:
        """The interpreter to run it with. :raises PeerMissing: when its requirements cannot be installed."""
        return _environment(self.name, self.requirements) if self.requirements else sys.executable

    def measure(self, extra: Sequence[str]) -> Measure:
        """One run. :raises PeerMissing: when it fails, with its last line."""
        status, printed, complaint = _run([self.python(), "-m", self.module, *self.arguments, *extra])
        if status != 0:
            last = (complaint.strip() or "no output").splitlines()[-1]
            raise PeerMissing(f"{self.name} failed: {last}")
        told = json.loads(printed.splitlines()[-1])
        return Measure(float(told["figure"]), told.get("note", ""))


@dataclass(frozen=True)
class Peer:
    """Whom ours is compared with; ``goal`` is the ratio ours/theirs that is asked for, None where none is."""

    contender: Contender
    goal: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table: the figures of ``ours`` and of each peer, in ``unit``.

    ``limit`` is what ours may be at the most, for figures of which less is better; ``floor`` what it has to be at the
    least.
    """

    title: str
    unit: str
    ours: Contender
    peers: tuple[Peer, ...] = ()
    rounds: int = 5
    limit: float | None = None
    floor: float | None = None
    prepare: Callable[[], tuple[Sequence[str], Callable[[], None]]] = field(default=lambda: ((), lambda: None))


@dataclass(frozen=True)
class Result:
    """Ours, by itself or against one peer: medians, and the ratios taken round by round.

    ``skipped`` says why the peer has no figure, ``failed`` why ours has none; ``notes`` are what contenders had to say.
    """

    row: Row
    peer: Peer | None
    ours: float | None
    theirs: float | None = None
    ratios: tuple[float, ...] = ()
    skipped: str | None = None
    failed: str | None = None
    notes: tuple[str, ...] = ()

    def verdict(self) -> str:
        """Whether the goal is met: "met", "missed", "failed", "skipped", or "" where none is set."""
        if self.ours is None:
            return "failed"
        if self.row.limit is not None and self.ours > self.row.limit:
            return "missed"
        if self.row.floor is not None and self.ours < self.row.floor:
            return "missed"
        if self.skipped:
            return "skipped"
        if self.peer is not None and self.peer.goal is not None:
            return "met" if median(self.ratios) >= self.peer.goal else "missed"
        return "" if self.row.limit is None and self.row.floor is None else "met"


@dataclass
class _Rounds:
    """What one contender gave, round by round, until it failed."""

    contender: Contender
    measures: list[Measure] = field(default_factory=list)
    fault: str | None = None

    def run(self, extra: Sequence[str]) -> None:
        if self.fault is None:
            try:
                self.measures.append(self.contender.measure(extra))
            except PeerMissing as error:
                self.fault = str(error)

    def figures(self) -> list[float]:
        return [measure.figure for measure in self.measures]

    def notes(self) -> list[str]:
        """What it said in the round of the median."""
        said = sorted(self.measures, key=lambda measure: measure.figure)[len(self.measures) // 2].note
        return [f"{self.contender.name}: {said}"] if said else []


def run_row(row: Row) -> list[Result]:
    """Run every contender of ``row`` in turn, round by round; a line for each peer, or one where there is none."""
    try:
        extra, clean_up = row.prepare()
    except PeerMissing as error:
        return [Result(row, peer, None, failed=str(error)) for peer in row.peers or (None,)]
    ours, theirs = _Rounds(row.ours), [_Rounds(peer.contender) for peer in row.peers]
    try:
        for _ in range(row.rounds):
            for contender in (ours, *theirs):
                contender.run(extra)
    finally:
        clean_up()
    if not theirs:
        return [_result(row, None, ours, _Rounds(row.ours))]
    return [_result(row, peer, ours, one) for peer, one in zip(row.peers, theirs, strict=True)]


def _result(row: Row, peer: Peer | None, ours: _Rounds, theirs: _Rounds) -> Result:
    if ours.fault is not None:
        return Result(row, peer, None, failed=ours.fault)
    mine, others = ours.figures(), theirs.figures()
    if peer is None or theirs.fault is not None:
        return Result(row, peer, median(mine), skipped=theirs.fault, notes=tuple(ours.notes()))
    notes = (*ours.notes(), *theirs.notes())
    ratios = tuple(one / other for one, other in zip(mine, others, strict=True))
    return Result(row, peer, median(mine), median(others), ratios, notes=notes)


def _run(command: list[str]) -> tuple[int, str, str]:
    """Status and output of ``command``; one that takes too long is told to end, so that it ends what it started."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        printed, complaint = process.communicate(timeout=_TIME_LIMIT_S)
    except subprocess.TimeoutExpired:
        return 1, "", f"it took longer than {_TIME_LIMIT_S} s"
    finally:
        if process.poll() is None:
            _end(process)
    return process.returncode, printed, complaint


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@cache
def _environment(name: str, requirements: tuple[str, ...]) -> str:
    folder = PEERS / name.replace(" ", "-")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    if subprocess.run(install, capture_output=True, check=False).returncode != 0:
        raise PeerMissing(f"{name} cannot be installed: {' '.join(requirements)}")
    return str(python)
