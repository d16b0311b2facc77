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
from pathlib import Path
from statistics import median

__all__ = ["Contender", "Peer", "PeerMissing", "Result", "Row", "run_row"]

ROOT = Path(__file__).parents[1]
_PEERS = ROOT / ".qsops" / "bench"
_TIME_LIMIT_S = 600


class PeerMissing(Exception):
    """A peer cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work: a module of this package, run with ``arguments``, that prints ``{"figure": …}``.

    ``requirements`` are installed into an environment of the peer's own; none means that ours has all it needs.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    requirements: tuple[str, ...] = ()

    def python(self) -> str:
        """The interpreter to run it with. :raises PeerMissing: when its requirements cannot be installed."""
        return _environment(self.name, self.requirements) if self.requirements else sys.executable

    def measure(self, extra: Sequence[str]) -> float:
        """One run; the figure it printed. :raises PeerMissing: when it fails, with its last line."""
        command = [self.python(), "-m", self.module, *self.arguments, *extra]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip() or "no output").splitlines()[-1]
            raise PeerMissing(f"{self.name} failed: {last}")
        return float(json.loads(done.stdout.splitlines()[-1])["figure"])


@dataclass(frozen=True)
class Peer:
    """Whom ours is compared with; ``goal`` is the ratio ours/theirs that is asked for, None where none is."""

    contender: Contender
    goal: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table: the figures of ``ours`` and of each peer, in ``unit``.

    ``limit`` is what ours may be at the most, for figures of which less is better.
    """

    title: str
    unit: str
    ours: Contender
    peers: tuple[Peer, ...]
    rounds: int = 5
    limit: float | None = None
    prepare: Callable[[], tuple[Sequence[str], Callable[[], None]]] = field(default=lambda: ((), lambda: None))


@dataclass(frozen=True)
class Result:
    """Ours against one peer: medians, and the ratios taken round by round. ``skipped`` says why there are none."""

    row: Row
    peer: Peer
    ours: float
    theirs: float | None = None
    ratios: tuple[float, ...] = ()
    skipped: str | None = None

    def verdict(self) -> str:
        """Whether the goal is met: "met", "missed", "skipped", or "" where none is set."""
        if self.row.limit is not None:
            return "met" if self.ours <= self.row.limit else "missed"
        if self.skipped:
            return "skipped"
        if self.peer.goal is None:
            return ""
        return "met" if median(self.ratios) >= self.peer.goal else "missed"


def run_row(row: Row) -> list[Result]:
    """Run every contender of ``row`` in turn, round by round."""
    extra, clean_up = row.prepare()
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer.contender.name: [] for peer in row.peers}
    missing: dict[str, str] = {}
    try:
        for _ in range(row.rounds):
            ours.append(row.ours.measure(extra))
            for peer in row.peers:
                name = peer.contender.name
                if name not in missing:
                    try:
                        theirs[name].append(peer.contender.measure(extra))
                    except PeerMissing as error:
                        missing[name] = str(error)
    finally:
        clean_up()
    return [_result(row, peer, ours, theirs[peer.contender.name], missing) for peer in row.peers]


def _result(row: Row, peer: Peer, ours: list[float], theirs: list[float], missing: dict[str, str]) -> Result:
    if reason := missing.get(peer.contender.name):
        return Result(row, peer, median(ours), skipped=reason)
    ratios = tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Result(row, peer, median(ours), median(theirs), ratios)


def _environment(name: str, requirements: tuple[str, ...]) -> str:
    folder = _PEERS / name.replace(" ", "-")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    if subprocess.run(install, capture_output=True, check=False).returncode != 0:
        raise PeerMissing(f"{name} cannot be installed: {' '.join(requirements)}")
    return str(python)
