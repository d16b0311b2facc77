"""What runs in the demo, and how it is set: engine, service, and the sender of the workload."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qsops.clock import Ids
from qsops.config import state_dir
from qsops.stack import Program, engine, free_port, service
from qsops.stack.local import LocalSettings
from qsops.stack.programs import python_module

__all__ = ["ENGINE", "SENDER", "SERVICE", "Scenery", "prepare"]

ENGINE: Final = "engine"
SERVICE: Final = "service"
SENDER: Final = "sender"

# A minute instead of thirty hours: the curve keeps its shape, and outlasts a restart of the service.
RETRIES: Final = 10
RETRY_DELAY: Final = "min(250 * pow(2, retried), 2500)"
DELIVERY_TIMEOUT: Final = "1s"
HANDLER: Final = "service.rehearsal:flaky_handler"
_RUNS_KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class Scenery:
    """One run: its folder, the settings that its processes share, and where the sender reports."""

    root: Path
    folder: Path
    local: LocalSettings

    @property
    def sent(self) -> Path:
        """What the sender says it posted."""
        return self.folder / "sent.json"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def engine(self) -> Program:
        return engine(port=self.local.engine_port, db=self.folder / "engine.db", cwd=self.root, token=self.local.token)

    def service(self) -> Program:
        settings = self.local.of_service(
            QSOPS_HANDLER=HANDLER,
            QSOPS_RETRIES=str(RETRIES),
            QSOPS_RETRY_DELAY=RETRY_DELAY,
            QSOPS_DELIVERY_TIMEOUT=DELIVERY_TIMEOUT,
        )
        return service(port=self.local.service_port, cwd=self.root, settings=settings)

    def sender(self, updates: int, seed: int) -> Program:
        arguments = ("--updates", str(updates), "--seed", str(seed), "--out", str(self.sent))
        return Program(
            SENDER,
            python_module("service.rehearsal", "--url", f"{self.local.service_url}/api/webhooks/instagram", *arguments),
            self.root,
            self.local.of_callers(),
        )


def prepare(root: Path, folder: Path | None, ids: Ids) -> Scenery:
    """A run in ``folder``, or in a new one under ``.qsops/demo``, where the last three are kept."""
    if folder is None:
        runs = state_dir(root) / "demo"
        folder = runs / ids.make("run_")
        for old in sorted(runs.glob("run_*"))[: -(_RUNS_KEPT - 1)]:
            # One that still runs beside this one has its pid files.
            if not any(old.glob("*.pid")):
                shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    local = LocalSettings.make(ids, engine_port=free_port(), service_port=free_port(), database=folder / "service.db")
    return Scenery(root, folder.resolve(), local)
