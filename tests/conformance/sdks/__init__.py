"""The official SDKs, unmodified, under one face: what a test asks of one it can ask of all three."""

from __future__ import annotations

from tests.conformance.sdks.catalog import Flow, Group, Limit, Queue, Schedule
from tests.conformance.sdks.face import Letter, Log, Message, Published, Sdk, SdkError
from tests.conformance.sdks.javascript import JavaScriptSdk
from tests.conformance.sdks.node import Node
from tests.conformance.sdks.python import PythonSdk, python_surface

__all__ = [
    "Flow",
    "Group",
    "JavaScriptSdk",
    "Letter",
    "Limit",
    "Log",
    "Message",
    "Node",
    "Published",
    "PythonSdk",
    "Queue",
    "Schedule",
    "Sdk",
    "SdkError",
    "python_surface",
]
