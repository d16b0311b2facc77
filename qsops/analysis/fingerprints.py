"""Errors without what differs from one to the next: ids, numbers, hosts, quoted words."""

from __future__ import annotations

import hashlib
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["fingerprint", "without_ids"]

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


def without_ids(texts: pd.Series) -> pd.Series:
    """``texts`` without what differs; null stays null."""
    coded = pa.array(texts.astype(object).where(texts.notna(), None), pa.string()).dictionary_encode()
    words = coded.dictionary
    for pattern, instead in _PATTERNS:
        words = pc.replace_substring_regex(words, pattern, instead)
    found = words.take(coded.indices).to_numpy(zero_copy_only=False)
    return pd.Series(found, index=texts.index, dtype=texts.dtype)


def fingerprint(status: int | None, text: str | None) -> str:
    """Eight hex digits that stand for a status and a normalised error: the same ones on every machine."""
    return hashlib.sha256(f"{status or 0}\0{text or ''}".encode()).hexdigest()[:8]
