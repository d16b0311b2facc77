"""What is wrong with the settings and the way to QStash: facts are gathered once, then judged by pure checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from qsops import retry
from qsops.client import Client
from qsops.clock import Clock
from qsops.errors import AuthError, Corrupt, Rejected, ServiceError
from qsops.models import Headers, KeyPair
from qsops.wire.http import dated_ms
from qsops.wire.keys import keys_request, parse_keys

__all__ = ["Check", "Facts", "Probe", "examine", "probe"]

Level = Literal["ok", "warn", "fault"]

# A signature lives for 300 s; half of the margin is for the delivery itself.
SKEW_FAULT_S: Final = 150.0
SKEW_WARN_S: Final = 5.0
SHORT_HORIZON_S: Final = 3600.0
OLD_KEYS_MS: Final = 180 * 86_400_000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement: what was seen, and what to do about it, empty where nothing is to be done."""

    name: str
    level: Level
    seen: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one question to the service showed. ``skew_s`` is how far its clock is ahead of ours."""

    latency_ms: float | None = None
    failure: str | None = None
    refused: bool = False
    skew_s: float | None = None
    keys: KeyPair | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is judged. ``keys`` are those of the settings, ``keys_since_ms`` when they were first seen.

    ``service_settings`` says of each setting that the service cannot do without whether it is set.
    """

    target: str
    kind: str
    url: str | None
    region: str | None
    has_token: bool
    now_ms: int
    probe: Probe
    keys: KeyPair | None = field(default=None, repr=False)
    keys_since_ms: int | None = None
    retries: int = 5
    retry_delay: str | None = None
    service_settings: Mapping[str, bool] = field(default_factory=dict)


async def probe(client: Client, clock: Clock) -> Probe:
    """Ask for the signing keys, once: that needs a token, bills nothing, and answers with a date."""
    asked_s, asked_ms = clock.monotonic_s(), clock.now_ms()
    try:
        answer = await client.ask(keys_request(), repeatable=False)
        latency_ms = (clock.monotonic_s() - asked_s) * 1000
        return Probe(latency_ms, skew_s=_skew_s(answer.headers, asked_ms, latency_ms), keys=parse_keys(answer))
    except Rejected as error:
        return Probe(failure=str(error), refused=isinstance(error, AuthError))
    except (ServiceError, Corrupt) as error:
        return Probe(failure=str(error))


def examine(facts: Facts) -> tuple[Check, ...]:
    """All checks, in the order in which a person would go through them."""
    return (
        _target(facts),
        _settings(facts),
        _token(facts),
        _region(facts),
        _reachability(facts),
        *_keys(facts),
        _horizon(facts),
        _skew(facts),
    )


def _skew_s(headers: Headers, asked_ms: int, latency_ms: float) -> float | None:
    """The Date header has whole seconds: the middle of that second against the middle of the exchange."""
    second_ms = dated_ms(headers)
    return None if second_ms is None else (second_ms + 500 - asked_ms - latency_ms / 2) / 1000


def _target(facts: Facts) -> Check:
    where = "in this process" if facts.url is None else f"{facts.kind}, at {facts.url}"
    return Check("target", "ok", f"{facts.target} ({where})")


def _settings(facts: Facts) -> Check:
    """Without a trace of a service nothing is amiss: reading and publishing do without one."""
    missing = [name for name, is_set in facts.service_settings.items() if not is_set]
    if len(missing) == len(facts.service_settings):
        return Check("settings", "ok", "well-formed; no service is set up here")
    if not missing:
        return Check("settings", "ok", "well-formed; the service's are set")
    advice = f"set {' and '.join(missing)}: without, `qsops serve` does not start"
    return Check("settings", "warn", f"of the service's, {' and '.join(missing)} is missing", advice)


def _token(facts: Facts) -> Check:
    if not facts.has_token:
        return Check("token", "fault", "not set", "set QSTASH_TOKEN: the console shows it under 'Quickstart'")
    if facts.probe.refused:
        advice = "take the token of this region from the console; a token of another region is refused the same way"
        return Check("token", "fault", f"set, but refused: {facts.probe.failure}", advice)
    accepted = facts.probe.failure is None
    return Check("token", "ok", "set, and accepted" if accepted else "set, not tried")


def _region(facts: Facts) -> Check:
    """A hosted address names its region, except the oldest, which is the European one."""
    if facts.kind != "hosted":
        return Check("region", "ok", "none: not the hosted service")
    address = facts.url or ""
    spelled = (facts.region or "").lower().replace("_", "-")
    named = [region for region in ("us-east-1", "eu-central-1") if region in address]
    if spelled and named and named[0] != spelled:
        advice = "set QSTASH_REGION and QSTASH_URL to the same region: they share no tokens, keys or messages"
        return Check("region", "fault", f"QSTASH_REGION is {spelled}, the address is of {named[0]}", advice)
    return Check("region", "ok", spelled or (named[0] if named else "eu-central-1, the default"))


def _reachability(facts: Facts) -> Check:
    seen = facts.probe
    if seen.failure is None:
        took = "" if seen.latency_ms is None else f" in {seen.latency_ms:.0f} ms"
        return Check("reachability", "ok", f"answered{took}")
    if seen.refused:
        return Check("reachability", "ok", "answered, and refused the token")
    if not facts.has_token:
        return Check("reachability", "fault", seen.failure, "set the token first")
    advice = "start it: qsops engine" if facts.kind == "local" else "look at QSTASH_URL, the network, and proxies"
    return Check("reachability", "fault", seen.failure, advice)


def _keys(facts: Facts) -> Iterator[Check]:
    if facts.keys is None:
        advice = "set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY where the consumer runs"
        yield Check("signing keys", "warn", "not set here: nothing here can verify a delivery", advice)
        return
    yield _keys_match(facts.keys, facts.probe.keys)
    if facts.keys_since_ms is not None:
        yield _keys_age(facts.now_ms - facts.keys_since_ms)


def _keys_match(ours: KeyPair, theirs: KeyPair | None) -> Check:
    name = "signing keys"
    if ours.next is None:
        return Check(name, "warn", "the next key is not set", "set QSTASH_NEXT_SIGNING_KEY, or a rotation breaks it")
    if theirs is None:
        return Check(name, "ok", "both set, not compared")
    if ours == theirs:
        return Check(name, "ok", "both set, and the account's")
    if theirs.current == ours.current:
        return Check(name, "warn", "the next key is not the account's", "set QSTASH_NEXT_SIGNING_KEY anew")
    if theirs.current == ours.next:
        return Check(name, "warn", "they were rotated: deliveries use the next key", "set both signing keys anew")
    return Check(name, "fault", "deliveries are signed with neither of the two", "set both signing keys anew")


def _keys_age(age_ms: int) -> Check:
    seen = f"unchanged for {age_ms // _DAY_MS} days at least"
    if age_ms < OLD_KEYS_MS:
        return Check("age of the keys", "ok", seen)
    return Check("age of the keys", "warn", seen, "rotate them: the runbook rotate_signing_keys shows how")


def _horizon(facts: Facts) -> Check:
    name = "retry horizon"
    try:
        expression = None if facts.retry_delay is None else retry.compile_expression(facts.retry_delay)
    except ValueError as error:
        return Check(name, "fault", f"QSOPS_RETRY_DELAY: {error}", "mend the expression, or leave it out")
    horizon_s = retry.horizon_s(facts.retries, expression)
    seen = f"you survive {_span(horizon_s)} of outage ({facts.retries} retries)"
    if horizon_s < SHORT_HORIZON_S:
        return Check(name, "warn", seen, "set QSOPS_RETRIES=5: 5 retries on the default curve survive 30 hours")
    return Check(name, "ok", seen)


def _skew(facts: Facts) -> Check:
    name, skew_s = "clock skew", facts.probe.skew_s
    if skew_s is None:
        return Check(name, "ok", "not known: no answer with a date")
    if abs(skew_s) < SKEW_WARN_S:
        return Check(name, "ok", "under 5 s")
    seen = f"our clock is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead'}"
    level: Level = "fault" if abs(skew_s) > SKEW_FAULT_S else "warn"
    return Check(name, level, seen, "set the clock by NTP: signatures are valid for 300 s")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
