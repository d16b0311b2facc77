"""What stands before the verb, and the session it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from qsops.errors import SettingsError, Unreachable

if TYPE_CHECKING:
    from qsops.session import Session

__all__ = ["DEFAULT_TARGET", "Chosen", "chosen", "refuse_hosted", "session_of"]

DEFAULT_TARGET = "local"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The target by name, None where none was named, and whether it may be written to."""

    named: str | None = None
    write: bool = False

    @property
    def target(self) -> str:
        return self.named or DEFAULT_TARGET


def chosen(ctx: typer.Context) -> Chosen:
    """What was said before the verb."""
    return ctx.obj if isinstance(ctx.obj, Chosen) else Chosen()


def refuse_hosted(ctx: typer.Context, verb: str) -> None:
    """See to it that nobody believes to have started ``verb`` on an account.

    :raises SettingsError: a target other than this machine's own was named.
    """
    named = chosen(ctx).named
    if named not in (None, DEFAULT_TARGET):
        raise SettingsError(f"{verb} runs on an engine of its own: it takes no --target {named}")


@contextmanager
def session_of(ctx: typer.Context) -> Iterator[Session]:
    """A session on the chosen target, closed at the end.

    :raises SettingsError: the target is an engine inside this process, which would be gone with the command.
    :raises Unreachable: as the session does; on the local target it says how to start an engine.
    """
    from qsops.session import connect

    choice = chosen(ctx)
    if choice.target == "embedded":
        raise SettingsError("--target embedded lives inside a Python process: take local, env, or a qsops.toml profile")
    with connect(choice.target, write=choice.write) as session:
        try:
            yield session
        except Unreachable as error:
            # It may be the service that is away, of which the error says so itself.
            if session.target.kind != "local" or session.target.url not in str(error):
                raise
            raise Unreachable(
                f"no engine answers at {session.target.url}: start one with `qsops engine` (or all with `qsops up`), "
                f"or name another target: qsops --target env …"
            ) from error
