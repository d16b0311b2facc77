"""From the name of a target to an open session."""

from __future__ import annotations

import os

from qsops import config
from qsops.clock import Clock
from qsops.session.session import Session
from qsops.session.wiring import wire

__all__ = ["connect"]


def connect(target: str = "embedded", *, write: bool = False, clock: Clock | None = None, seed: int = 0) -> Session:
    """Open a session on ``target``: ``embedded``, ``local``, ``env``, or a profile of ``qsops.toml``.

    A hosted session only reads, unless ``write``. On the embedded engine ``clock`` is a ManualClock (default: at
    2026-01-01), and the same ``seed`` makes the same ids. Nothing is asked of the service before the first verb.

    :raises SettingsError: there is no such target, or its settings are malformed.
    """
    root = config.project_root()
    env = config.environment(root, os.environ)
    return Session(wire(config.resolve(target, env, root), root, env, write=write, clock=clock, seed=seed))
