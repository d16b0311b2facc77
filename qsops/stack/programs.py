"""What can be started: how each program is called, what it is told, and how it shows that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qsops.models import Headers
from qsops.stack.ports import LOOPBACK

__all__ = ["Probe", "Program", "engine", "lab", "python_module", "service"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A GET on loopback that is answered 200 as soon as the program is ready."""

    port: int
    path: str
    headers: Headers = field(default=(), repr=False)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its ``settings`` are all of the project's settings that it will see."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    probe: Probe | None = None


def python_module(*arguments: str) -> tuple[str, ...]:
    """The command that runs a module with the interpreter we run in."""
    return (sys.executable, "-m", *arguments)


def engine(*, port: int, db: Path | str, cwd: Path, token: str, quota: str = "payg") -> Program:
    """The local QStash on a loopback port; ready when it hands out the keys of ``token``'s user."""
    return Program(
        name="engine",
        argv=python_module(
            "qsops", "engine", "--host", LOOPBACK, "--port", str(port), "--db", str(db), "--quota", quota
        ),
        cwd=cwd,
        probe=Probe(port, "/v2/keys", (("Authorization", f"Bearer {token}"),)),
    )


def service(*, port: int, cwd: Path, settings: Mapping[str, str]) -> Program:
    """The service on a loopback port, told everything by ``settings``."""
    return Program(
        name="service",
        # The target is the plain variables, since ``settings`` are all that this child sees.
        argv=python_module("qsops", "--target", "env", "serve", "--host", LOOPBACK, "--port", str(port)),
        cwd=cwd,
        settings=settings,
        probe=Probe(port, "/healthz"),
    )


def lab(*, port: int, cwd: Path, token: str, open_browser: bool, settings: Mapping[str, str]) -> Program:
    """JupyterLab on the notebooks under ``cwd``, behind ``token``.

    The token travels in the environment, where other users of the machine cannot read it.
    """
    return Program(
        name="lab",
        argv=python_module(
            "jupyterlab",
            f"--ServerApp.ip={LOOPBACK}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            # Containers have no other user, and loopback and the token are what guards it.
            "--ServerApp.allow_root=True",
            f"--ServerApp.root_dir={cwd}",
            f"--ServerApp.open_browser={open_browser}",
            "--LabApp.default_url=/lab/tree/notebooks",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ),
        cwd=cwd,
        settings={"JUPYTER_TOKEN": token, **settings},
        probe=Probe(port, "/api"),
    )
