"""Schemas: one SQL file a step, and ``user_version`` says how many were taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from qsops.errors import Corrupt
from qsops.sqlite.transactions import transaction

__all__ = ["Kind", "migrate", "migrations_in", "refuse_others"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Whose database a file is. ``table`` is in every one that was made before the file itself said so."""

    name: str
    application_id: int
    table: str


def migrations_in(package: str) -> list[str]:
    """The texts of the ``*.sql`` files of ``package`` in the order of their names; file n makes schema version n.

    Each statement ends a line.
    """
    steps = sorted(
        (step for step in files(package).iterdir() if step.name.endswith(".sql")), key=lambda step: step.name
    )
    return [step.read_text(encoding="utf-8") for step in steps]


def migrate(connection: sqlite3.Connection, migrations: Sequence[str], path: str, kind: Kind | None = None) -> None:
    """Bring the database at ``path`` to the newest of ``migrations``, all steps in one transaction.

    From then on it says that it is of ``kind``.

    :raises Corrupt: when a newer version wrote it; it is left as it was.
    """
    with transaction(connection):  # two processes that start together take turns here
        (version,) = connection.execute("pragma user_version").fetchone()
        if version > len(migrations):
            raise Corrupt(
                f"{path} has schema version {version}, this qsops knows up to {len(migrations)}: "
                "open it with the newer version that wrote it, or name another file"
            )
        for step in migrations[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"pragma user_version = {len(migrations)}")
        if kind is not None:
            connection.execute(f"pragma application_id = {kind.application_id}")


def refuse_others(connection: sqlite3.Connection, path: str, kind: Kind) -> None:
    """Let pass what is empty or of ``kind``, before anything is written into it.

    :raises Corrupt: for the database of something else.
    """
    # As of one moment: another process may be about to make it ours.
    connection.execute("begin")
    try:
        ((application_id,), (version,)) = (
            connection.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
        )
        tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    finally:
        connection.execute("rollback")
    is_old = version > 0 and kind.table in tables
    if application_id != kind.application_id and (application_id != 0 or (tables and not is_old)):
        raise Corrupt(f"{path} is a database of something else than {kind.name}; name another file")


def _statements(script: str) -> Iterator[str]:
    """The statements of ``script`` one by one: ``executescript`` would commit the transaction around them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
