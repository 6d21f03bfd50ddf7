"""A link between two routers that comes and goes: a TCP proxy on one port, which can be cut in any state."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

PIECE = 4096


@dataclass
class Link:
    """Passes bytes on to `target` (host, port) while it is up. `cuts`: how often it went down.

    budget: bytes that pass until it cuts itself, in the middle of whatever is on the way; None for no such cut.
    """

    target: tuple[str, int]
    url: str = ""
    up: bool = True
    cuts: int = 0
    budget: int | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> None:
        """Everything that is open ends at once, without a goodbye, and nothing new is let through."""
        with self._lock:
            self.up = False
            self.cuts += 1
            self.budget = None
            ending = list(self._open)
            self._open.clear()
        for one in ending:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)

    def restore(self, random: Random | None = None) -> None:
        """Up again; with `random`, until some bytes have passed."""
        with self._lock:
            self.up = True
            self.budget = None if random is None else random.choice((50, 400, 3_000, 20_000, 60_000))

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                up = self.up
            if not up:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target, timeout=5)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            source.settimeout(None)
            while data := source.recv(PIECE):
                with self._lock:
                    left = self.budget
                    if left is not None:
                        self.budget = left - len(data)
                if left is not None and left < len(data):
                    sink.sendall(data[: max(0, left)])
                    self.cut()
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            with self._lock:
                self._open.discard(one)


@contextlib.contextmanager
def link(target: tuple[str, int]) -> Iterator[Link]:
    made = Link(target)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            made.cut()
            thread.join(5)
