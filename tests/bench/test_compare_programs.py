"""The load generator and the reader count what there is to count, also where it comes in pieces."""

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.compare.event import events
from bench.compare.failure import Failure
from bench.compare.peers.durable_streams import DurableStreams
from bench.compare.peers.nats import Nats
from bench.compare.peers.nchan import Nchan
from bench.compare.peers.redis import Redis
from bench.compare.programs import Programs
from bench.compare.tools import Tools

Serve = Callable[[socket.socket, int], None]
STAMP = b"~at0000000000000000001"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    if shutil.which("cc") is None:
        pytest.skip("the load generator needs a C compiler, and cc is not found")
    return Programs(tmp_path_factory.mktemp("programs"))


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """The port of a server that does with each connection what `serve` says, given its number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def one(connection: socket.socket, number: int) -> None:
            with connection, suppress(ConnectionError):  # readers are killed while they read
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve(connection, number)

        def accept() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(connection, number)))
                threads[-1].start()
                number += 1

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def request_of(connection: socket.socket, pattern: bytes) -> bytes:
    """What comes on a connection, as soon as it has that at its end; empty at the end of it."""
    got = b""
    while not re.search(pattern + rb"\Z", got, re.DOTALL):
        data = connection.recv(65536)
        if not data:
            return b""
        got += data
    return got


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 21, 22, 23, 64, 1000])
@pytest.mark.parametrize("step", [1, 5, 40, 4000])
def test_events_are_counted_however_they_are_cut(programs: Programs, piece: int, step: int) -> None:
    """By chunks of HTTP, and by the network."""
    stream = b"".join(b"id: %d\ndata: {~a ~ %s}\n\n" % (number, STAMP) for number in range(30))
    wire = CHUNKED + b"".join(chunk(stream[at : at + piece]) for at in range(0, len(stream), piece))

    def serve(connection: socket.socket, number: int) -> None:
        request_of(connection, rb"\r\n\r\n")
        for at in range(0, len(wire), step):
            connection.sendall(wire[at : at + step])
        connection.recv(1)

    peer = Nchan(Tools())
    with server(serve) as peer.port, programs.followers(peer, 1, form="server-sent events") as followers:
        found = followers.until(30, 10)
        assert (found["events"], found["least"], found["closed"]) == (30, 30, 0)


@pytest.mark.parametrize("tidy", [True, False], ids=["ended by its last chunk", "cut"])
def test_a_stream_that_ends_is_gone_on_with(programs: Programs, tidy: bool) -> None:
    """From the place of the last whole frame; what was half sent comes again and counts once."""
    asked: list[bytes] = []

    def frame(number: int) -> bytes:
        control = b'event: control\ndata:{"streamNextOffset":"%d"}\n\n' % number
        return chunk(b"event: data\ndata:[%s]\n\n" % STAMP + control)

    def serve(connection: socket.socket, number: int) -> None:
        asked.append(request_of(connection, rb"\r\n\r\n").split(b"\r\n")[0])
        if number:
            connection.sendall(CHUNKED + frame(3) + frame(4))
            connection.recv(1)
            return
        connection.sendall(CHUNKED + frame(1) + frame(2))
        connection.sendall(b"0\r\n\r\n" if tidy else frame(3)[:60])
        if tidy:
            connection.recv(1)

    peer = DurableStreams(Tools())
    with server(serve) as peer.port, programs.followers(peer, 1) as followers:
        found = followers.until(4, 10)
    assert asked == [b"GET /bench?offset=now&live=sse HTTP/1.1", b"GET /bench?offset=2&live=sse HTTP/1.1"]
    assert (found["events"], found["resumed"], found["closed"]) == (4, 1, 0)


def test_readers_that_are_refused_are_named(programs: Programs) -> None:
    """With the server's words."""

    def serve(connection: socket.socket, number: int) -> None:
        request_of(connection, rb"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    peer = Nchan(Tools())
    with (
        server(serve) as peer.port,
        pytest.raises(Failure, match=r"only 0 of 2 readers were let in: HTTP/1\.1 503"),
        programs.followers(peer, 2),
    ):
        pass


@pytest.mark.parametrize("rate", [0, 500])
def test_every_post_is_sent_once_with_its_time(programs: Programs, rate: float) -> None:
    """As many as were asked for, by all connections together; closed loop and steady alike."""
    seen: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        while got := request_of(connection, rb"~at\d{19}\"}}"):
            seen.extend(re.findall(rb"~at(\d{19})", got))
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-")
            connection.sendall(b"Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    peer = Nchan(Tools())
    with server(serve) as peer.port:
        done = programs.loaded(programs.load(peer, 1, connections=4, seconds=20, rate=rate, count=100))
    assert done.requests == len(seen) == 100
    assert len(set(seen)) == 100
    assert min(int(stamp) for stamp in seen) >= done.begin


def test_a_refused_post_is_a_failure(programs: Programs) -> None:
    """With the answer's words."""

    def serve(connection: socket.socket, number: int) -> None:
        while request_of(connection, rb"}}"):
            connection.sendall(b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n")

    peer = Nchan(Tools())
    with server(serve) as peer.port, pytest.raises(Failure, match=r"3 of 3 posts were refused: HTTP/1\.1 507 Insuff"):
        programs.loaded(programs.load(peer, 1, connections=1, seconds=20, count=3))


def test_a_pipelined_batch_is_answered_when_all_of_it_is(programs: Programs) -> None:
    """Redis: an answer each."""
    batches: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        while got := request_of(connection, rb"(XADD.*){5}}}\r\n"):
            batches.append(got.count(b"XADD"))
            for _ in range(5):
                connection.sendall(b"$3\r\n1-")
                connection.sendall(b"1\r\n")

    peer = Redis(Tools())
    with server(serve) as peer.port:
        done = programs.loaded(programs.load(peer, 5, connections=2, seconds=20, count=6))
    assert done.requests == 6
    assert batches == [5] * 6


def test_each_connection_of_nats_has_an_inbox_of_its_own(programs: Programs) -> None:
    """Answers come to it as messages."""
    inboxes: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        connection.sendall(b'INFO {"max_payload":1}\r\n')
        inboxes.append(re.findall(rb"SUB (\S+)", request_of(connection, rb"PING\r\n"))[0])
        connection.sendall(b"PONG\r\nPING\r\n")
        while got := request_of(connection, rb"(PUB bench.*){3}}}\r\n"):
            assert inboxes[-1] in inboxes
            for inbox in re.findall(rb"PUB bench (\S+)", got):
                connection.sendall(b'MSG %s 1 13\r\n{"stream":"B"\r\n' % inbox)

    peer = Nats(Tools())
    with server(serve) as peer.port:
        done = programs.loaded(programs.load(peer, 3, connections=2, seconds=20, count=4))
    assert done.requests == 4
    assert sorted(inboxes) == [b"_INBOX.conn-0000", b"_INBOX.conn-0001"]


def test_events_are_of_one_size(programs: Programs) -> None:
    """What the tables say."""
    sizes: set[int] = {len(event) for event in events(500)}
    assert sizes == {214}


def test_programs_say_how_they_are_called(programs: Programs, tmp_path: Path) -> None:
    """A missing compiler is said in a sentence."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", "no-such-compiler")
        with pytest.raises(Failure, match="no-such-compiler is not found"):
            Programs(tmp_path)
