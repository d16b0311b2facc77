"""The official SDKs, unmodified, under one face: what a test asks of one it can ask of all three."""

from __future__ import annotations

from tests.conformance.sdks.face import Letter, Log, Message, Published, Sdk, SdkError
from tests.conformance.sdks.javascript import JavaScriptSdk, Node
from tests.conformance.sdks.python import PythonSdk

__all__ = ["JavaScriptSdk", "Letter", "Log", "Message", "Node", "Published", "PythonSdk", "Sdk", "SdkError"]
