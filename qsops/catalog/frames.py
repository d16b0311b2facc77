"""What is listed, as frames: the same columns and types whether there is a thousand of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

__all__ = ["Column", "frame_of"]

T = TypeVar("T")

#: A column's name, its type ("time" is of unix milliseconds), and its value in a row.
Column = tuple[str, Literal["str", "bool", "Int64", "time"], Callable[[T], Any]]


def frame_of(rows: Sequence[T], columns: Sequence[Column[T]]) -> pd.DataFrame:
    """``rows`` as a frame of ``columns``, in their order; times are ``datetime64[us, UTC]``."""
    import pandas as pd

    made = pd.DataFrame(
        {name: pd.Series(map(value, rows), dtype=_DTYPES.get(kind, kind)) for name, kind, value in columns}
    )
    for name, kind, _ in columns:
        if kind == "time":
            made[name] = pd.to_datetime(made[name], unit="ms", utc=True).astype("datetime64[us, UTC]")
    return made


_DTYPES = {"time": "Int64"}
