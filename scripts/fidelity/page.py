"""docs/fidelity.md as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from scripts.fidelity.rows import Difference, Endpoint, Method, Section, Source

__all__ = ["page"]

_HEAD: Final = """\
<!-- Made by `make fidelity` from docs/fidelity/*.toml, after a run in which each test named here passed. -->

# How close the local engine is to QStash

`qsops engine`, and the same core inside `connect("embedded")`, speak QStash's HTTP API as it is documented, as its SDKs
for Python and JavaScript use it, and as users of the service reported it. Nothing here comes from running or taking
apart the vendor's own development server. Where no source settles a question we took a reading: each stands below with
the test that holds it, so that changing our mind means changing one row here and one test.

This page is generated. A row says what it says because its tests passed in the run that made the page; a row without a
test, or with one that failed, fails `make test`. Anyone with an account can prove or correct us: `make conformance`
runs the part of the suite that is safe there against the account.
"""

_ENDPOINTS: Final = """
## Endpoints

*supported*: as the documents and the SDKs have it. *differs*: served, with the difference told. *absent*: refused, and
says so. *own*: no part of QStash.
"""

_METHODS: Final = """
## The official SDKs, method by method

Both SDKs, unmodified, run against the engine in `tests/conformance`, Python's also in its asynchronous form. The list
is held against the SDKs themselves: a method that they gain, or that no test calls, fails the build.
"""

_DIFFERENCES: Final = """
## Where it differs on purpose
"""

_READINGS: Final = """
## Readings of what no source settles
"""


def page(source: Source) -> str:
    """The whole page; every row of ``source`` is taken to be held."""
    parts = [
        _HEAD,
        _ENDPOINTS,
        *_endpoints(source.endpoints),
        _METHODS,
        *_methods(source.methods),
        _DIFFERENCES,
        *_differences(source.differences),
        _READINGS,
        *(line for section in source.sections for line in _section(section)),
    ]
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _endpoints(rows: Iterable[Endpoint]) -> Iterator[str]:
    yield from _header("endpoint", "state", "", "held by")
    for row in rows:
        yield _line(f"`{row.name}`", row.state, row.note, _held(row.tests))


def _methods(rows: Iterable[Method]) -> Iterator[str]:
    yield from _header("Python", "JavaScript", "", "held by")
    for row in rows:
        yield _line(_code(row.python), _code(row.javascript), row.note or row.why, _held(row.tests))


def _differences(rows: Iterable[Difference]) -> Iterator[str]:
    yield from _header("what", "here", "why", "held by")
    for row in rows:
        yield _line(row.what, row.here, row.why, _held(row.tests))


def _section(section: Section) -> Iterator[str]:
    yield f"\n### {section.title}\n\n"
    yield from _header("what", "our reading", "held by")
    for row in section.readings:
        yield _line(row.what, row.reading, _held(row.tests))


def _header(*names: str) -> Iterator[str]:
    yield ""
    yield _line(*names)
    yield "|" + "---|" * len(names)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _held(tests: Iterable[str]) -> str:
    """Each test by its name, which leads to its file."""
    parts = [test.partition("::") for test in tests]
    return "<br>".join(f"[`{name}`](../{path})" for path, _, name in parts)


def _code(name: str | None) -> str:
    return "" if name is None else f"`{name}`"
