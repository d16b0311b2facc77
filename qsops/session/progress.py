"""Progress of long verbs, shown in the thread that waits for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from qsops.session.wiring import Wiring

__all__ = ["reporting", "waiting"]

T = TypeVar("T")

_Run = Callable[[Callable[[Callable[[int], object]], Coroutine[Any, Any, Any]]], Any]


def reporting(
    wiring: Wiring,
    verb: str,
    work: Callable[[Callable[[int], None]], Coroutine[Any, Any, T]],
    total: int | None,
    shown: bool | None,
) -> T:
    """Run ``work(report)`` with a bar.

    Unless said otherwise there is none on the embedded engine, where nothing takes long, nor where stderr is a file.
    """
    if shown is False or (shown is None and wiring.engine is not None):
        return wiring.portal.call(lambda: work(lambda _: None))
    # Loading tqdm's notebook side takes as long as many a verb.
    from tqdm.auto import tqdm

    # To tqdm None means: in a terminal or a notebook.
    with tqdm(total=total, desc=verb, unit="", leave=False, disable=None if shown is None else False) as bar:
        return wiring.portal.call_reporting(work, bar.update)


def waiting(wiring: Wiring, verb: str, work: Callable[[_Run], T], shown: bool | None) -> T:
    """Do ``work(run)`` with one bar for all coroutines that it runs; see :func:`reporting`."""
    if shown is False or (shown is None and wiring.engine is not None):
        return work(lambda coroutine: wiring.portal.call(lambda: coroutine(lambda _: None)))
    from tqdm.auto import tqdm

    with tqdm(desc=verb, unit="", leave=False, disable=None if shown is None else False) as bar:
        return work(lambda coroutine: wiring.portal.call_reporting(coroutine, bar.update))
