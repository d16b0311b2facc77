"""Since when the signing keys have been the same: no API tells, so the first sight of each pair is remembered."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from qsops.errors import Corrupt
from qsops.models import KeyPair

__all__ = ["first_seen_ms"]


def first_seen_ms(path: Path, pair: KeyPair, now_ms: int) -> int:
    """When ``pair`` was first seen here, unix milliseconds; ``now_ms`` if this is the first time.

    The file holds digests, never keys.

    :raises Corrupt: the file is no JSON object.
    """
    seen = _read(path)
    digest = hashlib.sha256(f"{pair.current}\0{pair.next}".encode()).hexdigest()[:16]
    if digest not in seen:
        seen[digest] = now_ms
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
    return seen[digest]


def _read(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Corrupt(f"{path}: no JSON: {error}; delete it, and the age of the keys counts from now") from error
    if not isinstance(value, dict) or not all(isinstance(at, int) for at in value.values()):
        raise Corrupt(f"{path}: expected digests and times; delete it, and the age of the keys counts from now")
    return value
