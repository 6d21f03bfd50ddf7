"""Every way to write an event, read again by a parser."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.names import EnvironmentName
from router.pipeline.frames import CLOUDEVENTS, CLOUDEVENTS_LINES, RAW, RAW_LINES, Format
from router.records import Entry, Event
from router.sse import Message, Parser

NAME = EnvironmentName("shop", "production")
RAW_JSON = b'{"kind":"custom",\r\n"key":"Zo\xc3\xab \xe2\x80\xa8"}'
EVENT = Event("custom", 1_700_000_000_000, "Zoë", ("f",), ("user:u",), None, RAW_JSON)
ENTRY = Entry(1_700_000_000_500, "launchdarkly", "bulk", {}, (EVENT,))
FLAT = RAW_JSON.replace(b"\r\n", b"  ")


def written(style: Format) -> bytes:
    return style.frame(NAME, "abcdefgh-7", ENTRY, EVENT)


def test_as_sent_on_one_line_under_its_cursor() -> None:
    assert list(Parser().feed(written(RAW))) == [Message("message", FLAT.decode(), "abcdefgh-7")]
    assert written(RAW_LINES) == FLAT + b"\n"


@pytest.mark.parametrize("style", [CLOUDEVENTS, CLOUDEVENTS_LINES])
def test_in_an_envelope(style: Format) -> None:
    text = written(style)
    if style is CLOUDEVENTS:
        [message] = Parser().feed(text)
        assert message.id == "abcdefgh-7"
        text = message.data.encode() + b"\n"
    assert text.count(b"\n") == 1
    found = json.loads(text)
    assert (found["id"], found["type"], found["subject"]) == ("abcdefgh-7", "flags.custom", "f")
    assert found["source"] == "/projects/shop/environments/production"
    assert found["receivedtime"] == "2023-11-14T22:13:20.500Z"
    assert found["data"] == json.loads(RAW_JSON)


def test_names_are_unique() -> None:
    styles = (RAW, CLOUDEVENTS, RAW_LINES, CLOUDEVENTS_LINES)
    assert len({style.name for style in styles}) == len(styles)


@pytest.mark.parametrize("style", [RAW, RAW_LINES])
@given(
    st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\0", b"\n")), max_size=6), st.integers(0, 10**12)
)
def test_all_events_of_an_entry_at_once_are_what_they_are_one_by_one(
    style: Format, raws: list[bytes], first: int
) -> None:
    events = tuple(EVENT._replace(raw=raw) for raw in raws)
    entry = ENTRY._replace(events=events)
    one_by_one = [style.frame(NAME, f"abcdefgh-{first + n}", entry, event) for n, event in enumerate(events)]
    assert style.whole is not None

    assert style.whole("abcdefgh-", raws, first) == b"".join(one_by_one)
