"""How long a user waits before anything happens: `import qsops`, `qsops --help`.

``python -m bench.startup WHAT``; prints milliseconds with a warm file cache. The bare interpreter's own start is taken
off for an import, and kept for the command.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.frame import Contender, Peer, Row

_RUNS = 9


def seconds(command: list[str]) -> float:
    """The median of several runs."""
    took = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return median(took)


def main(what: str) -> None:
    """Measure one start."""
    python = sys.executable
    commands = {
        "import-qsops": [python, "-c", "import qsops"],
        "import-qstash": [python, "-c", "import qstash"],
        "help": [str(Path(python).parent / "qsops"), "--help"],
    }
    took = seconds(commands[what])
    if what.startswith("import"):
        took -= seconds([python, "-c", "pass"])
    print(json.dumps({"figure": took * 1000}))


_PEER = Peer(Contender("import qstash", "bench.startup", ("import-qstash",)))

IMPORT = Row(
    title="import qsops, interpreter's start taken off",
    unit="ms",
    ours=Contender("import qsops", "bench.startup", ("import-qsops",)),
    peers=(_PEER,),
    rounds=3,
    limit=150,
)
HELP = Row(
    title="qsops --help, whole process",
    unit="ms",
    ours=Contender("qsops --help", "bench.startup", ("help",)),
    peers=(_PEER,),
    rounds=3,
    limit=300,
)


if __name__ == "__main__":
    main(sys.argv[1])
