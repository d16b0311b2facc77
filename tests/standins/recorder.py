"""A host that answers anything with 200 and writes down that it was asked.

Point a production-looking ``.env`` at it: what must never reach the hosted account is proven by an empty ``seen``.
"""

from __future__ import annotations

from tests.standins.loopback import Answer, LoopbackServer, Seen

__all__ = ["Recorder"]


class Recorder(LoopbackServer):
    """Answers each request with ``200 {}``, whatever its method, path or token."""

    def __init__(self) -> None:
        super().__init__(_yes)

    def dotenv(self) -> str:
        """The text of a ``.env`` as it lies on a developer's machine, naming this host as the hosted QStash."""
        return (
            f"QSTASH_URL={self.url}\n"
            "QSTASH_TOKEN=eyJVc2VySUQiOiJwcm9kdWN0aW9uIiwiUGFzc3dvcmQiOiJub3QtcmVhbCJ9\n"
            "QSTASH_CURRENT_SIGNING_KEY=sig_productionCurrentNotReal1111\n"
            "QSTASH_NEXT_SIGNING_KEY=sig_productionNextNotReal11111111\n"
            f"EU_CENTRAL_1_QSTASH_URL={self.url}\n"
            "EU_CENTRAL_1_QSTASH_TOKEN=eyJVc2VySUQiOiJwcm9kdWN0aW9uIiwiUGFzc3dvcmQiOiJub3QtcmVhbCJ9\n"
            f"PUBLIC_BASE_URL={self.url}\n"
        )


def _yes(_: Seen) -> Answer:
    return Answer(200, {})
