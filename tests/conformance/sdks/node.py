"""A Node process in which @upstash/qstash runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.conformance.sdks.face import SdkError
from tests.standins.processes import ChildProcess

__all__ = ["NEEDS_NODE", "Node"]

NEEDS_NODE: Final = (
    "the JavaScript SDK is tested with Node 20 or later and npm, and {missing}. "
    "Run tests/conformance/js/install.sh, or set QSOPS_TESTS_WITHOUT_NODE=1 to test without it."
)
_JS: Final = Path(__file__).parents[1] / "js"


class Node(ChildProcess):
    """A Node process that drives @upstash/qstash; ``environment`` is all that it is given."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__([_node(), "driver.mjs"], cwd=_JS, environment=environment, listens=True)

    def ask(self, config: Mapping[str, Any], path: Sequence[str | Mapping[str, Any]], *args: Any) -> Any:
        """What a method of the SDK, made with ``config``, answers; its errors become SdkError."""
        self.say(json.dumps({"config": config, "path": path, "args": args}))
        reply = json.loads(self.wait_for_line(r"^reply (.*)$")[1])
        if "error" in reply:
            error = reply["error"]
            raise SdkError(f"{error['message']} (status {error['status']})", error["name"])
        return reply["value"]


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise AssertionError(NEEDS_NODE.format(missing="there is no `node` on the PATH"))
    if not (_JS / "node_modules" / "@upstash" / "qstash").is_dir():
        raise AssertionError(NEEDS_NODE.format(missing="@upstash/qstash is not installed"))
    return node
