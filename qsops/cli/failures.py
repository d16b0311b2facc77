"""How a command ends that could not do its part: one line on stderr, an exit status, no traceback and no secret."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from qsops.errors import QsopsError

__all__ = ["MISUSE", "TRACEBACK_SWITCH", "Verbs"]

MISUSE = 2
_INTERRUPTED = 130
_FAULT = 1
#: Set to anything, it lets the traceback of a fault of ours through; its text may hold secrets.
TRACEBACK_SWITCH = "QSOPS_TRACEBACK"
#: What Typer raises as an error where no verb is named: the whole help.
_HELP = "Usage: "
#: What an installation without the extra `toolkit`, or a deployed service, does without.
_TOOLKIT = frozenset({"aiohttp", "cronsim", "httptools", "numpy", "pandas", "pyarrow", "qstash", "tqdm", "uvicorn"})
# Both are options of `qsops` itself, and are easily put behind the verb.
_BEFORE_THE_VERB = ("--target", "--write")


class Verbs(TyperGroup):
    """The root of all verbs: what they raise ends here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        try:
            # Not standalone, Typer hands over what it would print; an Exit comes back as its status.
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except QsopsError as error:
            _end("; ".join([str(error), *getattr(error, "__notes__", ())]), error.exit_status)
        except typer.TyperException as error:
            if error.format_message().startswith(_HELP):
                # Whoever names no verb wants to see which there are, in lines as they are.
                typer.echo(error.format_message(), err=True)
                raise SystemExit(MISUSE) from None
            _end(_usage(error), MISUSE)
        except typer.Abort:
            _end("stopped", _INTERRUPTED)
        except ModuleNotFoundError as error:
            if not _is_of_toolkit(error):
                _end(_fault(error), _FAULT)
            _end(f"this verb needs {error.name}: pip install 'qsops[toolkit]'", MISUSE)
        except BrokenPipeError:
            # The reader has seen enough (`| head`); what is left in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, a person gets one line.
            _end(_fault(error), _FAULT)
        raise SystemExit(status if isinstance(status, int) else 0)


def _end(message: str, status: int) -> NoReturn:
    line = " ".join(message.split())
    typer.echo(f"qsops: {line}", err=True)
    raise SystemExit(status)


def _is_of_toolkit(error: ModuleNotFoundError) -> bool:
    return (error.name or "").partition(".")[0] in _TOOLKIT


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "qsops"
    message = error.format_message().rstrip(".")
    misplaced = getattr(error, "option_name", None)
    if misplaced in _BEFORE_THE_VERB:
        return f"{misplaced} stands before the verb: qsops {misplaced} … {command.removeprefix('qsops').strip()}"
    return f"{message}; `{command} --help` shows how"


def _fault(error: Exception) -> str:
    """What is safe to say of an error that nobody foresaw: its kind and place, since its text may quote anything."""
    if os.environ.get(TRACEBACK_SWITCH):
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(os.path.dirname(frame.filename))}/{os.path.basename(frame.filename)}:{frame.lineno}"
    return (
        f"a fault of qsops itself: {type(error).__name__} at {where}; please report it ({TRACEBACK_SWITCH}=1 says more)"
    )
