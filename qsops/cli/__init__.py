"""The command line: one file per noun, without logic of its own; what a verb does is a session's or a stack's matter.

What takes long to import is imported inside the verb that needs it, so that ``qsops --help`` answers at once.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run this process's command line, and exit: 0 done, 1 the answer is bad news, 2 misuse or missing settings."""
    from qsops.cli.app import app

    app(prog_name="qsops")
