"""What a session knows of itself and asks of the service, as the doctor's facts."""

from __future__ import annotations

from qsops import config
from qsops.doctor import Check, Facts, Probe, examine, probe
from qsops.errors import SettingsError
from qsops.session.ages import first_seen_ms
from qsops.session.banner import Health
from qsops.session.wiring import Wiring

__all__ = ["examination", "health"]

DEFAULT_RETRIES = 5
#: What the service cannot find or default by itself.
SERVICE_SETTINGS = ("INSTAGRAM_APP_SECRET", "INSTAGRAM_VERIFY_TOKEN")


async def health(wiring: Wiring) -> Health:
    """One question, asked once: whether the service answers, and takes the token."""
    if wiring.target.token is None:
        return Health("unknown", "no token is set")
    seen = await probe(wiring.impatient("health"), wiring.clock)
    if seen.failure is None:
        return Health("healthy")
    return Health("refused" if seen.refused else "unreachable", seen.failure)


async def examination(wiring: Wiring) -> tuple[Check, ...]:
    """The doctor's checks for the session's target."""
    target = wiring.target
    seen = (
        await probe(wiring.impatient("doctor"), wiring.clock)
        if wiring.target.token
        else Probe(failure="not asked: no token")
    )
    # Read once: keys that are first seen now are of age 0, not of a millisecond less.
    now_ms = wiring.clock.now_ms()
    return examine(
        Facts(
            target=target.name,
            kind=target.kind,
            url=None if target.kind == "embedded" else target.url,
            region=target.region,
            has_token=bool(target.token),
            now_ms=now_ms,
            probe=seen,
            keys=target.keys,
            keys_since_ms=_keys_since_ms(wiring, seen, now_ms),
            retries=_retries(wiring),
            retry_delay=wiring.env.get("QSOPS_RETRY_DELAY") or None,
            service_settings={name: bool(wiring.env.get(name, "").strip()) for name in SERVICE_SETTINGS},
        )
    )


def _keys_since_ms(wiring: Wiring, seen: Probe, now_ms: int) -> int | None:
    pair = seen.keys or wiring.target.keys
    if pair is None or wiring.engine is not None:
        return None
    try:
        return first_seen_ms(config.state_dir(wiring.root) / "keys.json", pair, now_ms)
    except OSError:
        # In a container that may not write, the age stays unknown, and the other checks are as good as ever.
        return None


def _retries(wiring: Wiring) -> int:
    text = wiring.env.get("QSOPS_RETRIES", "")
    if not text:
        return DEFAULT_RETRIES
    if not (text.isascii() and text.isdecimal()):
        raise SettingsError(f"QSOPS_RETRIES: {text!r} is no whole number")
    return int(text)
