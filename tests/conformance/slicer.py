"""A proxy that hands on what a server says a few bytes at a time, so that characters and fields are split anywhere."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from random import Random


def _pump(source: socket.socket, sink: socket.socket, most: Random | None) -> None:
    """Hand on until either side ends; `most` draws how many bytes at once, None for as many as come."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536 if most is None else most.randint(1, 7)):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _serve(client: socket.socket, target: int) -> None:
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            server = socket.create_connection(("127.0.0.1", target), timeout=60)
        except OSError:
            return
        with server:
            upwards = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
            upwards.start()
            _pump(server, client, Random(1))
            upwards.join()


@contextlib.contextmanager
def slicer(target: int) -> Iterator[int]:
    """The port of a running proxy to `target`, which may come and go."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        workers: list[tuple[threading.Thread, socket.socket]] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    worker = threading.Thread(target=_serve, args=(client, target), daemon=True)
                    workers.append((worker, client))
                    worker.start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for worker, client in workers:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                worker.join()
