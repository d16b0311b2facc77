"""Bodies that nobody sends: JSON of any shape, real posts of Meta's with parts exchanged, and bytes with damage."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from service.samples import NAMES, sample

#: How many bodies each test draws; ``make soak`` draws more.
EXAMPLES = int(os.environ.get("QSOPS_TESTS_FUZZ_EXAMPLES", "90"))
#: A test run draws the same each time; the soak leaves it to chance.
IS_SOAK = "QSOPS_TESTS_FUZZ_EXAMPLES" in os.environ
AT_MS = 1_767_225_600_000

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=not IS_SOAK,
    suppress_health_check=list(HealthCheck),
)

_odd = st.sampled_from(
    [2**53, -(2**63), 10**400, 1e308, "", "0", "\x00", "\ud83d", "1e999", "true", "A" * 70_000, [], {}, [[]], None]
)
_WOUNDS = [b"NaN", b"1e999", b"\xff\xfe", b"[" * 2_000, b'"', b"\\u0000"]
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _odd
json_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def posts(draw: st.DrawFn) -> Any:
    """A post of Meta's in which up to three values, at any depth, are something else or missing."""
    value = sample(draw(st.sampled_from(NAMES)), mid="mid-1", at_ms=AT_MS)
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if places:
            holder, key = draw(st.sampled_from(places))
            if draw(st.booleans()):
                holder[key] = draw(json_values)
            else:
                del holder[key]
    return value


def _places(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """One of ``bodies`` that is cut off, or has bytes of something else in it."""
    body = draw(bodies)
    at = draw(st.integers(0, len(body)))
    wound = draw(
        st.binary(max_size=6) | st.sampled_from([b"NaN", b"1e999", b"\xff\xfe", b"[" * 2_000, b'"', b"\\u0000"])
    )
    return body[:at] + wound + body[at + draw(st.integers(0, 6)) :]


def written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """``values`` as JSON, the non-standard NaN and Infinity among it."""
    return values.map(lambda value: json.dumps(value).encode())
