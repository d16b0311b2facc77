import socket

import pytest

from qsops.errors import SettingsError
from qsops.stack.ports import LOOPBACK, free_port, require_free


def test_a_taken_port_is_named_with_what_to_do():
    """Whoever meets a taken port reads which, who wanted it, how to find its owner, and how to choose another."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as refusal:
            require_free(port, name="service", option="--service-port")
    for part in ("service", str(port), "is taken", f"lsof -i :{port}", "--service-port"):
        assert part in str(refusal.value)


def test_a_free_port_is_free():
    """A port that was found free can be listened on."""
    port = free_port()
    require_free(port, name="engine", option="--port")
    with socket.socket() as listener:
        listener.bind((LOOPBACK, port))


def test_an_address_of_another_machine_is_refused():
    """An address that is not ours is named as what it is, not as a taken port."""
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1:1"):
        require_free(1, name="service", option="--port", host="192.0.2.1")
