"""The image fallback of browsers without CORS: always answered with a pixel, never a reason to lose what it carries."""

import base64
import json
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dialects.dialect import Bounds
from router.dialects.launchdarkly import PIXEL, LaunchDarkly
from tests.dialects.fixtures import Recorded, claim, decode

SDK: Final = LaunchDarkly()
EVENTS: Final = [{"kind": "identify", "user": {"key": "ключ ~~~???>>>"}}, {"kind": "custom", "key": "paid"}]


def image(content: str, path: str = "/a/0123456789abcdef01234567.gif") -> Recorded:
    return Recorded("GET", f"{path}?d={content}")


def spellings(content: bytes) -> list[str]:
    standard = base64.b64encode(content).decode()
    safe = base64.urlsafe_b64encode(content).decode()
    return [quote(standard), standard, standard.rstrip("="), safe, safe.rstrip("="), quote(safe)]


@pytest.mark.parametrize("spelling", range(6))
@pytest.mark.parametrize("spaces", range(3))
def test_either_alphabet_is_read_with_or_without_padding(spelling: int, spaces: int) -> None:
    """A bare plus included, which the query's decoder has made a space of."""
    content = json.dumps(EVENTS, ensure_ascii=False).encode() + b" " * spaces
    assert {"+", "/"} <= set(base64.b64encode(content).decode())

    batch = decode(SDK, image(spellings(content)[spelling]))

    assert [json.loads(event.raw) for event in batch.events] == EVENTS
    assert batch.set_aside == []


def test_both_forms_of_the_path_name_the_client() -> None:
    long = "/events/bulk/0123456789abcdef01234567/a/0123456789abcdef01234567.gif"

    assert claim(SDK, image("x")) == claim(SDK, image("x", long))
    assert claim(SDK, image("x")).secret == "0123456789abcdef01234567"


def test_without_headers_the_schema_is_told_by_the_events() -> None:
    """js-sdk-common 5.0 put schema 4 there as well (protocols/launchdarkly.md 1.4)."""
    for events, schema in [
        ('[{"kind":"feature","key":"f","userKey":"u"}]', 3),
        ('[{"kind":"feature","key":"f","context":{"kind":"user","key":"u"}}]', 4),
        ('[{"kind":"summary","features":{"f":{"counters":[]}}}]', 3),
        ('[{"kind":"summary","features":{"f":{"counters":[],"contextKinds":["user"]}}}]', 4),
    ]:
        assert decode(SDK, image(spellings(events.encode())[4])).facts == {"schema": schema}


@pytest.mark.parametrize("content", ["%%%", "A", "W3si*", "W3siü", "W3 si="])
def test_what_is_not_base64_is_set_aside_as_it_came(content: str) -> None:
    batch = decode(SDK, image(quote(content)))

    assert batch.events == []
    assert [aside.raw for aside in batch.set_aside] == [content.encode()]
    assert "not base64" in batch.set_aside[0].reason


@pytest.mark.parametrize("content", [b"[1", b'[{"kind":"custom"', b"hello", b"\xff\xfe", b"[NaNN]"])
def test_what_is_not_json_is_set_aside_decoded(content: bytes) -> None:
    """A URL cut at 2,000 characters, above all."""
    batch = decode(SDK, image(spellings(content)[4]))

    assert batch.events == []
    assert [aside.raw for aside in batch.set_aside] == [content]


def test_an_image_without_events_is_an_empty_batch() -> None:
    for recorded in (image(""), Recorded("GET", "/a/x.gif"), image(spellings(b"[]")[0])):
        batch = decode(SDK, recorded)
        assert (batch.events, batch.set_aside, batch.identity) == ([], [], None)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FF), max_size=40))
def test_no_content_is_ever_refused(content: str) -> None:
    batch = decode(SDK, image(quote(content)))

    assert batch.events == []
    assert len(batch.set_aside) <= 1


def test_secrets_in_an_image_are_redacted_too() -> None:
    bounds = Bounds(redact=lambda body: body.replace(b"sdk-1", b"[redacted]"))
    event = b'[{"kind":"custom","key":"sdk-1"}]'

    assert decode(SDK, image(spellings(event)[0]), bounds=bounds).events[0].name == "[redacted]"
    assert decode(SDK, image(spellings(event[:-1])[0]), bounds=bounds).set_aside[0].raw == event[:-1].replace(
        b"sdk-1", b"[redacted]"
    )
    assert decode(SDK, image("!sdk-1"), bounds=bounds).set_aside[0].raw == b"![redacted]"


def test_the_answer_is_a_transparent_pixel() -> None:
    assert PIXEL[:10] == b"GIF89a\x01\x00\x01\x00"
    assert b"\x21\xf9\x04\x01" in PIXEL  # a graphic control extension with the transparency flag
    assert PIXEL.endswith(b";")
