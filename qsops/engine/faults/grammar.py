"""A fault as a person writes it, and as JSON; both ways.

::

    fault = [ "engine" ] what [ percent "%" ] { name "=" value }
    what  = status | "latency=2s" | "reset" | "timeout"           of destinations
          | status | "slow=2s" | "unreachable"                    of the engine
    name  = host url path method after from for                   the engine has no host and no url

E.g. ``503 30% host=consumer.example from=10m for=5m``, ``reset 5% after=true``, ``engine 429 20% path=/v2/dlq*``. The
JSON has the same words: ``{"what": "503", "percent": 30, "host": "consumer.example", "from": "10m", "for": "5m"}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from qsops.engine.faults.fault import Fault, Kind
from qsops.errors import SettingsError
from qsops.wire.durations import format_duration, parse_duration, parse_go_duration

__all__ = ["MAX_LENGTH", "fault_json", "fault_of_json", "format_fault", "parse_fault"]

MAX_LENGTH: Final = 1000
#: How long a fault may hold something up, and how far off it may begin or end.
_LATENCY_LIMIT_MS: Final = 86_400_000
_WINDOW_LIMIT_MS: Final = 10 * 365 * 86_400_000
_STATUSES: Final = range(400, 600)
_PERCENT: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
#: The one word of each side that takes a value, and the other kinds.
_LATENCY: Final = {False: "latency", True: "slow"}
_KINDS: Final[dict[bool, dict[str, Kind]]] = {
    False: {"reset": "reset", "timeout": "timeout"},
    True: {"unreachable": "unreachable"},
}
_NAMES: Final = {
    False: ("host", "url", "path", "method", "after", "from", "for"),
    True: ("path", "method", "after", "from", "for"),
}
_FORM: Final = {
    False: "write e.g. '503 30% host=consumer.example from=10m for=5m', 'latency=2s', 'reset 5%', 'timeout path=/slow'",
    True: "write e.g. 'engine 429 20%', 'engine 500 1% path=/v2/dlq*', 'engine slow=2s', 'engine unreachable for=1m'",
}


def parse_fault(text: str) -> Fault:
    """The fault that ``text`` names.

    :raises SettingsError: naming the text, the fault in it and what to write.
    """
    try:
        return _fault(_words(text))
    except ValueError as error:
        form = _FORM[text.split()[:1] == ["engine"]]
        raise SettingsError(f"fault {text[:MAX_LENGTH]!r}: {error}; {form}") from None


def format_fault(fault: Fault) -> str:
    """The shortest text that :func:`parse_fault` reads as ``fault``."""
    told = _told(fault)
    words = ["engine"] if told.pop("engine", None) else []
    words.append(told.pop("what"))
    percent = told.pop("percent", None)
    return " ".join([*words, *([f"{percent}%"] if percent else []), *(f"{name}={told[name]}" for name in told)])


def fault_of_json(value: Any) -> Fault:
    """The fault that the JSON object ``value`` names: by the words of the grammar, or as text in ``fault`` alone.

    :raises SettingsError: naming the fault in it and what to write.
    """
    if not isinstance(value, Mapping):
        raise SettingsError(f'fault: expected an object, e.g. {{"what": "503", "percent": 30}}, got {value!r:.100}')
    if "fault" in value:
        if len(value) > 1 or not isinstance(value["fault"], str):
            raise SettingsError('fault: as text it stands alone, e.g. {"fault": "503 30%"}')
        return parse_fault(value["fault"])
    try:
        return _fault({str(name): _word(name, one) for name, one in value.items()})
    except ValueError as error:
        raise SettingsError(f"fault: {error}; {_FORM[value.get('engine') is True]}") from None


def fault_json(fault: Fault) -> dict[str, Any]:
    """The words of ``fault``; what was not said is absent."""
    found: dict[str, Any] = dict(_told(fault))
    found |= {name: True for name in ("engine", "after") if name in found}
    return found | ({"percent": fault.percent} if "percent" in found else {})


def _words(text: str) -> dict[str, str]:
    """The words by their names."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it has {len(text)} characters, and at most {MAX_LENGTH}")
    words = text.split()
    found = {"engine": "true"} if words[:1] == ["engine"] else {}
    for number, word in enumerate(words[len(found) :]):
        name, equals, value = word.partition("=")
        if number == 0:
            name, value = "what", word
        elif not equals and word.endswith("%"):
            name, value = "percent", word[:-1]
        elif name not in _NAMES[False]:
            raise ValueError(f"{word!r} is none of its words")
        if name in found:
            raise ValueError(f"{name} is said twice")
        found[name] = value
    return found


def _word(name: Any, value: Any) -> str:
    """A JSON value as it stands in the text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected text, got {value!r:.100}")
    return value


def _fault(words: dict[str, str]) -> Fault:
    engine = _flag(words, "engine")
    kind, status, latency_ms = _what(words.get("what", ""), engine)
    for name in words:
        if name not in ("engine", "what", "percent", *_NAMES[engine]):
            raise ValueError(f"{name}: {'a fault of the engine' if engine else 'a fault'} has no such word")
    return Fault(
        kind,
        of_engine=engine,
        status=status,
        latency_ms=latency_ms,
        percent=_percent(words),
        host=_pattern(words, "host", str.lower),
        url=_pattern(words, "url"),
        path=_pattern(words, "path"),
        method=_pattern(words, "method", str.upper),
        after=_flag(words, "after"),
        from_ms=_span_ms("from", words.get("from", "0"), 0, _WINDOW_LIMIT_MS),
        for_ms=_span_ms("for", words["for"], 1, _WINDOW_LIMIT_MS) if "for" in words else None,
    )


def _told(fault: Fault) -> dict[str, str]:
    """What differs from a fault that always happens to everybody, in the order in which it is written."""
    if fault.kind == "latency":
        what = f"{_LATENCY[fault.of_engine]}={_span(fault.latency_ms)}"
    else:
        what = str(fault.status) if fault.kind == "status" else fault.kind
    words = {
        "engine": "true" if fault.of_engine else None,
        "what": what,
        "percent": None if fault.percent == 100 else f"{fault.percent:.3f}".rstrip("0").rstrip("."),
        "host": fault.host,
        "url": fault.url,
        "path": fault.path,
        "method": fault.method,
        "after": "true" if fault.after else None,
        "from": _span(fault.from_ms) if fault.from_ms else None,
        "for": None if fault.for_ms is None else _span(fault.for_ms),
    }
    return {name: word for name, word in words.items() if word is not None}


def _what(text: str, engine: bool) -> tuple[Kind, int, int]:
    """Kind, status and latency in milliseconds."""
    name, equals, value = text.partition("=")
    if equals and name == _LATENCY[engine]:
        return "latency", 0, _span_ms(name, value, 1, _LATENCY_LIMIT_MS)
    if text in _KINDS[engine]:
        return _KINDS[engine][text], 0, 0
    if not re.fullmatch("[0-9]{3}", text) or int(text) not in _STATUSES:
        known = ", ".join([f"{_LATENCY[engine]}=<duration>", *_KINDS[engine]])
        raise ValueError(f"{text!r} is neither a status from 400 to 599 nor one of {known}")
    return "status", int(text), 0


def _percent(words: dict[str, str]) -> float:
    text = words.get("percent", "100")
    if not _PERCENT.fullmatch(text) or not 0 < float(text) <= 100:
        raise ValueError(f"{text}% is not over 0% and at most 100%, with at most three decimals")
    return float(text)


def _pattern(words: dict[str, str], name: str, spelled: Callable[[str], str] = str) -> str | None:
    text = words.get(name)
    if text is None:
        return None
    if not text or len(text) > MAX_LENGTH or any(letter.isspace() for letter in text):
        raise ValueError(f"{name}: {text[:100]!r} is empty, too long, or has a space in it")
    if name == "path" and text[0] not in "/*":
        raise ValueError(f"path: {text!r} begins with no /")
    return spelled(text)


def _flag(words: dict[str, str], name: str) -> bool:
    text = words.get(name, "false")
    if text not in ("true", "false"):
        raise ValueError(f"{name}: {text!r} is neither true nor false")
    return text == "true"


def _span_ms(name: str, text: str, least: int, most: int) -> int:
    """Either spelling of a duration: days of the one, milliseconds of the other."""
    try:
        span_ms = parse_duration(text) * 1000
    except ValueError:
        try:
            span_ms = round(parse_go_duration(text) * 1000)
        except ValueError:
            raise ValueError(f"{name}: {text!r} is no duration such as 200ms, 1.5s, 10m or 1d") from None
    if not least <= span_ms <= most:
        raise ValueError(f"{name}: {text!r} is not from {_span(least)} to {_span(most)}")
    return span_ms


def _span(span_ms: int) -> str:
    return f"{span_ms}ms" if span_ms % 1000 else format_duration(span_ms // 1000)
