"""One SQLite file with one writer: operations that wait together are committed together."""

from __future__ import annotations

from qsops.sqlite.database import Database
from qsops.sqlite.group import Operation, Together
from qsops.sqlite.migrations import Kind, migrations_in

__all__ = ["Database", "Kind", "Operation", "Together", "migrations_in"]
