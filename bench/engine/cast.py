"""Who stands in the long log: common values, rare ones, and ones that only its oldest part knows."""

from __future__ import annotations

from collections.abc import Callable

from bench.engine.history import FAILS, RECOVERS
from bench.engine.payload import body
from bench.engine.values import OLD, RARE
from qsops.models import FlowControl, Message

__all__ = ["Maker", "old", "rare", "regular", "single"]

#: Makes message ``number`` with an id, at a time.
Maker = Callable[[int, str, int], Message]

_HOOKS = 300
_OTHERS = 19
_OLD_HOOKS = 1_000
_OLD_HOSTS = 1_500
_HEADERS = (("Content-Type", "application/json"),)
_WIDE = 10_000


def regular(number: int, message_id: str, now_ms: int) -> Message:
    """One of the many: half go to paths of one host, the rest to one path of many hosts."""
    if number % 2:
        url = f"https://hooks.example.com/hook/{number // 2 % _HOOKS}"
    else:
        url = f"https://shop-{number // 2 % _OTHERS}.example.com/hook"
    fate = number % 100
    return Message(
        message_id,
        url,
        now_ms,
        now_ms,
        max_retries=1,
        headers=_HEADERS + (RECOVERS if fate < 4 else FAILS if fate == 4 else ()),
        body=body(number).encode(),
        url_group="subscribers" if number % 10 == 5 else None,
        queue="orders" if number % 50 == 8 else None,
        schedule_id="scd_nightly" if number % 20 == 9 else None,
        flow_control=FlowControl("tenant", parallelism=_WIDE) if number % 20 == 7 else None,
        caller_ip=f"192.0.2.{1 + number % 5}",
        labels=("campaign",) if number % 3 == 0 else ("campaign", "eu") if number % 3 == 1 else (),
    )


def single(number: int, message_id: str, now_ms: int) -> Message:
    """One whose URL and label are its own, as an order's may be."""
    url, label = f"https://orders.example.com/order/{number}", f"order-{number}"
    text = body(number).encode()
    return Message(message_id, url, now_ms, now_ms, headers=_HEADERS, body=text, caller_ip="192.0.2.1", labels=(label,))


def rare(number: int, message_id: str, now_ms: int) -> Message:
    """One of a few, from now and then."""
    return _of(RARE, RARE["url"], number, message_id, now_ms, gated=True)


def old(number: int, message_id: str, now_ms: int) -> Message:
    """One from before all others: of many URLs of one host, or of one path of many hosts."""
    if number % 2:
        url = f"https://h{number // 2 % _OLD_HOSTS}.example.net/old"
    else:
        url = f"https://old.example.com/old/{number // 2 % _OLD_HOOKS}"
    return _of(OLD, url, number, message_id, now_ms, gated=number % 500 == 0)


def _of(values: dict[str, str], url: str, number: int, message_id: str, now_ms: int, *, gated: bool) -> Message:
    return Message(
        message_id,
        url,
        now_ms,
        now_ms,
        headers=_HEADERS,
        body=body(number).encode(),
        url_group=values["topicName"],
        queue=values["queueName"] if gated else None,
        schedule_id=values["scheduleId"],
        flow_control=FlowControl(values["flowControlKey"], parallelism=_WIDE) if gated else None,
        caller_ip=values["callerIp"],
        labels=(values["label"],),
    )
