"""Everything on this machine together, until it is stopped: engine, service, and JupyterLab where it is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qsops.clock import Ids
from qsops.config import state_dir
from qsops.errors import QsopsError, SettingsError
from qsops.stack.local import LocalSettings
from qsops.stack.ports import LOOPBACK, require_free
from qsops.stack.programs import engine, lab, service
from qsops.stack.signals import interruptible
from qsops.stack.supervisor import Stack

__all__ = ["Ports", "run_together"]

#: Beside the logs: what a shell has to be told to send events, readable by its owner alone.
CALLER_SETTINGS = "settings.env"
_LOOK_EVERY_S = 3600.0
_TOKEN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Ports:
    """Where things listen; ``lab`` None leaves JupyterLab out."""

    engine: int
    service: int
    lab: int | None

    def require_free(self) -> None:
        """See to it that all can be had, before anything starts.

        :raises SettingsError: naming the one that is taken, and the option that chooses another.
        """
        require_free(self.engine, name="engine", option="--engine-port")
        require_free(self.service, name="service", option="--service-port")
        if self.lab is not None:
            require_free(self.lab, name="JupyterLab", option="--lab-port")


def run_together(
    root: Path, ports: Ports, *, ids: Ids, tell: Callable[[str], None], open_browser: bool = False, handler: str | None
) -> None:
    """Start all, ``tell`` their URLs, and keep them until Ctrl-C or SIGTERM; what they hold lies under ``.qsops``.

    :raises SettingsError: a port is taken, or JupyterLab is asked for and not installed.
    :raises QsopsError: one of them ended by itself; its log is quoted.
    """
    if ports.lab is not None and importlib.util.find_spec("jupyterlab") is None:
        raise SettingsError("JupyterLab is not installed: pip install 'qsops[notebooks]', or leave it out: --no-lab")
    ports.require_free()
    state = state_dir(root)
    local = LocalSettings.make(ids, engine_port=ports.engine, service_port=ports.service, database=state / "service.db")
    lab_token = ids.secret("lab_", _TOKEN_LENGTH)
    with interruptible(), Stack(state / "up") as stack:
        try:
            _start(stack, root, local, ports.lab, lab_token, open_browser, handler)
            _tell_addresses(tell, stack, root, local, ports.lab, lab_token)
            ended = None
            while ended is None:
                ended = stack.wait_for_end(_LOOK_EVERY_S)
        except KeyboardInterrupt:
            return  # The way to end it, and no failure.
        raise QsopsError(ended.epitaph())


def _start(
    stack: Stack,
    root: Path,
    local: LocalSettings,
    lab_port: int | None,
    lab_token: str,
    open_browser: bool,
    handler: str | None,
) -> None:
    _write_private(stack.folder / CALLER_SETTINGS, local.of_callers())
    chosen_handler = {} if handler is None else {"QSOPS_HANDLER": handler}
    programs = [
        engine(port=local.engine_port, db=state_dir(root) / "engine.db", cwd=root, token=local.token),
        service(port=local.service_port, cwd=root, settings=local.of_service(**chosen_handler)),
    ]
    if lab_port is not None:
        programs.append(
            lab(port=lab_port, cwd=root, token=lab_token, open_browser=open_browser, settings=local.of_callers())
        )
    stack.start(*programs)


def _tell_addresses(
    tell: Callable[[str], None], stack: Stack, root: Path, local: LocalSettings, lab_port: int | None, lab_token: str
) -> None:
    folder = _relative(stack.folder, root)
    tell(f"engine   {local.engine_url}  (qsops logs; QSTASH_DEV=true clients)")
    tell(f"service  {local.service_url}  (API: {local.service_url}/docs)")
    if lab_port is not None:
        tell(f"lab      http://{LOOPBACK}:{lab_port}/lab/tree/notebooks?token={lab_token}")
    tell(f"logs     {folder}/*.log")
    tell("send an event from another shell:")
    tell(f"  set -a; . {folder / CALLER_SETTINGS}; set +a")
    tell(f"  python -m service send message --url {local.service_url}/api/webhooks/instagram")
    tell("Ctrl-C stops all")


def _relative(path: Path, root: Path) -> Path:
    return path.relative_to(Path.cwd()) if root == Path.cwd() else path


def _write_private(path: Path, settings: Mapping[str, str]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
