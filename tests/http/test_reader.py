"""Requests from the bytes of a connection, however these are cut."""

from hypothesis import given
from hypothesis import strategies as st

from router.http.heads import Head
from router.http.reader import Reader

PLAIN = b"POST /bulk HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
CODED = b"POST /bulk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n"
BODIES = st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=5)


def coded(body: bytes) -> bytes:
    return CODED % b"".join(b"%x\r\n%b\r\n" % (len(body[n : n + 7]), body[n : n + 7]) for n in range(0, len(body), 7))


def bodies(reader: Reader, pieces: list[bytes], most: int = 1000) -> list[bytes]:
    """The bodies of all requests that `pieces` hold."""
    found: list[bytes] = []
    head: Head | bool = True
    for piece in pieces:
        reader.feed(piece)
        while True:
            if not isinstance(head, Head):
                head = reader.head(most) if reader.begun else True
                if not isinstance(head, Head):
                    break
            body = reader.body(head, most)
            if isinstance(body, bool):
                break
            found.append(body)
            head = True
    return found


@given(BODIES, st.lists(st.integers(1, 30)))
def test_requests_come_out_whole_however_their_bytes_come_in(wanted: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    data = b"".join(coded(body) if chunked else PLAIN % (len(body), body) for body, chunked in wanted)
    pieces, place = [], 0
    for cut in cuts:
        pieces.append(data[place : place + cut])
        place += cut
    pieces.append(data[place:])
    reader = Reader()

    assert bodies(reader, [piece for piece in pieces if piece]) == [body for body, _ in wanted]
    assert not reader.begun


@given(st.binary(max_size=60), st.booleans(), st.integers(1, 90))
def test_until_a_body_is_given_out_nothing_of_its_request_is_lost(body: bytes, chunked: bool, cut: int) -> None:
    data = coded(body) if chunked else PLAIN % (len(body), body)
    reader = Reader()
    reader.feed(data[:cut])
    head = reader.head(1000)
    if isinstance(head, Head) and isinstance(reader.body(head, 1000), bool):
        reader.feed(data[cut:])
        assert reader.raw() == data
    elif not isinstance(head, Head):
        assert reader.raw() == data[:cut]


def test_what_is_too_large_or_unusual_is_not_for_here() -> None:
    reader = Reader()
    reader.feed(b"POST /" + b"a" * 2000)
    assert reader.head(1000) is False
    assert len(reader.raw()) == 2006

    reader = Reader()
    reader.feed(PLAIN % (2000, b""))
    head = reader.head(1000)
    assert isinstance(head, Head)
    assert reader.body(head, 1000) is False

    reader = Reader()
    reader.feed(coded(b"a" * 200))
    head = reader.head(1000)
    assert isinstance(head, Head)
    assert reader.body(head, 100) is False

    reader = Reader()
    reader.feed(b"GARBAGE\r\n\r\n")
    assert reader.head(1000) is False


def test_bytes_behind_a_chunked_body_that_come_with_it_are_kept() -> None:
    assert bodies(Reader(), [coded(b"one") + PLAIN % (3, b"two")]) == [b"one", b"two"]
