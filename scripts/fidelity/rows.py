"""The rows of docs/fidelity.md, as they stand in docs/fidelity/*.toml, each with the tests that hold it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["Difference", "Endpoint", "Method", "Reading", "Section", "Source", "method_rows", "source"]

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "fidelity"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``state``: as QStash's, with the difference that ``note`` tells, not at all, or an endpoint of our own."""

    method: str
    path: str
    state: Literal["supported", "differs", "absent", "own"]
    note: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an SDK; None where the other SDK has none. ``why`` stands for a method that no test calls.

    ``note`` tells what is answered where that is no success.
    """

    python: str | None
    javascript: str | None
    note: str
    why: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.python or ''} {self.javascript or ''}".strip()


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the engine differs on purpose."""

    what: str
    here: str
    why: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Reading:
    """What we took where no source settles a question."""

    what: str
    reading: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Section:
    """Readings of one kind."""

    title: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """All rows, in their order on the page."""

    endpoints: tuple[Endpoint, ...]
    methods: tuple[Method, ...]
    differences: tuple[Difference, ...]
    sections: tuple[Section, ...]

    def rows(self) -> list[Endpoint | Method | Difference | Reading]:
        """Every row that a test must hold."""
        readings = [reading for section in self.sections for reading in section.readings]
        tried = [method for method in self.methods if not method.why]
        return [*self.endpoints, *tried, *self.differences, *readings]

    def tests(self) -> list[str]:
        """The ids of all tests that hold a row, each once."""
        return sorted({test for row in self.rows() for test in row.tests})


@cache
def source() -> Source:
    """The rows as they are on disk.

    :raises TypeError: naming the field, when a row has one too many or too few.
    """
    sections = _tables("readings", "section")
    return Source(
        tuple(Endpoint(**_row(row)) for row in _tables("endpoints", "endpoint")),
        method_rows(),
        tuple(Difference(**_row(row)) for row in _tables("differences", "difference")),
        tuple(
            Section(section["title"], tuple(Reading(**_row(row)) for row in section["reading"])) for section in sections
        ),
    )


@cache
def method_rows() -> tuple[Method, ...]:
    """The methods of the SDKs."""
    return tuple(
        Method(**{"python": None, "javascript": None, "note": "", "why": "", **_row(row)})
        for row in _tables("sdks", "method")
    )


def _tables(file: str, name: str) -> list[dict[str, Any]]:
    content = tomllib.loads((FOLDER / f"{file}.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = content.pop(name)
    if content:
        raise TypeError(f"docs/fidelity/{file}.toml holds {', '.join(content)} beside its {name} rows")
    return found


def _row(table: dict[str, Any]) -> dict[str, Any]:
    """A test stands in TOML without ``tests/`` and ``.py``: ``engine/manual/test_dlq::test_listing_by_filter``."""
    return {**table, "tests": tuple(map(_test, table.get("tests", ())))}


def _test(short: str) -> str:
    file, _, name = short.partition("::")
    return f"tests/{file}.py::{name}"
