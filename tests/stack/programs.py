"""Small programs that stand for engine and service in the tests of the stack."""

import sys
from pathlib import Path

from qsops.stack.ports import free_port
from qsops.stack.programs import Probe, Program

_ANSWERS = """
import http.server, os, pathlib, signal, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr(sorted(os.environ.items())).encode())

    def log_message(self, *_):
        pass

if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
_ENDS = "import sys; print('reading the settings'); print('boom: no such database', file=sys.stderr); sys.exit(3)"
_MUTE = "import signal; signal.pause()"


def answering(cwd: Path, name: str = "server", *flags: str, settings: dict[str, str] | None = None) -> Program:
    """A server that answers every GET with its environment; with ``deaf`` it ignores SIGTERM."""
    port = free_port()
    return Program(
        name, (sys.executable, "-c", _ANSWERS, str(port), *flags), cwd, settings or {}, Probe(port, "/healthz")
    )


def ending(cwd: Path) -> Program:
    """A program that says why, and ends with status 3."""
    return Program("short", (sys.executable, "-c", _ENDS), cwd, {}, Probe(free_port(), "/healthz"))


def mute(cwd: Path) -> Program:
    """A program that runs, and never answers."""
    return Program("mute", (sys.executable, "-c", _MUTE), cwd, {}, Probe(free_port(), "/healthz"))
