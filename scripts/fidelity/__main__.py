"""Write docs/fidelity.md: ``python -m scripts.fidelity``, from the root of the project.

It runs the tests that the rows name, and writes nothing unless all of them pass. With ``--results FILE`` it judges the
rows by the XML of a run that was made before (``make test`` does), and only compares. The exit status is 1 when a row
has no test, when one of its tests is not there or did not pass, or when the page is not what the rows give.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts.fidelity.page import page
from scripts.fidelity.results import faults, outcomes
from scripts.fidelity.rows import ROOT, Source, source

PAGE: Final = ROOT / "docs" / "fidelity.md"
#: A machine without Node leaves the tests of the JavaScript SDK out, and judges the rest.
_LEFT_OUT: Final = "was not in the run"


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description="Write docs/fidelity.md; example: --results build/tests.xml")
    parser.add_argument("--results", type=Path, help="judge by this run, and write nothing")
    results = parser.parse_args().results
    rows = source()
    found = faults(rows, outcomes(results) if results else _run(rows))
    if results and os.environ.get("QSOPS_TESTS_WITHOUT_NODE") == "1":
        found = [fault for fault in found if not fault.endswith(_LEFT_OUT)]
    if results and PAGE.read_text(encoding="utf-8") != page(rows):
        found.append("docs/fidelity.md is not what docs/fidelity/*.toml gives: run `make fidelity`")
    for fault in found:
        print(f"fidelity: {fault}", file=sys.stderr)
    if not found and not results:
        PAGE.write_text(page(rows), encoding="utf-8")
    if not found:
        print(f"fidelity: {len(rows.rows())} rows, held by {len(rows.tests())} tests that passed")
    return 1 if found else 0


def _run(rows: Source) -> dict[str, bool]:
    """Run the files of the tests that the rows name."""
    files = sorted({test.partition("::")[0] for test in rows.tests() if (ROOT / test.partition("::")[0]).exists()})
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--junitxml", str(xml), *files]
        subprocess.run(command, cwd=ROOT, check=False)
        return outcomes(xml)


if __name__ == "__main__":
    sys.exit(main())
