"""Operate webhook and event ingestion over Upstash QStash.

``qsops.connect()`` opens a session; :mod:`qsops.analysis` and :mod:`qsops.figures` turn its frames into others and
into charts. All of it is loaded when it is first touched, so that ``import qsops`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # For editors and type checkers, which do not follow __getattr__.
    from qsops import analysis, errors, figures
    from qsops.session import connect

__version__ = "0.1.0"

__all__ = ["__version__", "analysis", "connect", "errors", "figures"]

_MODULES = frozenset({"analysis", "errors", "figures"})


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"qsops.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "qsops").startswith("qsops"):
            raise
        raise ImportError(f"qsops.{name} needs {error.name}: pip install 'qsops[toolkit]'") from error


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return _module(name)
    if name == "connect":
        return _module("session").connect
    raise AttributeError(f"module 'qsops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
