"""Texts without what differs from one to the next: ids, numbers, hosts, quoted words."""

from __future__ import annotations

import hashlib
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["LONGEST", "fingerprint", "normalised", "without_ids"]

#: Of a longer text only so many characters count: what failed stands at the beginning of an answer.
LONGEST: Final = 400

#: Each pattern (RE2), and what stands in its place; in this order, the wider before the narrower.
_PATTERNS: Final = (
    (r"https?://[^\s\"')]+", "<url>"),
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<address>"),
    (r"'[^']*'|\"[^\"]*\"", "<quoted>"),
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "#"),
    (r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b", "<host>"),
    (r"\b([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(:\d+)?\b", "<host>"),
    # A word with a digit in it is an id: a hash, a key, a number with its unit.
    (r"[\w-]*\d[\w-]*(\.\d+)*", "#"),
    (r"\s+", " "),
)


def normalised(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """``texts`` without what differs, at most :data:`LONGEST` characters of each; null stays null.

    A text that comes often is looked at once.
    """
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    words = pc.utf8_slice_codeunits(coded.dictionary.cast(pa.string()), 0, LONGEST)
    for pattern, instead in _PATTERNS:
        words = pc.replace_substring_regex(words, pattern, instead)
    return words.take(coded.indices)


def without_ids(texts: pd.Series) -> pd.Series:
    """:func:`normalised` for a column of a frame."""
    found = normalised(pa.array(texts.astype(object).where(texts.notna(), None), pa.string()))
    return pd.Series(found.to_numpy(zero_copy_only=False), index=texts.index, dtype=texts.dtype)


def fingerprint(status: int | None, error: str | None, body: str | None = None) -> str:
    """Eight hex digits that stand for a status and normalised texts: the same ones on every machine."""
    told = (str(status or 0), error or "", *([] if body is None else [body]))
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:8]
