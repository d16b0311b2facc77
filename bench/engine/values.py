"""What the long log can be asked for, by the parameter of ``GET /v2/events``."""

from __future__ import annotations

__all__ = ["COMMON", "NONE", "OLD", "RARE"]

#: On many lines of all parts.
COMMON = {
    "url": "https://hooks.example.com/hook/7",
    "topicName": "subscribers",
    "queueName": "orders",
    "scheduleId": "scd_nightly",
    "label": "campaign",
    "flowControlKey": "tenant",
    "host": "hooks.example.com",
    "path": "/hook",
    "callerIp": "192.0.2.1",
}
#: On a few lines, from now and then.
RARE = {
    "url": "https://rare.example.com/rare",
    "topicName": "rare-topic",
    "queueName": "rare-queue",
    "scheduleId": "scd_rare",
    "label": "rare",
    "flowControlKey": "rare-tenant",
    "host": "rare.example.com",
    "path": "/rare",
    "callerIp": "192.0.2.200",
}
#: On 100,000 messages, all of them in the oldest part.
OLD = {
    "url": "https://old.example.com/old/8",
    "topicName": "old-topic",
    "queueName": "old-queue",
    "scheduleId": "scd_old",
    "label": "old",
    "flowControlKey": "old-tenant",
    "host": "old.example.com",
    "path": "/old",
    "callerIp": "198.51.100.9",
}
#: On no line.
NONE = {name: "https://none.example.com/" if name == "url" else "no-such-value" for name in COMMON}
