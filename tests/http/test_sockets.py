"""Listening sockets: every kind of address, with what a server of strangers needs."""

import os
import socket
from pathlib import Path

import pytest

from router.http.sockets import open_listeners


def test_a_tcp_listener_bounds_peers_that_acknowledge_nothing() -> None:
    (listener,) = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=7)
    try:
        port = listener.socket.getsockname()[1]
        assert listener.address == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listener.socket.accept()
            with accepted:
                inherited = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert inherited == 7000
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        listener.close()


def test_ipv6_is_written_in_brackets() -> None:
    (listener,) = open_listeners(["[::1]:0"], backlog=16, user_timeout=7)
    assert listener.address.startswith("http://[::1]:")
    listener.close()


def test_tls_is_in_the_address() -> None:
    (listener,) = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=7, tls=True)
    assert listener.address.startswith("https://")
    listener.close()


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "router.sock"
    (first,) = open_listeners([f"unix:{path}"], backlog=16, user_timeout=7)
    assert first.address == f"unix:{path}"
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(OSError, match=f"cannot listen on unix:{path}: address already in use"):
        open_listeners([f"unix:{path}"], backlog=16, user_timeout=7)
    first.close()
    (second,) = open_listeners([f"unix:{path}"], backlog=16, user_timeout=7)
    second.close()


def test_an_inherited_descriptor_is_served() -> None:
    """Socket activation: systemd binds, we listen on."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    (listener,) = open_listeners([f"fd://{bound.detach()}"], backlog=16, user_timeout=7)
    assert listener.address == f"http://127.0.0.1:{port}"
    assert listener.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
    socket.create_connection(("127.0.0.1", port)).close()
    listener.close()


def test_a_taken_port_is_named_and_what_was_opened_is_closed() -> None:
    (first,) = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=7)
    port = first.socket.getsockname()[1]
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
        open_listeners(["127.0.0.1:0", f"127.0.0.1:{port}"], backlog=16, user_timeout=7)
    first.close()


def test_a_name_that_is_not_known_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on nowhere\.invalid:80: (?!unknown error)\w+"):
        open_listeners(["nowhere.invalid:80"], backlog=16, user_timeout=7)


def test_a_descriptor_that_cannot_listen_is_named() -> None:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    number = datagrams.detach()
    with pytest.raises(OSError, match=f"cannot listen on fd://{number}: "):
        open_listeners([f"fd://{number}"], backlog=16, user_timeout=7)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match="address already in use"):
        open_listeners([f"unix:{path}"], backlog=16, user_timeout=7)
    assert path.read_text() == "data"


def test_a_live_socket_with_a_full_backlog_is_alive(tmp_path: Path) -> None:
    """The question whether anybody answers must not wait for the answer."""
    path = tmp_path / "router.sock"
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as waiting:
        live.bind(str(path))
        live.listen(0)
        waiting.connect(str(path))  # one more than the backlog is let in, and no other
        with pytest.raises(OSError, match="address already in use"):
            open_listeners([f"unix:{path}"], backlog=16, user_timeout=7)


def test_an_abstract_socket_is_written_with_its_at_sign() -> None:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(f"\0router-{os.getpid()}")
    (listener,) = open_listeners([f"fd://{bound.detach()}"], backlog=16, user_timeout=7)
    assert listener.address == f"unix:@router-{os.getpid()}"
    listener.close()
