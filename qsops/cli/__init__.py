"""The command line: one file per noun, without logic of its own; what a verb does is a session's or a stack's matter.

What takes long to import is imported inside the verb that needs it, so that ``qsops --help`` answers at once.
"""

from __future__ import annotations

import os

__all__ = ["main"]


def main() -> None:
    """Run this process's command line, and exit: 0 done, 1 the answer is bad news, 2 misuse or missing settings."""
    # What the object store writes to stderr by itself; we tell of its failures in our own line.
    os.environ.setdefault("RUST_LOG", "error")
    from qsops.cli.app import app

    app(prog_name="qsops")
