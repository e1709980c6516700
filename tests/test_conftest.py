"""The test suite's own promises."""

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_another_machine_cannot_be_reached(host: str) -> None:
    with pytest.raises(RuntimeError, match="Tests run offline"):
        socket.create_connection((host, 80), timeout=0.1)


def test_this_machine_can_be_reached() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        with socket.create_connection(server.getsockname(), timeout=1):
            pass
