"""Which methods of the SDKs each test is listed for, in docs/fidelity/sdks.toml."""

from __future__ import annotations

from functools import cache

from scripts.fidelity.rows import method_rows

__all__ = ["claimed_by"]


@cache
def _claims() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in method_rows():
        for test in row.tests:
            for language, name in (("python", row.python), ("javascript", row.javascript)):
                if name is not None:
                    found.setdefault((test, language), set()).add(name)
    return found


def claimed_by(test: str, language: str) -> set[str]:
    """The methods of the SDK in ``language`` that ``test``, by its id without parameters, is there to call."""
    return _claims().get((test, language), set())
