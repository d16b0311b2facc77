"""A consumer as a process of its own: it writes down what arrives, so that no sender's books have to be believed.

Run as ``python receiver.py ARRIVALS [--answers 500,500,200]``: it prints ``listening on PORT`` once it takes requests.
Each arrival is one line of JSON in the file ARRIVALS, written and synced before it is answered: what was answered has
been counted, whatever is killed next. It imports nothing but the standard library, to be started anywhere.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

__all__ = ["Receiver"]

MESSAGE_ID: Final = "Upstash-Message-Id"


class Receiver(ThreadingHTTPServer):
    """Answers the n-th arrival of a message with the n-th status of ``answers``, and from then on with the last."""

    daemon_threads = True
    # The default of 5 refuses connections when an engine delivers at full speed.
    request_queue_size = 512

    def __init__(self, arrivals: Path, answers: list[int], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._answers = answers
        _drop_half_line(arrivals)
        self._file = arrivals.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._count: Counter[str] = Counter()

    def arrived(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        """Write down an arrival: the status to answer with."""
        line = json.dumps(
            {"method": method, "path": path, "headers": headers, "body": base64.b64encode(body).decode()},
            ensure_ascii=False,
        )
        message_id = {name.lower(): value for name, value in headers.items()}.get(MESSAGE_ID.lower(), "")
        with self._lock:
            self._count[message_id] += 1
            self._file.write(line + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            return self._answers[min(self._count[message_id], len(self._answers)) - 1]


def _drop_half_line(arrivals: Path) -> None:
    """A predecessor killed while it wrote had not answered yet: what it wrote of the line is no arrival."""
    if arrivals.exists():
        with arrivals.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body of an answer are two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: Receiver

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.server.arrived(self.command, self.path, dict(self.headers.items()), body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Arrivals are written to the file, and nothing else is worth a line."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Write down what arrives; example: receiver.py arrivals.jsonl")
    parser.add_argument("arrivals", type=Path, help="the file to append to, one line of JSON an arrival")
    parser.add_argument("--answers", default="200", help="statuses for the 1st, 2nd, … arrival of each message")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    arguments = parser.parse_args()
    answers = [int(status) for status in arguments.answers.split(",")]
    with Receiver(arguments.arrivals, answers, arguments.port) as receiver:
        sys.stdout.write(f"listening on {receiver.server_port}\n")
        sys.stdout.flush()
        receiver.serve_forever()


if __name__ == "__main__":
    main()
