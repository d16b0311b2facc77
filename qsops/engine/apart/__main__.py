"""``python -m qsops.engine.apart FILE CONNECTIONS [NETWORK …]``: started by an engine, and by nobody else.

Without networks every destination may be called; ``-`` alone stands for the public internet.
"""

from __future__ import annotations

import sys
from ipaddress import ip_network

from qsops.engine.apart.process import main

if __name__ == "__main__":
    networks = sys.argv[3:]
    reachable = tuple(ip_network(network) for network in networks if network != "-") if networks else None
    main(int(sys.argv[1]), int(sys.argv[2]), reachable)
