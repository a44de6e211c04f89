import signal
import socket
from contextlib import ExitStack, suppress

import pytest

from app.demo.run import run
from app.demo.service import HOST, StartError, temporary_service


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(StartError, match="it must lie from 0 to 65535"), temporary_service(port):
        pass


def test_where_no_port_is_free_the_demo_says_so_and_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest keeps its own handlers
    with ExitStack() as taken:
        with suppress(OSError):  # somebody else has it: taken all the same
            taken.enter_context(socket.create_server((HOST, 65535)))
        assert run(65535, keep_serving=False) == 1
    assert "No port from 65535 to 65535 is free; name another with --port." in capsys.readouterr().err
