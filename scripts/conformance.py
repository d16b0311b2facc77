"""Run the tests that are safe on an account against one: ``python scripts/conformance.py [pytest's arguments]``.

It is asked for by the environment: QSOPS_TESTS_CONFORMANCE_TOKEN and _DESTINATION, and where they are needed _URL and
_FAILING. The exit status is 2 when one is missing, 3 when the messages of a run are used up, else pytest's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).parents[1]
PREFIX: Final = "QSOPS_TESTS_CONFORMANCE_"
DEFAULT_URL: Final = "https://qstash.upstash.io"
NEEDED: Final = (
    f"conformance: {{missing}}. Set {PREFIX}TOKEN to the token of an account and {PREFIX}DESTINATION to a public URL "
    f"below which every path answers 200; {PREFIX}URL is the account's region, by default {DEFAULT_URL}, and "
    f"{PREFIX}FAILING may be a URL below which every path answers 500. At most 100 messages are sent, and what is made "
    "there is deleted."
)


def main() -> int:
    """Check what was given, and run the tests with it."""
    given = {name: os.environ.get(PREFIX + name, "") for name in ("TOKEN", "DESTINATION", "URL", "FAILING")}
    given["URL"] = given["URL"] or DEFAULT_URL
    fault = _fault(given)
    if fault is not None:
        print(NEEDED.format(missing=fault), file=sys.stderr)
        return 2
    print(f"conformance: {urlsplit(given['URL']).hostname}, delivering to {urlsplit(given['DESTINATION']).hostname}")
    command = [sys.executable, "-m", "pytest", "tests/conformance", "-p", "no:xdist", "-p", "no:cacheprovider"]
    told = {f"{PREFIX}{name}": value for name, value in given.items() if value} | {f"{PREFIX}RUN": "1"}
    return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, env={**os.environ, **told}, check=False).returncode


def _fault(given: dict[str, str]) -> str | None:
    for name in ("TOKEN", "DESTINATION"):
        if not given[name]:
            return f"{PREFIX}{name} is not set"
    for name in ("DESTINATION", "URL", "FAILING"):
        parts = urlsplit(given[name])
        if given[name] and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            return f"{PREFIX}{name} is no http or https URL without a query: {given[name]!r}"
    return None


if __name__ == "__main__":
    sys.exit(main())
