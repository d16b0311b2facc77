"""Which engine the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from qsops import config
from qsops.config.values import read
from qsops.errors import SettingsError

__all__ = ["Choice", "choice"]

_ENGINES: Final = ("duckdb", "spark")
_MASTER: Final = "local[2]"


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine; ``master`` is Spark's."""

    engine: Literal["duckdb", "spark"] = "duckdb"
    master: str = _MASTER


def choice(environ: Mapping[str, str] = os.environ) -> Choice:
    """What ``QSOPS_COMPUTE`` and ``QSOPS_SPARK_MASTER`` say, in the environment or the project's ``.env``.

    :raises SettingsError: there is no such engine.
    """
    env = config.environment(config.project_root(), environ)
    engine = (read(env, "QSOPS_COMPUTE") or "duckdb").lower()
    master = read(env, "QSOPS_SPARK_MASTER") or _MASTER
    if engine == "spark":
        return Choice("spark", master)
    if engine == "duckdb":
        return Choice("duckdb", master)
    raise SettingsError(f"QSOPS_COMPUTE: {engine!r} is no engine; it is {' or '.join(_ENGINES)}")
