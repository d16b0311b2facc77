"""Progress of long verbs, shown in the thread that waits for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from qsops.session.wiring import Wiring

__all__ = ["reporting"]

T = TypeVar("T")


def reporting(
    wiring: Wiring,
    verb: str,
    work: Callable[[Callable[[int], None]], Coroutine[Any, Any, T]],
    total: int | None,
    shown: bool | None,
) -> T:
    """Run ``work(report)`` with a bar; unless said otherwise none on the embedded engine, where nothing takes long."""
    if shown is None:
        shown = wiring.engine is None
    if not shown:
        return wiring.portal.call(lambda: work(lambda _: None))
    # Loading tqdm's notebook side takes as long as many a verb.
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=verb, unit="", leave=False) as bar:
        return wiring.portal.call_reporting(work, bar.update)
